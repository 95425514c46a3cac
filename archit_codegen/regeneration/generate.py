"""From the spec to packages: runs a surgery, compiles what it returns, writes or compares it. Imports torch."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..declaration.compiler import compile_model, diff
from ..declaration.difference import Difference
from ..declaration.package import Package
from ..declaration.transfer import compile_surgery
from ..disk.lock import Origin
from ..disk.writer import write_package
from ..errors import ArchitError, InvalidDeclaration, SpecError, ValidationFailed, WriteRefused
from .comparing import package_diff
from .configs import read_config
from .freshness import Examiner, refuse_links
from .imports import ProjectFinder, project_imports
from .reading import watched
from .remotecode import remote_code
from .results import Outcome, Result
from .spec import ModelSpec, Spec
from .surgery import config_surgery, declared_class, head_classes, run_surgery


@dataclass(frozen=True, slots=True)
class Emission:
    """A package in memory, validated, with what its lock has to say."""

    package: Package
    origin: Origin
    notes: tuple[str, ...]


def emit(spec: Spec, model: ModelSpec) -> Emission:
    """Compile one model of the spec; nothing is written.

    Raises:
        ArchitError: the surgery fails, or makes what no source can declare.
    """
    examiner = Examiner(spec)
    sources = examiner.sources(model)
    for path in (path for path, digest in sources.items() if not digest):
        raise SpecError(spec.file, f"the input {path!a} of model {model.name!r} is not there")
    with _project(spec, model) as (finder, read):
        package = _compiled(model, spec.root)
    origin = examiner.origin_of(model, package.declared, dict(sorted({**sources, **finder.sources}.items())))
    unlisted = (f"the surgery reads {path}, which `inputs` does not list" for path in sorted(read - sources.keys()))
    return Emission(package, origin, (*package.notes, *unlisted))


def _compiled(model: ModelSpec, root: Path) -> Package:
    declared = declared_class(model, root)
    options: dict[str, Any] = {
        "name": model.name,
        "suffix": model.suffix,
        "user_code": model.user_code,
        "vendor": model.vendor,
    }
    if model.config is None:
        live, heads = run_surgery(model, root), head_classes(model, root)
        return compile_model(live, declared, **options, heads=heads, templates=model.templates)
    if model.heads:
        raise InvalidDeclaration(f"{model.name}: a spec has heads for a surgery without `config` only.")
    build, config = config_surgery(model, root), read_config(model.config, root, declared)
    return compile_surgery(build, config, declared, **options)


def regenerate(spec: Spec, name: str, *, overwrite: bool = False) -> Result:
    """Compile one model and write its package; what goes wrong is told, not raised."""
    (model,) = spec.select([name])
    try:
        refuse_links(spec, model.package)
        emission = emit(spec, model)
        return _written(spec, model, emission, overwrite)
    except Exception as error:  # a bug in one model must not stop the others; it is shown with its traceback
        return _failure(model, error)


def preview(spec: Spec, name: str) -> Result:
    """Compile one model, and compare it with its package on disk; what goes wrong is told, not raised."""
    (model,) = spec.select([name])
    try:
        refuse_links(spec, model.package)
        emission = emit(spec, model)
        difference = package_diff(model.package, emission.package.files, _shown(spec, model))
    except Exception as error:  # as above
        return _failure(model, error)
    outcome = Outcome.DIFFERENT if difference else Outcome.UNCHANGED
    return Result(name, model.package, outcome, emission.package.root_class, emission.notes, difference)


def imported(spec: Spec, name: str) -> Result:
    """Import the package of one model as it stands on disk; what goes wrong is told, not raised."""
    (model,) = spec.select([name])
    try:
        refuse_links(spec, model.package)
        files = {f"{name}/{path.name}": path.read_text("utf-8") for path in sorted(model.package.glob("*.py"))}
        Package(name, files, "").load()
    except Exception as error:  # the user may have adopted a file of it: whatever it raises is theirs to see
        reason = error.reason if isinstance(error, ValidationFailed) else f"{type(error).__name__}: {error}"
        return Result(name, model.package, Outcome.FAILED, reason)
    return Result(name, model.package, Outcome.UNCHANGED, "")


def difference(spec: Spec, name: str) -> Difference:
    """What the surgery of one model changes."""
    (model,) = spec.select([name])
    with _project(spec, model):
        return diff(run_surgery(model, spec.root), declared_class(model, spec.root), suffix=model.suffix)


@contextmanager
def _project(spec: Spec, model: ModelSpec) -> Iterator[tuple[ProjectFinder, set[str]]]:
    with project_imports(spec.root) as finder, watched(spec.root) as read, remote_code(model.trust_remote_code):
        yield finder, read


def _written(spec: Spec, model: ModelSpec, emission: Emission, overwrite: bool) -> Result:
    package = emission.package
    try:
        done = write_package(model.output, model.name, package.files, emission.origin, overwrite=overwrite)
    except WriteRefused as error:
        difference = package_diff(model.package, package.files, _shown(spec, model))
        return Result(
            model.name, model.package, Outcome.REFUSED, str(error), emission.notes, difference, tuple(error.files)
        )
    outcome = Outcome.WRITTEN if done.changed else Outcome.UNCHANGED
    return Result(model.name, model.package, outcome, package.root_class, (*emission.notes, *done.notes))


def _failure(model: ModelSpec, error: Exception) -> Result:
    if isinstance(error, ArchitError):
        return Result(model.name, model.package, Outcome.FAILED, str(error))
    return Result(model.name, model.package, Outcome.BROKEN, traceback.format_exc())


def _shown(spec: Spec, model: ModelSpec) -> str:
    return model.package.relative_to(spec.root).as_posix()
