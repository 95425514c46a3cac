"""Folders on disk: walked, written and synced, and exchanged in one step where the system can.

Where it cannot (anything but Linux), two renames do it: for an instant a reader may find the path missing.
"""

import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor

from .lock import BYTECODE

RENAME_EXCHANGE, AT_FDCWD = 2, -100
NO_EXCHANGE = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One at a time. The directory itself is locked, so that no lock file is left among the user's files."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        lock_descriptor(descriptor)
        yield
    finally:
        os.close(descriptor)


def read(file: Path) -> bytes | None:
    """The bytes of a regular file; ``None`` for anything else, links included."""
    return file.read_bytes() if file.is_file() and not file.is_symlink() else None


def entries(root: Path, prefix: str = "") -> Iterator[tuple[str, bool]]:
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
            yield from entries(root, f"{prefix}{name}/")


def link_or_copy(old: Path, new: Path) -> None:
    """Give a file, or a link as such, a second place."""
    # A second name costs nothing for a checkpoint of many gigabytes, and sees what is written to it meanwhile.
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError:
        shutil.copy2(old, new, follow_symlinks=False)
        if not new.is_symlink():
            sync(new)


def write_synced(file: Path, data: bytes) -> None:
    """A new file whose bytes have reached the disk."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(root: Path) -> None:
    """Have the names in all directories below reach the disk; the files have already."""
    for path in [root / path for path, is_directory in entries(root) if is_directory]:
        sync(path)
    sync(root)


def sync(path: Path) -> None:
    """Have the names in a directory, or the bytes of a file, reach the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def exchange(first: Path, second: Path) -> bool:
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


def remove(directory: Path) -> None:
    """Remove a directory that is ours, if it is there."""
    if os.path.lexists(directory):
        shutil.rmtree(directory)
