"""The result of a compilation: files in memory, to be written or imported."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from ..disk.lock import Origin
from ..disk.writer import write_package
from ..installed import versions
from ..templating import templates_digest
from .loading import load_package


@dataclass(frozen=True)
class Package:
    """An emitted package. ``files`` maps paths such as ``"roberta_hel/modeling_roberta_hel.py"`` to their text;
    ``notes`` say what validation could not compare, and what deserves a second look; ``heads`` names the class of each
    task, ``declared`` the class it was made from ("module:Class")."""

    name: str
    files: Mapping[str, str]
    root_class: str
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    declared: str = ""
    heads: Mapping[str, str] = field(default_factory=dict)

    def write(self, directory: str | Path, *, overwrite: bool = False) -> Path:
        """Write the package into ``directory`` as a whole, or not at all; returns the package's own path.

        Raises:
            WriteRefused: a file there is not the package's own or was edited by hand, and ``overwrite`` is not set;
                with it, a backup of what was there is kept.
        """
        origin = Origin(self.declared, versions(), templates=templates_digest())
        return write_package(Path(directory), self.name, self.files, origin, overwrite=overwrite).package

    def load(self) -> ModuleType:
        """The package as an imported module, without a trace where the user works."""
        return load_package(self.name, self.files)
