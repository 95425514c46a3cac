"""Sees which files of the project a surgery reads without its being known what they are: data, configs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .imports import NOT_THE_PROJECT

CODE = {".py", ".pyc", ".so", ".pyd"}


class _Watch:
    """An audit hook can never be taken back, so there is one, which looks away most of the time."""

    def __init__(self) -> None:
        self.root: Path | None = None
        self.seen: set[str] = set()
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.root is None or event != "open":
            return
        name, mode, _ = arguments
        if isinstance(name, str) and (mode is None or not set(mode) & set("wax+")):
            self._look(Path(name))

    def _look(self, file: Path) -> None:
        assert self.root is not None
        file = Path.cwd() / file
        if not file.is_relative_to(self.root) or file.suffix in CODE:
            return
        parts = file.relative_to(self.root).parts
        hidden = any(part.startswith((".", "__")) for part in parts)
        if not hidden and NOT_THE_PROJECT.isdisjoint(parts) and file.is_file():
            self.seen.add("/".join(parts))


_watch: list[_Watch] = []


@contextmanager
def watched(root: Path) -> Iterator[set[str]]:
    """Inside, the files below ``root`` that are opened for reading are collected; code is left out, and so is what is
    hidden or installed there."""
    if not _watch:
        _watch.append(_Watch())
    watch = _watch[0]
    watch.root, watch.seen = root, set()
    try:
        yield watch.seen
    finally:
        watch.root = None
