"""The words for some rounds of a loop."""

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count

from .edits import COUNT, INDEX, Alternative, Arguments, Expression


def condition(indices: Sequence[int], every: Sequence[int], name: str) -> str:
    """The shortest readable test for some of all values of an index."""
    chosen, rest = sorted(indices), sorted(set(every) - set(indices))
    if len(chosen) == 1:
        return f"{name} == {chosen[0]}"
    if len(rest) == 1:
        return f"{name} != {rest[0]}"
    if not rest or chosen[-1] < rest[0]:
        return f"{name} <= {chosen[-1]}" if chosen[0] else f"{name} < {chosen[-1] + 1}"
    if rest[-1] < chosen[0]:
        return f"{name} >= {chosen[0]}"
    return f"{name} in {{{', '.join(map(str, chosen))}}}"


def free_index(taken: Collection[str]) -> str:
    """A name for the count of a loop that reads and sets these."""
    return next(name for name in chain("ijk", (f"i{number}" for number in count(2))) if name not in taken)


def worded(test: str, index: str, count: str) -> str:
    """A learnt test with the names that the index and the number of rounds have where it will stand."""
    names = {INDEX: ast.parse(index, mode="eval").body, COUNT: ast.parse(count or "0", mode="eval").body}
    return ast.unparse(_Named(names).visit(ast.parse(test, mode="eval")))


def at_index(alternative: Alternative, index: str) -> Alternative:
    """What a site builds instead, with the name that the index has there."""
    match alternative:
        case Expression(text=text):
            return replace(alternative, text=text.replace(INDEX, index))
        case Arguments(changes=changes):
            return Arguments(tuple((key, text and text.replace(INDEX, index)) for key, text in changes))
    return alternative


class _Named(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, ast.expr]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.names.get(node.id, node)
