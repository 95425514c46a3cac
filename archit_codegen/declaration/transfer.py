"""Compiles a surgery that is given as a function of the config: what follows the config is learnt by running it."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from torch import nn

from ..errors import ArchitError, ValidationFailed
from .compiler import Opened, opened, packaged, rebuilt
from .emission import Emitted
from .learning import Sample, learnt
from .loading import one_line
from .options import Options, options_of
from .origins import config_of
from .otherconfigs import Attempt, OtherConfig, other_configs, widths
from .package import Package
from .record import record
from .undisturbed import classes_untouched, random_state, silenced
from .workbench import on_meta

Build = Callable[[Any], nn.Module]


@dataclass(frozen=True, slots=True)
class _Run:
    """The surgery done at another config, on meta."""

    other: OtherConfig
    model: Opened


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why the surgery could not be done at another config; ``other`` is None where that could not be made."""

    other: OtherConfig | None
    reason: str


def compile_surgery(
    build: Build,
    config: Any,
    declared: type | None = None,
    *,
    name: str,
    suffix: str,
    inputs: Mapping[str, Any] | None = None,
    user_code: str = "copy",
    vendor: str = "changed",
) -> Package:
    """The package that declares ``build(config)``, and follows the config where ``build`` does.

    ``build`` makes the declared model from a config and modifies it. It is run inside `record()` at ``config``, and on
    the meta device at some configs near it (deeper, wider, other vocabularies; those at which it fails are left out),
    from which is learnt what each argument and each choice of layers follows. A note of the package says what does
    not follow the config, and where.

    Args:
        build: the surgery, as a function of the config; it must not need weights.
        config: the config of the model that is compiled; it is not changed.
        declared: the class that ``build`` builds before it modifies; that of its result by default.
        name, suffix, inputs, user_code, vendor: as for `compile_model`.

    Raises:
        ArchitError: as `compile_model`; what ``build`` raises at ``config`` is passed on.
    """
    options = options_of(name, suffix, user_code, vendor)
    with record():
        live = build(copy.deepcopy(config))
    model = opened(live, declared)
    runs: list[_Run] = []
    failures: list[_Failure] = []
    with silenced(), random_state():
        for attempts in other_configs(config):
            run = next(_runs(build, attempts, (live, declared), failures), None)
            runs += [run] if run is not None else []
    unknown = [*_unknown(runs, failures), *_fixed(config, runs, failures)]
    if not runs:
        package, _ = packaged(model, options, inputs)
        return _with_notes(package, unknown or ["nothing is known of what follows the config: it has no known sizes"])
    return _with_notes(_followed(model, runs, options, inputs), unknown)


def _unknown(runs: Sequence[_Run], failures: Sequence[_Failure]) -> Iterator[str]:
    """What no other config could tell, since none of its kind makes a model."""
    if not runs and failures:
        yield f"nothing is known of what follows the config: {failures[0].reason}"
        return
    kinds = {"the number of layers": "deeper", "the number of stages": "staged", "the widths": "wider"}
    for what, kind in kinds.items():
        failed = next(
            (failure for failure in failures if failure.other is not None and getattr(failure.other, kind)), None
        )
        if failed is not None and not any(getattr(run.other, kind) for run in runs):
            yield f"what follows {what} of the config is not known: {failed.reason}"


def _fixed(config: Any, runs: Sequence[_Run], failures: Sequence[_Failure]) -> Iterator[str]:
    """Widths of which the class takes no other value beside the rest as it is."""
    known = frozenset[str]().union(*(run.other.changed for run in runs))
    fixed = [name for name in widths(config) if name not in known]
    if fixed and known & set(widths(config)):
        tried = next(
            (f.reason for f in failures if f.other is not None and f.other.changed & set(fixed)),
            "the class takes no other value",
        )
        yield f"what follows {', '.join(fixed)} of the config is not known: {tried}"


def _runs(
    build: Build, attempts: Iterator[Attempt], like: tuple[nn.Module, type | None], failures: list[_Failure]
) -> Iterator[_Run]:
    first, declared = like
    for attempt in attempts:
        other = None
        try:
            other = attempt()
            with record(), on_meta(), classes_untouched(first):
                live = build(copy.deepcopy(other.config))
            if type(live) is not type(first):
                raise TypeError(f"a {type(live).__name__} was built")
            yield _Run(other, opened(live, declared))
        except Exception as error:  # whatever the surgery and the class do with a config that was made up
            where = f"at {other.label} " if other is not None else ""
            failures.append(_Failure(other, f"{where}the surgery raises {one_line(error)}"))


def _followed(model: Opened, runs: Sequence[_Run], options: Options, inputs: Mapping[str, Any] | None) -> Package:
    samples = [Sample(_config(model), model[1]), *(Sample(_config(r.model), r.model[1], r.other.deeper) for r in runs)]
    deltas = learnt(samples)
    runs = [replace(run, model=(run.model[0], delta)) for run, delta in zip(runs, deltas[1:], strict=True)]
    try:
        package, emitted = packaged((model[0], deltas[0]), options, inputs, [run.model for run in runs])
    except ArchitError:
        # What was learnt may be wrong in a way that shows at once; what the model itself says may still be right.
        package, emitted = packaged(model, options, inputs)
    return _with_notes(package, list(dict.fromkeys(_misses(runs, emitted, options))))


def _config(model: Opened) -> Any:
    return config_of(model[0].live) or SimpleNamespace()


def _misses(runs: Sequence[_Run], emitted: Emitted, options: Options) -> Iterator[str]:
    """What the package does not rebuild at the other configs."""
    for run in runs:
        try:
            rebuilt(run.model, emitted, options)
        except ValidationFailed as failure:
            yield f"{failure.path or 'the model'} does not follow the config: at {run.other.label}, {failure.reason}"


def _with_notes(package: Package, notes: Sequence[str]) -> Package:
    return replace(package, notes=(*package.notes, *notes))
