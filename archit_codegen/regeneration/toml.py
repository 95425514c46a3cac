"""Reads TOML, and tells the line in which something is said."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import SpecError


def parse(file: Path) -> dict[str, Any]:
    """The document in a file."""
    try:
        return tomllib.loads(text_of(file))
    except OSError as error:
        raise SpecError(file, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:  # of TOML or of UTF-8
        raise SpecError(file, f"is not valid TOML: {error}") from error


def text_of(file: Path) -> str:
    """The text, with a byte order mark taken off."""
    return file.read_bytes().decode("utf-8-sig")


def line_of(text: str, path: Sequence[str | int]) -> int:
    """The line where the statement begins that first says something of ``path`` (("model", 1, "name")); 0 for nowhere.

    The document's beginnings are read one line longer each time, so that TOML's own parser decides what a statement
    is. Only errors need it, so it may take its time.
    """
    lines = text.splitlines(keepends=True)
    done = 0
    for count in range(1, len(lines) + 1):
        try:
            document = tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        if _holds(document, path):
            return next(n for n in range(done + 1, count + 1) if n == count or _says(lines[n - 1]))
        done = count
    return 0


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _holds(value: Any, path: Sequence[str | int]) -> bool:
    for step in path:
        if step not in (value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()):
            return False
        value = value[step]
    return True
