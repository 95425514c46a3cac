"""Compares an emitted package with a folder where it is expected, and brings the folder up to date.

A lock there may be that of `archit generate`: it is never compared, and only its hashes of the emitted files follow.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ..disk.lock import BYTECODE, LOCK_NAME, file_hash, read_lock

UPDATE = "If this is meant: pytest --update-golden"


def report(folder: Path, files: Mapping[str, str]) -> str:
    """What differs: missing and extra files by name, the others as unified diffs; empty if nothing does."""
    old = expected(folder)
    lines = [f"missing: {name}" for name in sorted(old.keys() - files.keys())]
    lines += [f"extra: {name}" for name in sorted(files.keys() - old.keys())]
    for name in sorted(old.keys() & files.keys()):
        if old[name] != files[name]:
            lines += _diff(f"{folder.name}/{name}", old[name], files[name])
    return "\n".join([*lines, "", UPDATE]) if lines else ""


def expected(folder: Path) -> dict[str, str]:
    """The texts in a folder, byte for byte: newlines are not translated."""
    return {path.relative_to(folder).as_posix(): path.read_bytes().decode() for path in _files(folder)}


def update(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Write what is emitted now; the names of the files that changed, came or went."""
    old = expected(folder)
    changed = sorted(name for name in old | dict(files) if old.get(name) != files.get(name))
    for name in changed:
        if name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(files[name].encode())
        else:
            (folder / name).unlink()
    for package in {folder / name.partition("/")[0] for name in changed}:
        _update_lock(package)
    return changed


def _update_lock(package: Path) -> None:
    lock = read_lock(package) if package.is_dir() else None
    if lock is not None:
        names = [path.relative_to(package).as_posix() for path in _files(package)]
        hashes = {name: file_hash(name, (package / name).read_bytes()) for name in names if name not in lock.adopted}
        (package / LOCK_NAME).write_bytes(replace(lock, files=hashes).dump())


def _files(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != LOCK_NAME)
    return sorted(path for path in found if BYTECODE not in path.relative_to(folder).parts)


def _diff(name: str, old: str, new: str) -> Iterator[str]:
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), name, "emitted now", lineterm=""))
    yield from lines or [f"{name}: only line ends differ"]
