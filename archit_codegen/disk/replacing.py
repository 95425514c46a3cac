"""The one commit point: a package is built beside the old one, and takes its place in one step.

What the user saved into the old package while the new one was being built lies in the swap folder after the exchange,
and only there. So it is looked through, after each exchange and after a crash alike, before it is thrown away.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from ..errors import LockUnreadable
from . import tree
from .lock import LOCK_NAME, FileHash, read_lock
from .places import sibling

BACKUP = ".orig"


def replace(package: Path, files: Mapping[str, bytes], drop: set[str], backups: Mapping[str, bytes]) -> None:
    """Give ``package`` these ``files``; what else lies in it is carried over, except what is in ``drop``."""
    fresh = sibling(package, "new")
    try:
        fresh.mkdir()
        if package.is_dir():
            shutil.copymode(package, fresh)
            _carry_over(package, fresh, drop | files.keys())
            _drop_empty(fresh, drop)
        for path, data in files.items():
            tree.write_synced(fresh / path, data)
        for path, data in backups.items():
            back_up(fresh, path, data)
        tree.sync_tree(fresh)
        _put(fresh, package)
    except BaseException:
        tree.remove(fresh)
        raise
    settle(package)


def discard(package: Path) -> None:
    """Take away a package in which nothing but archit's files is left."""
    rubbish = sibling(package, "new")
    os.rename(package, rubbish)
    tree.sync(package.parent)
    tree.remove(rubbish)


def recover(package: Path) -> None:
    """Clear up after a writer that was killed. Under the directory's lock nobody else is at work here."""
    old = sibling(package, "old")
    if old.is_dir() and not os.path.lexists(package):
        os.rename(old, package)
    settle(package)
    tree.remove(sibling(package, "new"))


def settle(package: Path) -> None:
    """Bring home what the user saved into an old package while it was exchanged, and throw the rest of it away."""
    for role in ("swap", "old"):
        past, rubbish = sibling(package, role), sibling(package, "new")
        if os.path.lexists(past):
            if package.is_dir():
                _bring_home(past, package)
            tree.remove(rubbish)
            os.rename(past, rubbish)  # from here on, a crash leaves nothing that anyone would look through
            tree.remove(rubbish)


def back_up(package: Path, path: str, data: bytes) -> None:
    """Keep ``data`` beside the file that takes its place, under the first name that is free or holds it already."""
    number = 1
    while True:
        place = package / f"{path}{BACKUP}{number if number > 1 else ''}"
        if tree.read(place) == data:
            break
        if not os.path.lexists(place):
            tree.write_synced(place, data)
            break
        number += 1


def _carry_over(old: Path, new: Path, leave: set[str]) -> None:
    for path, is_directory in tree.entries(old):
        if path in leave or os.path.lexists(new / path):
            continue
        if is_directory:
            (new / path).mkdir()
            shutil.copymode(old / path, new / path)
        else:
            tree.link_or_copy(old / path, new / path)


def _drop_empty(fresh: Path, drop: set[str]) -> None:
    """Remove the directories that held nothing but what was dropped."""
    for path in sorted(drop, reverse=True):
        for parent in list(Path(path).parents)[:-1]:
            if (fresh / parent).is_dir() and not any((fresh / parent).iterdir()):
                (fresh / parent).rmdir()


def _put(fresh: Path, package: Path) -> None:
    if not package.is_dir():
        os.rename(fresh, package)
        tree.sync(package.parent)
        return
    swap = sibling(package, "swap")
    os.rename(fresh, swap)
    try:
        if not tree.exchange(swap, package):
            _rename_twice(swap, package)
    except OSError:
        os.rename(swap, fresh)
        raise
    tree.sync(package.parent)


def _rename_twice(fresh: Path, package: Path) -> None:
    old = sibling(package, "old")
    os.rename(package, old)
    try:
        os.rename(fresh, package)
    except OSError:
        os.rename(old, package)
        raise


def _bring_home(past: Path, package: Path) -> None:
    try:
        lock = read_lock(past)
    except LockUnreadable:
        lock = None
    ours = lock.files if lock else {}
    for path, is_directory in tree.entries(past):
        # One file under two names is there already, and may be too large to be read.
        if not is_directory and path != LOCK_NAME and not _is_same(past / path, package / path):
            _bring(past, package, path, ours.get(path))
    tree.sync_tree(package)


def _bring(past: Path, package: Path, path: str, ours: FileHash | None) -> None:
    data, there = tree.read(past / path), package / path
    if ours is not None and data is not None and ours.is_of(data):
        return  # as archit wrote it: replaced, or wanted no more
    if not os.path.lexists(there):
        there.parent.mkdir(parents=True, exist_ok=True)
        tree.link_or_copy(past / path, there)
    elif data is not None and data != tree.read(there):
        back_up(package, path, data)


def _is_same(first: Path, second: Path) -> bool:
    return os.path.lexists(second) and os.path.samestat(first.lstat(), second.lstat())
