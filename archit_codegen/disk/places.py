"""The folders beside a package `lab` that are ours, each of which says by its name what to do with it after a crash.

.lab.archit-new     being built, or being deleted: rubbish
.lab.archit-swap    complete: the new package before the exchange, the old one after it
.lab.archit-old     the old package, between the two renames of a system without exchange
"""

import os
from pathlib import Path

ROLES = ("new", "swap", "old")


def sibling(package: Path, role: str) -> Path:
    """The folder of this role."""
    return package.with_name(f".{package.name}.archit-{role}")


def was_interrupted(package: Path) -> bool:
    """Whether a writer that was killed, or one that is at work, has something beside the package."""
    return any(os.path.lexists(sibling(package, role)) for role in ROLES)
