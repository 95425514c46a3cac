"""Whole lines without the indentation of the statement that they are."""

import tokenize
from io import StringIO


def dedent(lines: list[str], indent: int) -> list[str]:
    """Without the indentation of the statement, except inside strings, where spaces are part of the value."""
    inside = _string_lines(lines)
    return [line if number in inside else _shift(line, indent) for number, line in enumerate(lines)]


def _shift(line: str, indent: int) -> str:
    return line[min(indent, len(line) - len(line.lstrip())) :]


def _string_lines(lines: list[str]) -> set[int]:
    """Indices of the lines that begin inside a string."""
    inside: set[int] = set()
    opened = 0
    for token in tokenize.generate_tokens(StringIO("if 1:\n" + "\n".join(lines) + "\n").readline):
        name = tokenize.tok_name[token.type]
        if name == "STRING":
            inside.update(range(token.start[0], token.end[0]))
        elif name in {"FSTRING_START", "TSTRING_START"}:
            opened = token.start[0]
        elif name in {"FSTRING_END", "TSTRING_END"}:
            inside.update(range(opened, token.end[0]))
    return {number - 1 for number in inside}
