"""`archit.lock`: what a package was made from, and which of its files are archit's. It lies in the package itself.

No date and no path of a machine stands in it: two people who generate the same package write the same lock.
"""

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import LockUnreadable
from .meaning import meaning

LOCK_NAME = "archit.lock"
LOCK_FORMAT = 2
BYTECODE = "__pycache__"
BINARY_WITHIN = 8000
NOT_THROUGH_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""What could end a line or command a terminal, in a message that names a path."""
CONFLICT = (b"<<<<<<< ", b">>>>>>> ")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a package was made from. Without a spec, ``spec``, ``entry`` and ``sources`` are empty.

    ``spec`` is the spec file as seen from the package; ``entry`` a hash of what the spec says of the model;
    ``sources`` are hashes of the surgery, of what it imported from the project, and of its inputs, by path from the
    spec's folder.
    """

    declared: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    spec: str = ""
    entry: str = ""
    templates: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileHash:
    """An emitted file: the hash of its text, and for Python the one of what it says in any format."""

    text: str
    meaning: str = ""

    def is_of(self, data: bytes) -> bool:
        """Whether this is the file as it was emitted, or as a formatter left it."""
        return digest(data) == self.text or (bool(self.meaning) and meaning(data) == self.meaning)


@dataclass(frozen=True, slots=True)
class Lock:
    """``files`` are archit's; ``adopted`` were, and are the user's now (with the hash of what archit would write)."""

    origin: Origin
    files: Mapping[str, FileHash]
    adopted: Mapping[str, str]

    def dump(self) -> bytes:
        """The bytes of the lock file."""
        files = {path: _drop_empty(asdict(known)) for path, known in sorted(self.files.items())}
        table = {"format": LOCK_FORMAT, "made_from": _sorted(asdict(self.origin)), "files": files}
        table |= {"adopted": dict(sorted(self.adopted.items()))} if self.adopted else {}
        return (json.dumps(table, indent=2, ensure_ascii=False) + "\n").encode()

    def agrees(self, other: "Lock") -> bool:
        """Whether both say the same, but for the versions (and the templates that came with one of them)."""
        ours, theirs = self.origin, other.origin
        if dict(ours.versions) == dict(theirs.versions) and ours.templates != theirs.templates:
            return False
        return self._but_for_versions() == other._but_for_versions()

    def _but_for_versions(self) -> tuple[object, ...]:
        origin = self.origin
        made_from = (origin.declared, origin.spec, origin.entry, dict(origin.sources))
        return made_from, dict(self.files), dict(self.adopted)


def file_hash(path: str, data: bytes) -> FileHash:
    """What a lock keeps of an emitted file."""
    return FileHash(digest(data), (meaning(data) or "") if path.endswith(".py") else "")


def digest(data: bytes) -> str:
    """The hash of a file, whatever line ends git checked it out with: a text's are taken for "\\n"."""
    if b"\r\n" in data and b"\0" not in data[:BINARY_WITHIN]:
        data = data.replace(b"\r\n", b"\n")
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def read_regular(file: str | Path) -> bytes | None:
    """The bytes of a regular file; ``None`` for anything else, a link included.

    Raises:
        FileNotFoundError: there is nothing of this name.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | NOT_THROUGH_LINKS)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise FileNotFoundError(*error.args) from None
        return None
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read() if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


def is_plain(part: str) -> bool:
    """Whether a part of an emitted file's path names something in its folder, on any system, and nothing else."""
    return part not in {"", ".", "..", BYTECODE} and not CONTROL.search(part) and not {*part} & {*"/\\:"}


def _is_inside(path: str) -> bool:
    """Whether the path of a source, which may have any name the user gave it, stays in the project."""
    return not CONTROL.search(path) and not {"", ".", ".."} & {*path.split("/")}


def has_conflict(data: bytes) -> bool:
    """Whether a merge left its marks."""
    return all(any(line.startswith(mark) for line in data.splitlines()) for mark in CONFLICT)


def read_lock(package: Path) -> Lock | None:
    """The lock of a package, ``None`` where there is none.

    Raises:
        LockUnreadable: it is there and cannot be read, or names files outside the package.
    """
    file = package / LOCK_NAME
    try:
        data = read_regular(file)
    except FileNotFoundError:
        return None
    if data is None:
        raise LockUnreadable(file, "it is a link, or no file")
    if has_conflict(data):
        raise LockUnreadable(file, "it has conflict marks")
    try:
        return _parse(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise LockUnreadable(file, "it is no lock of this version of archit") from error


def _parse(table: dict[str, Any]) -> Lock:
    if table["format"] != LOCK_FORMAT:
        raise ValueError(table["format"])
    files = {path: FileHash(**known) for path, known in table["files"].items()}
    lock = Lock(Origin(**table["made_from"]), files, dict(table.get("adopted", {})))
    texts = [*lock.origin.sources.values(), *lock.adopted.values(), *lock.origin.versions.values()]
    texts += [text for known in files.values() for text in (known.text, known.meaning)]
    texts += [lock.origin.declared, lock.origin.spec, lock.origin.entry, lock.origin.templates]
    paths = [*files, *lock.adopted]
    if not all(isinstance(text, str) for text in texts) or LOCK_NAME in {*files, *lock.adopted}:
        raise ValueError(texts)
    if not all(is_plain(part) for path in paths for part in path.split("/")):
        raise ValueError(paths)
    if not all(map(_is_inside, lock.origin.sources)):
        raise ValueError(lock.origin.sources)
    return lock


def _sorted(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: dict(sorted(value.items())) if isinstance(value, dict) else value for key, value in table.items()}


def _drop_empty(table: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in table.items() if value}
