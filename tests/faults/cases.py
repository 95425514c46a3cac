"""What is done to a package while the writer is killed or refused the disk, and the states that may be found then."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from archit_codegen.disk.lock import LOCK_NAME, Origin, read_lock
from archit_codegen.disk.writer import adopt_files, remove_package, write_package

ORIGIN = Origin("torch.nn:Linear", {"torch": "2.13.0"})
TEXTS = {
    "old": {
        "lab/__init__.py": "from .modeling_lab import *\n",
        "lab/modeling_lab.py": "x = 1\n" * 300,
        "lab/gone.py": "",
    },
    "new": {
        "lab/__init__.py": "from .modeling_lab import X\n",
        "lab/modeling_lab.py": "y = 2\n" * 300,
        "lab/n/m.py": "",
    },
}
MINE = {"notes/mine.md": "mine\n", "weights.bin": "\0" * 5000}
EDIT = "edited = True\n"


def write(folder: Path, which: str, **options: Any) -> None:
    write_package(folder, "lab", TEXTS[which], ORIGIN, **options)


def start(folder: Path) -> None:
    """A folder with the old package, and files of the user's in it."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    write(folder, "old")
    for path, text in MINE.items():
        (folder / "lab" / path).parent.mkdir(exist_ok=True)
        (folder / "lab" / path).write_text(text)


def contents(folder: Path, name: str = "lab") -> dict[str, str]:
    package = folder / name
    paths = [path for path in sorted(package.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in paths if path.name != LOCK_NAME}


def edited(folder: Path) -> None:
    start(folder)
    (folder / "lab" / "modeling_lab.py").write_text(EDIT)


def empty(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()


def emitted_only(folder: Path) -> None:
    empty(folder)
    write(folder, "old")


def mine(files: dict[str, str]) -> dict[str, str]:
    return files | {f"lab/{path}": text for path, text in MINE.items()}


KEPT = {"lab/modeling_lab.py.orig": EDIT}
CASES: dict[str, tuple[Callable[[Path], None], Callable[[Path], object], list[dict[str, str]]]] = {
    "first": (empty, lambda folder: write(folder, "new"), [{}, TEXTS["new"]]),
    "again": (start, lambda folder: write(folder, "new"), [mine(TEXTS["old"]), mine(TEXTS["new"])]),
    "overwrite": (
        edited,
        lambda folder: write(folder, "new", overwrite=True),
        [mine({**TEXTS["old"], "lab/modeling_lab.py": EDIT}), mine({**TEXTS["new"], **KEPT})],
    ),
    "adopt": (
        edited,
        lambda folder: adopt_files(folder / "lab", []),
        [mine({**TEXTS["old"], "lab/modeling_lab.py": EDIT})],
    ),
    "remove": (emitted_only, lambda folder: remove_package(folder / "lab"), [TEXTS["old"], {}]),
    "remove-some": (start, lambda folder: remove_package(folder / "lab"), [mine(TEXTS["old"]), mine({})]),
}
"""How the folder looks before, what is done to it, and the only states in which it may be found after."""


def judge(folder: Path, states: list[dict[str, str]], name: str) -> str:
    """Empty, or what is wrong with what is found."""
    found = contents(folder)
    if found not in states:
        return f"{name}: {sorted(found)} is no state that may be"
    if found and found not in (mine({}), {}):
        lock = read_lock(folder / "lab")
        if lock is None:
            return f"{name}: there is no lock"
        wrong = [
            path
            for path, known in lock.files.items()
            if not known.is_of(found.get(f"lab/{path}", "-").encode()) and found.get(f"lab/{path}") != EDIT
        ]
        return f"{name}: not as the lock says: {wrong}" if wrong else ""
    return ""


def judge_recovered(folder: Path, states: list[dict[str, str]], name: str) -> str:
    """As `judge`, after another writer was there: nothing of ours may lie beside the package."""
    last = states[-1]
    do = CASES[name][1]
    if (folder / "lab").is_dir() or name == "first":
        try:
            do(folder)
        except Exception as error:
            if name not in ("remove", "remove-some"):  # done already: there is no lock any more
                return f"{name}: again: {error!r}"
    beside = sorted(path.name for path in folder.iterdir() if path.name != "lab")
    if beside and (folder / "lab").exists():
        return f"{name}: {beside} is left"
    return "" if contents(folder) == last else f"{name}: {sorted(contents(folder))} in the end"
