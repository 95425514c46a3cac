"""From the spec to packages on disk, model by model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..declaration.compiler import compile_model, diff
from ..declaration.difference import Difference
from ..declaration.package import Package
from ..declaration.transfer import compile_surgery
from ..errors import ArchitError, InvalidDeclaration
from .configs import read_config
from .imports import project_imports
from .spec import ModelSpec, Spec
from .surgery import config_surgery, declared_class, head_classes, run_surgery


@dataclass(frozen=True, slots=True)
class Generated:
    """A package that now stands on disk; ``notes`` say what validation could not compare."""

    name: str
    package: Path
    root_class: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """A model that could not be compiled or written; its package is what it was."""

    name: str
    error: ArchitError


def generate(spec: Spec, names: Sequence[str] = (), *, overwrite: bool = False) -> Iterator[Generated | Failed]:
    """Compile and write the models of these names (else all); one that fails does not stop the others."""
    for model in spec.select(names):
        try:
            yield _generate(model, spec.root, overwrite)
        except ArchitError as error:
            yield Failed(model.name, error)


def _generate(model: ModelSpec, root: Path, overwrite: bool) -> Generated:
    with project_imports(root):
        package = _compiled(model, root)
        written = package.write(model.output, overwrite=overwrite)
    return Generated(model.name, written, package.root_class, package.notes)


def _compiled(model: ModelSpec, root: Path) -> Package:
    declared = declared_class(model, root)
    options: dict[str, Any] = {"name": model.name, "suffix": model.suffix, "user_code": model.user_code}
    if model.config is None:
        live, heads = run_surgery(model, root), head_classes(model, root)
        return compile_model(live, declared, **options, heads=heads, templates=model.templates)
    if model.heads:
        raise InvalidDeclaration(f"{model.name}: a spec has heads for a surgery without `config` only.")
    build, config = config_surgery(model, root), read_config(model.config, root, declared)
    return compile_surgery(build, config, declared, **options)


def difference(spec: Spec, name: str) -> Difference:
    """What the surgery of one model changes."""
    (model,) = spec.select([name])
    with project_imports(spec.root):
        return diff(run_surgery(model, spec.root), declared_class(model, spec.root), suffix=model.suffix)
