"""The folders beside a package `lab` that are ours, each of which says by its name what to do with it after a crash.

.lab.archit-new     being built, or being deleted: rubbish
.lab.archit-swap    complete: the new package before the exchange, the old one after it
.lab.archit-old     the old package, between the two renames of a system without exchange
"""

import os
from collections.abc import Iterable
from pathlib import Path

ROLES = ("new", "swap", "old")


def sibling(package: Path, role: str) -> Path:
    """The folder of this role."""
    return package.with_name(f".{package.name}.archit-{role}")


def interrupted(packages: Iterable[Path]) -> list[Path]:
    """The packages beside which a writer that was killed, or one that is at work, has something."""
    packages = list(packages)
    found = {folder: _names(folder) for folder in {package.parent for package in packages}}
    return [p for p in packages if found[p.parent] and any(sibling(p, r).name in found[p.parent] for r in ROLES)]


def _names(folder: Path) -> set[str]:
    """The hidden names in a folder."""
    return {entry.name for entry in os.scandir(folder) if entry.name.startswith(".")} if folder.is_dir() else set()
