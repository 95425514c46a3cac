"""What git knows of packages: which of their files it does not track, and which differ from the index."""

import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import GitError

TAGS = {"?": "is untracked", "C": "is not staged as it is now", "R": "is deleted, and the deletion is not staged"}
LISTING = ("ls-files", "-z", "-t", "--others", "--modified", "--deleted", "--exclude-standard")


def unstaged(packages: Sequence[Path], sources: Iterable[Path] = ()) -> dict[Path, list[str]]:
    """What of each package a commit made now would lack: ["modeling_x.py is untracked"]; nothing is written.

    Of the ``sources``, only those count that git does not track at all: a commit may well be made in the middle of
    a change. They are named under their own paths.
    """
    sources = sorted(set(sources))
    if not packages:
        return {}
    found: dict[Path, list[str]] = {}
    for tag, path in _listed([*packages, *sources]):
        package = next((package for package in packages if path.is_relative_to(package)), None)
        if package is not None:
            found.setdefault(package, []).append(f"{path.relative_to(package).as_posix()} {TAGS[tag]}")
        elif tag == "?":
            found.setdefault(path, []).append(f"{path.name} {TAGS[tag]}")
    return found


def _listed(paths: Sequence[Path]) -> set[tuple[str, Path]]:
    here = Path.cwd()
    command = ["git", "--literal-pathspecs", *LISTING, "--", *(os.path.relpath(path, here) for path in paths)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise GitError("it is not installed") from error
    if done.returncode:
        raise GitError(" ".join(os.fsdecode(done.stderr).split()).removesuffix("."))
    entries = [os.fsdecode(entry) for entry in done.stdout.split(b"\0") if entry]
    tagged = [(entry[0], Path(os.path.normpath(here / entry[2:]))) for entry in entries]
    deleted = {path for tag, path in tagged if tag == "R"}
    return {(tag, path) for tag, path in tagged if tag in TAGS and (tag != "C" or path not in deleted)}
