"""Values as expressions of the index of the member that they are for. Pure."""

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from .conditions import condition

FEW = 3  # so many different values without a rule are listed
LISTS = 3  # so often in one loop


def names_index(texts: Mapping[int, Collection[str]]) -> bool:
    """Whether the texts about each member name its index in the same place."""
    said = [{re.sub(rf"(?<!\d){k}(?!\d)", "\0", text) for text in each} for k, each in texts.items()]
    return any("\0" in text for text in set.intersection(*said))


class Differ(Exception):
    """What is said of the members is not the same."""


class Rules:
    """What constants have in common, in terms of an index: one value, a number that grows with it, a text that holds
    such a number, or one of a list."""

    def __init__(self, index: str, indices: Sequence[int], *, named: bool) -> None:
        self.index, self.indices = index, list(indices)
        self.named = named  # whether a text names the index: then it is no coincidence that numbers follow it
        self.counts = False  # whether anything reads the index
        self.lists = 0

    def constant(self, values: Sequence[Any]) -> ast.expr:
        first = values[0]
        if all(type(value) is type(first) and value == first for value in values):
            return ast.Constant(first)
        try:
            if all(type(value) is int for value in values):
                return parsed(self.number(values, told=self.named))
            if all(type(value) is str for value in values):
                return self.string([re.split(r"(\d+)", value) for value in values])
        except Differ:
            pass
        return self.listed(values)

    def listed(self, values: Sequence[Any]) -> ast.expr:
        """Values without a rule: the member's own picked out by its index, one of two by a condition. Without a name
        in which the index stands, two values are two classes, which say it better."""
        groups: dict[tuple[type, Any], list[int]] = {}
        for k, value in zip(self.indices, values, strict=True):
            groups.setdefault((type(value), value), []).append(k)
        self.lists += 1
        first, last = self.indices[0], self.indices[-1]
        if self.lists > LISTS or len(groups) < (2 if self.named else FEW):
            raise Differ
        self.counts = True
        if len(groups) == 2:
            (rare, some), (usual, _) = sorted(((value, ks) for (_, value), ks in groups.items()), key=_members)
            test = parsed(condition(some, self.indices, self.index))
            return ast.IfExp(test, ast.Constant(rare), ast.Constant(usual))
        if self.indices != list(range(first, last + 1)):
            raise Differ
        listed = ast.Tuple([ast.Constant(value) for value in values], ast.Load())
        return ast.Subscript(listed, parsed(f"{self.index} - {first}" if first else self.index), ast.Load())

    def number(self, values: Sequence[int], *, told: bool) -> str:
        """A number as an expression of the index; ``told`` where something says that it is no coincidence."""
        slope = (values[1] - values[0]) // (self.indices[1] - self.indices[0])
        base = values[0] - slope * self.indices[0]
        fits = all(value == slope * k + base for value, k in zip(values, self.indices, strict=True))
        if not fits or not (told or slope == 1 or len(values) > 2):
            raise Differ
        self.counts = True
        if slope == -1:
            return f"{base} - {self.index}"
        term = self.index if slope == 1 else f"{slope} * {self.index}"
        return f"{term} {'+' if base > 0 else '-'} {abs(base)}" if base else term

    def string(self, values: Sequence[Sequence[str]]) -> ast.expr:
        parts: list[ast.expr] = []
        for place, texts in enumerate(zipped(values)):
            if len(set(texts)) == 1:
                parts.append(ast.Constant(texts[0]))
            elif place % 2 and all(str(int(text)) == text for text in texts):
                number = parsed(self.number([int(text) for text in texts], told=self.named))
                parts.append(ast.FormattedValue(number, -1))
            else:
                raise Differ
        return flat(parts)


def _members(group: tuple[Any, Sequence[int]]) -> int:
    return len(group[1])


def parsed(text: str, context: ast.expr_context | None = None) -> ast.expr:
    made = ast.parse(text, mode="eval").body
    if context is not None:
        made.ctx = context  # type: ignore[attr-defined]  # callers give text that has one
    return made


def flat(parts: Sequence[ast.expr]) -> ast.JoinedStr:
    """An f-string of texts, values and f-strings."""
    merged: list[ast.expr] = []
    plain = [inner for part in parts for inner in (part.values if isinstance(part, ast.JoinedStr) else (part,))]
    for part in plain:
        last = merged[-1] if merged else None
        if isinstance(part, ast.Constant) and isinstance(last, ast.Constant):
            merged[-1] = ast.Constant(f"{last.value!s}{part.value!s}")
        elif not (isinstance(part, ast.Constant) and part.value == ""):
            merged.append(part)
    return ast.JoinedStr(merged)


def zipped(values: Sequence[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    if len(set(map(len, values))) > 1:
        raise Differ
    return zip(*values, strict=True)
