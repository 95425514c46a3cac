"""From the spec to packages on disk, model by model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..declaration.compiler import compile_model, diff
from ..declaration.difference import Difference
from ..errors import ArchitError
from .imports import project_imports
from .spec import ModelSpec, Spec
from .surgery import declared_class, run_surgery


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
        live, declared = run_surgery(model, root), declared_class(model, root)
        package = compile_model(live, declared, name=model.name, suffix=model.suffix, user_code=model.user_code)
        written = package.write(model.output, overwrite=overwrite)
    return Generated(model.name, written, package.root_class, package.notes)


def difference(spec: Spec, name: str) -> Difference:
    """What the surgery of one model changes."""
    (model,) = spec.select([name])
    with project_imports(spec.root):
        return diff(run_surgery(model, spec.root), declared_class(model, spec.root), suffix=model.suffix)
