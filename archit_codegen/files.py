"""Replaces a package on disk as a whole, and nothing but what it owns in it.

Ownership is per file: ``archit.lock``, inside the package, names the files that are archit's, with their hashes. What
it does not name is the user's and is carried over; what differs from its hash was edited by hand and is not lost.
A new package is built beside the old one, synced, and exchanged with it in one step. Where the system has no such
step (anything but Linux), two renames do it: for an instant a reader may find the path missing.
"""

import ctypes
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor

from .errors import InvalidName, WriteFailed, WriteRefused

LOCK_NAME = "archit.lock"
LOCK_FORMAT = 1
BYTECODE = "__pycache__"
RENAME_EXCHANGE, AT_FDCWD = 2, -100
NO_EXCHANGE = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
OVERWRITE = "Move your changes to files of your own, or replace these with overwrite=True (--overwrite)."
MOVE_AWAY = "Move it out of the way; archit writes only inside the package's own directory."


def write_package(
    directory: Path, name: str, files: Mapping[str, str], facts: Mapping[str, str], *, overwrite: bool = False
) -> Path:
    """Write ``files`` ("name/module.py" -> text) and their lock as ``directory/name``; all of it or nothing."""
    wanted = _encode(name, files, facts)
    package = directory / name
    try:
        if _is_fresh(package, wanted):
            return package
        directory.mkdir(parents=True, exist_ok=True)
        with _locked(directory):
            _recover(package)
            _refuse_obstacles(package, wanted)
            owned = read_lock(package)
            if not overwrite:
                _refuse_losses(package, owned, wanted)
            _replace(package, wanted, ours=wanted.keys() | _obsolete(package, owned or {}, wanted))
    except OSError as error:
        raise WriteFailed(package, error.strerror or str(error)) from error
    return package


def read_lock(package: Path) -> dict[str, str] | None:
    """The hash of each file in the package that is archit's; ``None`` if its lock is there but cannot be read."""
    try:
        lock = json.loads((package / LOCK_NAME).read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        return None
    files = lock.get("files") if isinstance(lock, dict) and lock.get("format") == LOCK_FORMAT else None
    if not isinstance(files, dict) or not all(isinstance(digest, str) for digest in files.values()):
        return None
    return files if all(_is_plain(part) for path in files for part in path.split("/")) else None


def _encode(name: str, files: Mapping[str, str], facts: Mapping[str, str]) -> dict[str, bytes]:
    """What has to stand in the package, the lock included, by path inside it."""
    _check_part(name, name)
    texts = {_inside(name, path): _bytes_of(path, text) for path, text in sorted(files.items())}
    lock = {
        "format": LOCK_FORMAT,
        "made_from": dict(sorted(facts.items())),
        "files": {path: _digest(data) for path, data in texts.items()},
    }
    return texts | {LOCK_NAME: (json.dumps(lock, indent=2, ensure_ascii=False) + "\n").encode()}


def _inside(name: str, path: str) -> str:
    first, *rest = path.split("/")
    if first != name or not rest:
        raise InvalidName("the file name", path, f"every file of the package lies below {name}/")
    for part in rest:
        _check_part(part, path)
    if rest == [LOCK_NAME]:
        raise InvalidName("the file name", path, "archit writes its lock there itself")
    return "/".join(rest)


def _is_plain(part: str) -> bool:
    return part not in {"", ".", "..", BYTECODE} and not any(mark in part for mark in "/\\:\0\r\n")


def _check_part(part: str, path: str) -> None:
    if not _is_plain(part):
        raise InvalidName("the file name", path, "each part of it has to be a plain name inside the package")


def _bytes_of(path: str, text: str) -> bytes:
    if "\r" in text:
        raise ValueError(f"{path}: emitted text has a carriage return")
    return text.encode("utf-8")


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _is_fresh(package: Path, wanted: Mapping[str, bytes]) -> bool:
    # The lock is among the files: where it is equal, nothing is obsolete either.
    return not package.is_symlink() and all(_read(package / path) == data for path, data in wanted.items())


def _read(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() and not file.is_symlink() else None


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


def _refuse_losses(package: Path, owned: Mapping[str, str] | None, wanted: Mapping[str, bytes]) -> None:
    if owned is None:
        raise WriteRefused(package, {LOCK_NAME: "cannot be read"}, OVERWRITE)
    known = dict.fromkeys(wanted, "") | dict(owned)
    losses = {
        path: why
        for path in sorted(known.keys() - {LOCK_NAME})
        if os.path.lexists(package / path) and (why := _loss(package / path, owned.get(path), wanted.get(path)))
    }
    if losses:
        raise WriteRefused(package, losses, OVERWRITE)


def _loss(file: Path, owned: str | None, wanted: bytes | None) -> str:
    if owned is None:
        return "not written by archit"
    data = _read(file)
    if data is not None and (_digest(data) == owned or data == wanted):
        return ""
    return "edited by hand" if wanted is not None else "edited by hand and no longer generated"


def _obsolete(package: Path, owned: Mapping[str, str], wanted: Mapping[str, bytes]) -> set[str]:
    candidates = {path: _read(package / path) for path in owned.keys() - wanted.keys()}
    return {path for path, data in candidates.items() if data is not None and _digest(data) == owned[path]}


def _replace(package: Path, wanted: Mapping[str, bytes], ours: set[str]) -> None:
    fresh = _sibling(package, "new")
    try:
        fresh.mkdir()
        if package.is_dir():
            shutil.copymode(package, fresh)
            _carry_over(package, fresh, ours)
        for path, data in wanted.items():
            _write_synced(fresh / path, data)
        _sync_tree(fresh)
        replaced = _put(fresh, package)
        _sync(package.parent)
        if replaced:
            # What the user created while the new package was being built.
            _carry_over(fresh, package, ours)
    finally:
        _remove(fresh)


def _carry_over(old: Path, new: Path, ours: set[str]) -> None:
    for path, is_directory in _entries(old):
        if path in ours or os.path.lexists(new / path):
            continue
        if is_directory:
            (new / path).mkdir()
            shutil.copymode(old / path, new / path)
        else:
            _link_or_copy(old / path, new / path)


def _link_or_copy(old: Path, new: Path) -> None:
    # A second name costs nothing for a checkpoint of many gigabytes, and sees what is written to it meanwhile.
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError:
        shutil.copy2(old, new, follow_symlinks=False)


def _entries(root: Path, prefix: str = "") -> Iterator[tuple[str, bool]]:
    """(path, is a directory) of all that lies below, parents first; links are not followed.

    Bytecode is left out: Python trusts it by size and second, and a regenerated file may share both.
    """
    with os.scandir(root / prefix) as scan:
        found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in scan)
    for name, is_directory in found:
        if is_directory and name == BYTECODE:
            continue
        yield prefix + name, is_directory
        if is_directory:
            yield from _entries(root, f"{prefix}{name}/")


def _write_synced(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_tree(root: Path) -> None:
    for path in [root / path for path, is_directory in _entries(root) if is_directory]:
        _sync(path)
    _sync(root)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put(fresh: Path, package: Path) -> bool:
    """Give ``package`` the new content; true if ``fresh`` now holds the old one."""
    if not package.is_dir():
        os.rename(fresh, package)
        return False
    if not _exchange(fresh, package):
        _rename_twice(fresh, package)
    return True


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two paths in one step; false where system or file system cannot."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    if renameat2(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in NO_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(second))


def _rename_twice(fresh: Path, package: Path) -> None:
    old = _sibling(package, "old")
    os.rename(package, old)
    try:
        os.rename(fresh, package)
    except OSError:
        os.rename(old, package)
        raise
    os.rename(old, fresh)


def _recover(package: Path) -> None:
    """Clear up after a writer that was killed. Under the directory's lock nobody else is at work here."""
    old = _sibling(package, "old")
    if old.is_dir() and not os.path.lexists(package):
        os.rename(old, package)
    _remove(old)
    _remove(_sibling(package, "new"))


def _sibling(package: Path, role: str) -> Path:
    return package.with_name(f".{package.name}.archit-{role}")


def _remove(directory: Path) -> None:
    if os.path.lexists(directory):
        shutil.rmtree(directory)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One writer at a time. The directory itself is locked, so that no lock file is left among the user's files."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        lock_descriptor(descriptor)
        yield
    finally:
        os.close(descriptor)
