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


# Around the methods of a class that are given apart from its head.
HOLDER = "class _:\n"


def format_text(text: str) -> str:
    """The text in black's format; that another pass changes nothing is proved by the tests.

    Black takes a second pass over whatever its first one changed. Most classes are as their file had them, which was
    formatted, and most changes stand in `__init__` or before it: given one definition at a time, and the methods
    after `__init__` by themselves, black takes that pass over little.
    """
    found = ""
    for piece, inside in _pieces(text):
        if inside:
            found += "\n\n" + format_piece(HOLDER + piece).removeprefix(HOLDER)
        else:
            found += ("\n\n\n" if found else "") + format_piece(piece)
    return f"{found}\n"


@lru_cache(maxsize=512)
def format_piece(text: str) -> str:
    """A definition, or what stands between two. Packages that are emitted twice, or for models that have much in
    common, share most of them."""
    return black.format_str(OPEN_BRACKETS.sub(r"\1\2)", text), mode=MODE).strip("\n")


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """The text up to the first class or function, then each of them, and what stands between; True with the methods
    of a class after its `__init__`."""
    lines = text.split("\n")
    if "fmt:" in text:  # may switch black off from one definition to another
        yield text, False
        return
    tree = ast.parse(text)
    cuts = [(0, False), *sorted((*_borders(lines, tree), *_later_methods(lines, tree))), (len(lines), False)]
    for (start, inside), (end, _) in pairwise(cuts):
        piece = "\n".join(lines[start:end]).strip("\n")
        if piece:
            yield f"{piece}\n", inside


def _borders(lines: list[str], tree: ast.Module) -> Iterator[tuple[int, bool]]:
    """Lines at which a definition begins or the statement after one, or its comment, after blank lines."""
    for before, after in pairwise(tree.body):
        end, start = before.end_lineno or before.lineno, first_line(after) - 1
        beside = isinstance(before, DEFINITIONS) or isinstance(after, DEFINITIONS)
        blank = next((index for index in range(end, start) if lines[index].strip()), start)
        comments = all(line.startswith("#") for line in lines[blank:start])
        # A text that stands alone would be taken for the docstring of its piece.
        text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if beside and not text and comments and blank > end:
            yield blank, False


def _later_methods(lines: list[str], tree: ast.Module) -> Iterator[tuple[int, bool]]:
    for node in tree.body:
        for before, after in pairwise(node.body if isinstance(node, ast.ClassDef) else ()):
            end, start = before.end_lineno or before.lineno, first_line(after) - 1
            built = isinstance(before, ast.FunctionDef) and before.name == "__init__"
            if built and isinstance(after, ast.FunctionDef) and end < start and not "".join(lines[end:start]).strip():
                yield start, True
