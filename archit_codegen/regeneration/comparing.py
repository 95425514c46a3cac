"""Unified diffs between a package on disk and what is emitted for it."""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..disk.lock import Lock, file_hash, read_lock
from ..errors import LockUnreadable


def package_diff(package: Path, files: Mapping[str, str], shown: str) -> str:
    """What would change on disk, as unified diffs whose paths begin with ``shown``; empty if nothing would.

    Files that the user adopted are left out, and so are differences that a formatter made.
    """
    lock = _lock(package)
    adopted = lock.adopted if lock else {}
    wanted = {path.partition("/")[2]: text for path, text in files.items()}
    obsolete = {path: "" for path in (lock.files if lock else {}) if path not in wanted and (package / path).is_file()}
    every = sorted({**wanted, **obsolete}.items())
    return "".join(_diff(package / path, text, f"{shown}/{path}") for path, text in every if path not in adopted)


def _lock(package: Path) -> Lock | None:
    try:
        return read_lock(package)
    except LockUnreadable:
        return None


def _diff(file: Path, text: str, shown: str) -> str:
    data = file.read_bytes() if file.is_file() else b""
    if data and file_hash(file.name, text.encode()).is_of(data):
        return ""
    before = data.decode("utf-8", "replace").replace("\r\n", "\n").splitlines(keepends=True)
    after = text.splitlines(keepends=True)
    names = (f"a/{shown}" if data else "/dev/null", f"b/{shown}" if text else "/dev/null")
    return "".join(_whole_lines(difflib.unified_diff(before, after, *names)))


def _whole_lines(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
