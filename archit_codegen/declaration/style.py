"""Formats emitted text. The only user of black."""

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import black
from black.mode import TargetVersion

from .sourcefile import DEFINITIONS, first_line

LINE_LENGTH = 119  # transformers' own
# The versions of Python that transformers runs on. Black would infer them, from each piece another answer.
PYTHONS = {version for version in TargetVersion if version.value >= TargetVersion.PY310.value}
MODE = black.Mode(target_versions=PYTHONS, line_length=LINE_LENGTH)
# A decorator with one text of several lines, around which black closes the brackets.
OPEN_BRACKETS = re.compile(r'\A((?:@[\w.]+\n)*@[\w.]+\()\n {4}((?:\w+=)?"""(?:(?!""")[^\\])*""")\n\)(?=\n)')


def format_text(text: str) -> str:
    """The text in black's format; that another pass changes nothing is proved by the tests.

    Black takes a second pass over whatever its first one changed. Most classes are as their file had them, which was
    formatted: given one definition at a time, it takes that pass over few of them.
    """
    return "\n\n\n".join(map(format_piece, _pieces(text))) + "\n"


@lru_cache(maxsize=512)
def format_piece(piece: str) -> str:
    """One definition, or what stands between two. Packages that are emitted twice, or for models that have much in
    common, share most of them."""
    return black.format_str(OPEN_BRACKETS.sub(r"\1\2)", piece), mode=MODE).strip("\n")


def _pieces(text: str) -> Iterator[str]:
    """The text up to the first class or function, then each of them, and what stands between."""
    lines = text.split("\n")
    if "fmt:" in text:  # may switch black off from one definition to another
        yield text
        return
    starts = [0, *_borders(lines, ast.parse(text)), len(lines)]
    for start, end in pairwise(starts):
        piece = "\n".join(lines[start:end]).strip("\n")
        if piece:
            yield f"{piece}\n"


def _borders(lines: list[str], tree: ast.Module) -> Iterator[int]:
    """Lines at which a definition begins or the statement after one, with nothing but blank lines before it."""
    for before, after in pairwise(tree.body):
        end, start = before.end_lineno or before.lineno, first_line(after)
        between = lines[end : start - 1]
        beside = isinstance(before, DEFINITIONS) or isinstance(after, DEFINITIONS)
        # A text that stands alone would be taken for the docstring of its piece.
        if beside and not isinstance(after, ast.Expr) and end < start and not "".join(between).strip():
            yield start - 1
