"""The part of a class that is parsed to be edited: methods in which nothing changes are left out, and put back as they
stood."""

import ast
from collections.abc import Collection
from dataclasses import dataclass

from .source import ClassText
from .sourcefile import first_line

INDENT = 4  # that of emitted text, to which edited statements are set


@dataclass(frozen=True, slots=True)
class Excerpt:
    """``text`` has a stub in the place of each method of ``left_out``."""

    text: str
    left_out: dict[str, str]

    def restored(self, text: str) -> str:
        """The edited text with the methods."""
        return "\n".join(self.left_out.get(line, line) for line in text.split("\n"))


def excerpt(source: ClassText, edited: Collection[str], followed: Collection[str]) -> Excerpt:
    """All of a class but the methods that are neither ``edited`` nor say a word that is ``followed``."""
    lines = source.dedented.split("\n")
    stub = "_left_out"
    while stub in source.text:
        stub += "_"
    left_out: dict[str, str] = {}
    kept: list[str] = []
    done = 0
    for node in source.node.body:
        if not isinstance(node, ast.FunctionDef) or node.col_offset - source.indent != INDENT or node.name in edited:
            continue
        start, end = first_line(node) - source.line, (node.end_lineno or node.lineno) - source.line + 1
        text = "\n".join(lines[start:end])
        if not any(word in text for word in followed):
            line = f"{' ' * INDENT}def {stub}{len(left_out)}(): ..."
            left_out[line] = text
            kept += [*lines[done:start], line]
            done = end
    return Excerpt("\n".join([*kept, *lines[done:]]), left_out)
