"""Replaces a package on disk as a whole, and nothing but what it owns in it.

Ownership is per file: ``archit.lock``, inside the package, names the files that are archit's, with their hashes. What
it does not name is the user's and is carried over; what differs from its hash was edited by hand and is not lost.
A new package is built beside the old one, synced, and exchanged with it in one step.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidName, LockUnreadable, WriteFailed, WriteRefused
from . import tree
from .lock import LOCK_NAME, FileHash, Lock, Origin, digest, file_hash, is_plain, read_lock
from .replacing import discard, recover, replace

OVERWRITE = (
    "Move your changes to files of your own, keep the file as yours (`archit adopt`), "
    "or replace it with overwrite=True (--overwrite), which keeps a backup."
)
MOVE_AWAY = "Move it out of the way; archit writes only inside the package's own directory."


@dataclass(frozen=True, slots=True)
class Written:
    """What writing a package came to. ``notes`` are for the user: files that stay as they are, and why."""

    package: Path
    changed: bool
    notes: tuple[str, ...] = ()


def write_package(
    directory: Path, name: str, files: Mapping[str, str], origin: Origin, *, overwrite: bool = False
) -> Written:
    """Write ``files`` ("name/module.py" -> text) and their lock as ``directory/name``; all of it or nothing.

    A package that says the same already is left alone, and so is its lock where only versions differ.

    Raises:
        WriteRefused: something there is not archit's, or was edited by hand, and ``overwrite`` is not set.
        WriteFailed: the disk refused.
        InvalidName: a path that leads out of the package.
    """
    wanted, package = _encode(name, files), directory / name
    with at_work(directory, package):
        _refuse_obstacles(package, wanted)
        old = _known(package, overwrite)
        mine, notes = _adopted(package, old, wanted)
        wanted = {path: data for path, data in wanted.items() if path not in mine}
        losses = _losses(package, old, wanted)
        if losses and not overwrite:
            raise WriteRefused(package, losses, OVERWRITE)
        lock = Lock(origin, {path: file_hash(path, data) for path, data in wanted.items()}, mine)
        changed = {path: data for path, data in wanted.items() if not _stands(package / path, lock.files[path])}
        drop = _obsolete(package, old.files, wanted)
        if not changed and not drop and _says_the_same(package, lock):
            return Written(package, False, notes)
        lost = {path: tree.read(package / path) for path in losses if path in changed}
        backups = {path: data for path, data in lost.items() if data is not None}
        replace(package, changed | {LOCK_NAME: lock.dump()}, drop, backups)
    return Written(package, True, (*notes, *(f"the old {path} was kept beside it" for path in sorted(backups))))


def remove_package(package: Path, *, overwrite: bool = False) -> bool:
    """Remove what archit wrote there; false if files of the user's are left.

    Raises:
        WriteRefused: an emitted file was edited by hand; with ``overwrite`` it stays, as the user's.
    """
    with at_work(package.parent, package):
        if not package.is_dir():  # another process did it meanwhile
            return True
        old = _known(package, overwrite)
        losses = _losses(package, old, {})
        if losses and not overwrite:
            raise WriteRefused(package, losses, OVERWRITE)
        drop = _obsolete(package, old.files, {}) | {LOCK_NAME}
        if all(is_directory or path in drop for path, is_directory in tree.entries(package)):
            discard(package)
            return True
        replace(package, {}, drop, {})
        return False


def adopt_files(package: Path, paths: Iterable[str]) -> tuple[str, ...]:
    """Hand emitted files over to the user, and say so in the lock; without ``paths``, all that were edited.

    Raises:
        InvalidName: a path that is no file of archit's there.
        LockUnreadable: the package has no lock, or one that cannot be read.
    """
    with at_work(package.parent, package):
        lock = read_lock(package)
        if lock is None:
            raise LockUnreadable(package / LOCK_NAME, "it is not there")
        chosen = tuple(paths) or tuple(path for path, known in lock.files.items() if _is_edited(package / path, known))
        for path in chosen:
            if path not in lock.files:
                raise InvalidName(
                    "the file", path, f"it is none of archit's in {package.name}: {', '.join(lock.files)}"
                )
        if chosen:
            adopted = {**lock.adopted, **{path: lock.files[path].text for path in chosen}}
            files = {path: known for path, known in lock.files.items() if path not in chosen}
            replace(package, {LOCK_NAME: Lock(lock.origin, files, adopted).dump()}, set(), {})
        return chosen


@contextmanager
def at_work(directory: Path, package: Path) -> Iterator[None]:
    """Alone in ``directory``, after what a killed writer left there has been cleared up."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tree.locked(directory):
            recover(package)
            yield
    except OSError as error:
        raise WriteFailed(package, error.strerror or str(error)) from error


def _encode(name: str, files: Mapping[str, str]) -> dict[str, bytes]:
    """What has to stand in the package, by path inside it."""
    _check_part(name, name)
    return {_inside(name, path): _bytes_of(path, text) for path, text in sorted(files.items())}


def _inside(name: str, path: str) -> str:
    first, *rest = path.split("/")
    if first != name or not rest:
        raise InvalidName("the file name", path, f"every file of the package lies below {name}/")
    for part in rest:
        _check_part(part, path)
    if rest == [LOCK_NAME]:
        raise InvalidName("the file name", path, "archit writes its lock there itself")
    return "/".join(rest)


def _check_part(part: str, path: str) -> None:
    if not is_plain(part):
        raise InvalidName("the file name", path, "each part of it has to be a plain name inside the package")


def _bytes_of(path: str, text: str) -> bytes:
    if "\r" in text:
        raise ValueError(f"{path}: emitted text has a carriage return")
    return text.encode("utf-8")


def _refuse_obstacles(package: Path, wanted: Iterable[str]) -> None:
    """What even ``overwrite`` must not go through: links that lead elsewhere, files in a directory's place."""
    if package.is_symlink() or (package.exists() and not package.is_dir()):
        raise WriteRefused(package, {package.name: "not a directory"}, MOVE_AWAY)
    parents = {str(parent) for path in wanted for parent in Path(path).parents if parent != Path()}
    found = {path: "not a directory" for path in sorted(parents) if _is_no_directory(package / path)}
    found |= {path: "a directory" for path in sorted(wanted) if (package / path).is_dir()}
    if found:
        raise WriteRefused(package, found, MOVE_AWAY)


def _is_no_directory(path: Path) -> bool:
    return os.path.lexists(path) and (path.is_symlink() or not path.is_dir())


def _known(package: Path, overwrite: bool) -> Lock:
    """The lock that stands there; an empty one where there is none, or where it is to be overwritten."""
    nothing = Lock(Origin(), {}, {})
    try:
        return read_lock(package) or nothing
    except LockUnreadable as error:
        if not overwrite:
            raise WriteRefused(package, {LOCK_NAME: error.reason}, OVERWRITE) from error
        return nothing


def _adopted(package: Path, old: Lock, wanted: Mapping[str, bytes]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The files that are the user's for good, with what archit would write now; a deleted one is archit's again."""
    kept = {path: was for path, was in old.adopted.items() if os.path.lexists(package / path)}
    now = {path: digest(wanted[path]) if path in wanted else was for path, was in kept.items()}
    notes = [f"{path} is yours (adopted)" for path in sorted(kept)]
    return now, tuple(
        f"{note}; what archit would write there has changed" if now[path] != kept[path] else note
        for path, note in zip(sorted(kept), notes, strict=True)
    )


def _losses(package: Path, old: Lock, wanted: Mapping[str, bytes]) -> dict[str, str]:
    known = sorted(wanted.keys() | old.files.keys())
    found = {path: _loss(package / path, old.files.get(path), wanted.get(path)) for path in known}
    return {path: why for path, why in found.items() if why}


def _loss(file: Path, owned: FileHash | None, wanted: bytes | None) -> str:
    if not os.path.lexists(file):
        return ""
    data = tree.read(file)
    if data is not None and wanted is not None and _same(data, wanted):
        return ""
    if owned is None:
        return "not written by archit"
    if data is not None and owned.is_of(data):
        return ""
    return "edited by hand" if wanted is not None else "edited by hand and no longer generated"


def _same(data: bytes, wanted: bytes) -> bool:
    return digest(data) == digest(wanted)


def _is_edited(file: Path, known: FileHash) -> bool:
    data = tree.read(file)
    return data is not None and not known.is_of(data)


def _stands(file: Path, wanted: FileHash) -> bool:
    """Whether the file says this already; the form that a formatter gave it is left alone."""
    data = tree.read(file)
    return data is not None and wanted.is_of(data)


def _obsolete(package: Path, owned: Mapping[str, FileHash], wanted: Mapping[str, bytes]) -> set[str]:
    candidates = {path: tree.read(package / path) for path in owned.keys() - wanted.keys()}
    return {path for path, data in candidates.items() if data is not None and owned[path].is_of(data)}


def _says_the_same(package: Path, lock: Lock) -> bool:
    try:
        there = read_lock(package)
    except LockUnreadable:
        return False
    return there is not None and there.agrees(lock)
