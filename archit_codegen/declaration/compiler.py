"""The pipeline, as a table of contents."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import ArchitError, InvalidDeclaration, UnsupportedChange, ValidationFailed
from .assembly import Parts
from .changes import Added, Delta, Replaced, flatten, patched_methods
from .characters import check_characters
from .diff import diff as diff_trees
from .difference import Difference
from .ecosystem import config_class
from .emission import Emitted, Emitter
from .emittednames import Patches
from .headcheck import check_heads
from .headed import Heads, bare_parts, wanted_heads, with_heads
from .hooks import check_parameters
from .misread import misread_names
from .nativetypes import asked_for
from .options import Options, options_of, suffix_of
from .package import Package
from .relatives import base_of, with_pooler
from .sourcefile import one_run
from .textcheck import check_files
from .tree import check_uncompiled
from .validate import Validation, validate
from .workbench import Workbench

NEUTRAL = "package"
UNPROVED = "nothing was proved: the package was compiled without validation"
Opened = tuple[Workbench, Delta]


@one_run()
def diff(live: nn.Module, declared: type | None = None, *, suffix: str = "Modified") -> Difference:
    """What was changed on ``live`` since its class built it.

    ``declared`` is the class it was built from, by default its own. The result's ``changes`` are typed and carry
    their ``path``; ``classes`` are those that a package would emit with ``suffix``.

    Raises:
        ArchitError: a change that no source can declare, or a declared class that does not fit.
    """
    bench = _bench(live, declared)
    delta = diff_trees(bench.reference_node, bench.live_node, bench)
    changes = tuple(flatten(delta))
    classes = _emit(bench, delta, Options(NEUTRAL, suffix)).classes if changes else ()
    return Difference(bench.declared.__name__, changes, classes)


@one_run()
def compile_model(
    live: nn.Module,
    declared: type | None = None,
    *,
    name: str,
    suffix: str,
    inputs: Mapping[str, Any] | None = None,
    user_code: str = "copy",
    heads: Iterable[str] | Heads = (),
    templates: str | Path | None = None,
    vendor: str = "changed",
    validation: bool = True,
) -> Package:
    """The package of classes that declares ``live``, validated; nothing is written and ``live`` is left as it was.

    Args:
        live: the modified model.
        declared: the class it was built from; its own by default.
        name: name of the package and ``model_type`` of its config: a lower-case identifier.
        suffix: what the name of each emitted class ends with.
        inputs: arguments of ``forward`` for the comparison of outputs; made from its signature by default.
        user_code: ``"copy"`` the user's own modules into the package, or ``"import"`` them.
        heads: tasks for which the package gets a class on the base model, such as ``"token-classification"``; a
            mapping gives the head class of a task: its embeddings and mask go in, its logits come out. With heads,
            the live model may be unmodified.
        templates: a folder with templates of tasks, beside or instead of those that there are.
        vendor: what of transformers stands in the package: ``"changed"``, the classes that had to change; ``"all"``,
            every class and function of its modelling files that the model uses; ``"modular"``, the first, and beside
            it a modular file of small subclasses.

    Raises:
        UnsupportedChange: a change that no source can declare; names the path and the way out.
        ValidationFailed: the emitted package does not rebuild the model.
        InvalidName, InvalidDeclaration, SourceUnavailable: bad input.
    """
    tasks = wanted_heads(heads)
    roots = tuple(cls for cls in tasks.values() if cls is not None)
    options = replace(options_of(name, suffix, user_code, vendor), roots=roots, validation=validation)
    live = with_pooler(live) if tasks else live
    model = opened(live, declared, changed=not tasks)
    package, emitted = Package(name, {}, "", declared=_declared(model[0])), None
    if model[1].edits:
        package, emitted = packaged(model, options, inputs)
    if not tasks:
        return package
    parts, origins = (_bare_parts(live, options), {}) if emitted is None else (emitted.parts, emitted.origins)
    folder = None if templates is None else Path(templates).resolve()
    headed = with_heads(live, model[1], parts, origins, options.suffix, tasks, folder, inputs)
    if validation:
        checked = check_heads(live, name, headed.files, headed.heads, headed.facts, origins, inputs)
    else:
        checked = _unproved(headed.files)
    notes = tuple(dict.fromkeys((*package.notes, *checked)))
    root = package.root_class or next(iter(headed.heads.values()))
    return replace(
        package, files=headed.files, root_class=root, classes=headed.classes, notes=notes, heads=headed.heads
    )


@one_run()
def opened(live: nn.Module, declared: type | None, *, changed: bool = True) -> Opened:
    """A live model with what was changed on it; ``changed`` tells that there has to be something.

    Raises:
        ArchitError: as `compile_model`.
    """
    bench = _bench(live, declared)
    delta = diff_trees(bench.reference_node, bench.live_node, bench)
    if changed and not delta.edits:
        raise InvalidDeclaration(
            f"The live model is just what {bench.declared.__name__} declares: nothing to compile."
        )
    return bench, delta


@one_run()
def packaged(
    model: Opened, options: Options, inputs: Mapping[str, Any] | None, others: Sequence[Opened] = ()
) -> tuple[Package, Emitted]:
    """The package of one model, read with ``others`` made by the same surgery at other configs."""
    bench, delta = model
    emitted, validation = _validated(bench, delta, options, inputs, others)
    needs = [f"the package needs {name} to be installed where it is used" for name in emitted.parts.needs]
    beyond = (*misread_names(delta), *asked_for(bench.live)) if emitted.parts.config is not None else ()
    notes = (*validation.notes, *unused_children(delta, emitted.files), *beyond, *needs)
    return Package(options.name, emitted.files, emitted.root, emitted.classes, notes, _declared(bench)), emitted


def _declared(bench: Workbench) -> str:
    return f"{bench.declared.__module__}:{bench.declared.__qualname__}"


@one_run()
def print_difference(live: nn.Module, declared: type | None = None, *, suffix: str = "Modified") -> None:
    """Print the source of the new classes, and of the user's own; the config class is left out.

    Raises:
        ArchitError: as `compile_model`.
    """
    options = Options(NEUTRAL, suffix_of(suffix))
    bench = _bench(live, declared)
    delta = diff_trees(bench.reference_node, bench.live_node, bench)
    emitted, validation = _validated(bench, delta, options, None)
    print(emitted.new_source, end="")
    for note in validation.notes:
        print(f"# {note}")


printDifference = print_difference  # noqa: N816  # the name that ArchIt's users know


def unused_children(delta: Delta, files: Mapping[str, str]) -> Iterator[str]:
    """A warning for each added child that no emitted code reads: declared, and perhaps forgotten."""
    text = "\n".join(files.values())
    for change in flatten(delta):
        if not isinstance(change, Added) or change.slot.isdigit():
            continue
        if not re.search(rf"\.{re.escape(change.slot)}\b(?!\s*=[^=])", text):
            yield f"{change.path} was added, and no `forward` uses it"


def _validated(
    bench: Workbench,
    delta: Delta,
    options: Options,
    inputs: Mapping[str, Any] | None,
    others: Sequence[Opened] = (),
) -> tuple[Emitted, Validation]:
    """The most readable package that rebuilds the model: edits at sites; else statements in the class that holds the
    change; else statements in the root, as the surgery itself did it."""
    try:
        emitted = _emit(bench, delta, options, others)
        return emitted, _proved(bench, delta, emitted, options, inputs)
    except (ValidationFailed, UnsupportedChange):
        for plain in (replace(options, prefer_sites=False), replace(options, prefer_sites=False, flat=True)):
            try:
                emitted = _emit(bench, delta, plain, others)
                return emitted, _proved(bench, delta, emitted, plain, inputs)
            except ArchitError:
                continue
        raise


def _emit(bench: Workbench, delta: Delta, options: Options, others: Sequence[Opened] = ()) -> Emitted:
    emitter, *more = (_emitter(*model, options) for model in ((bench, delta), *others))
    return replace(emitter, others=tuple(more)).emit()


def _emitter(bench: Workbench, delta: Delta, options: Options) -> Emitter:
    config = config_class(getattr(bench.live, "config", None), options.suffix, tuple(_moves(bench.live, delta)))
    return Emitter(bench, delta, options, config)


def _moves(live: nn.Module, delta: Delta) -> Iterator[tuple[str, str]]:
    """Modules that a wrapper holds now, by their paths from the base model."""
    prefix = getattr(live, "base_model_prefix", "")
    start = f"{prefix}." if prefix and prefix in live._modules else ""
    for change in flatten(delta):
        if isinstance(change, Replaced) and change.inner is not None and change.path.startswith(start):
            yield change.path.removeprefix(start), change.inner


def _proved(
    bench: Workbench, delta: Delta, emitted: Emitted, options: Options, inputs: Mapping[str, Any] | None
) -> Validation:
    if not options.validation:
        return Validation(False, False, False, _unproved(emitted.files))
    check_files(emitted.files, emitted.draft)
    return rebuilt((bench, delta), emitted, options, inputs)


def _unproved(files: Mapping[str, str]) -> tuple[str, ...]:
    """What may stand in a file is no matter of proof: text that shows as other text than it is is never given."""
    for path, text in files.items():
        check_characters(path, text)
    return (UNPROVED,)


def rebuilt(model: Opened, emitted: Emitted, options: Options, inputs: Mapping[str, Any] | None = None) -> Validation:
    """Raises `ValidationFailed` where what was emitted does not rebuild a model, at the config of that."""
    bench, delta = model
    build = None if config_class(getattr(bench.live, "config", None), "X") else bench.rebuild
    patches = Patches(patched_methods(delta), emitted.methods)

    def validated(files: Mapping[str, str]) -> Validation:
        return validate(bench.live, options.name, files, emitted.root, emitted.origins, inputs, build, patches)

    modular = f"{options.name}/modular_{options.name}.py"
    if modular in emitted.files:
        # Subclasses are Python too: put in the place of the full text, they have to be the same model.
        validated({**emitted.files, f"{options.name}/modeling_{options.name}.py": emitted.files[modular]})
    return validated(emitted.files)


def _bench(live: nn.Module, declared: type | None) -> Workbench:
    if not isinstance(live, nn.Module):
        raise InvalidDeclaration(f"The live model has to be an nn.Module, not a {type(live).__name__}.")
    check_uncompiled(live)
    check_parameters(live)
    declared = type(live) if declared is None else declared
    if not (isinstance(declared, type) and issubclass(declared, nn.Module)):
        raise InvalidDeclaration(f"The declared class has to be a subclass of nn.Module, not {declared!a}.")
    if not issubclass(type(live), declared):
        raise InvalidDeclaration(
            f"The declared class {declared.__name__} is no ancestor of the live model's class {type(live).__name__}."
        )
    return Workbench(live, declared)


def _bare_parts(live: nn.Module, options: Options) -> Parts:
    """A package of heads alone, over the unmodified base model."""
    base = base_of(live)
    config = config_class(base.config, options.suffix)
    if config is None:
        raise InvalidDeclaration(f"Heads need a config of transformers, and that of {type(base).__name__} is none.")
    return bare_parts(options.name, type(base), config, options.roots, copy=options.copy_user_code)
