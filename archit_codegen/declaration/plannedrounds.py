"""The words for the rounds of a loop, as the judge of the text expects them: tried with the rounds of the plan."""

import ast
from collections.abc import Mapping, Sequence

from .conditions import condition
from .edits import COUNT, INDEX


class Unplanned(Exception):
    """An edit of the plan that has no place in the original: what was emitted cannot be judged."""


def planned_test(indices: Sequence[int], every: Sequence[int], name: str) -> ast.expr:
    """The words are those of the rewriting; that they choose the right rounds is tried here, round by round."""
    text = condition(indices, every, name)
    code = compile(text, "<condition>", "eval")
    if [index for index in every if eval(code, {name: index})] != sorted(indices):
        raise Unplanned(text)
    return ast.parse(text, mode="eval").body


def learnt_test(
    test: str, indices: Sequence[int], every: Sequence[int], count: tuple[str, int] | None, name: str
) -> ast.expr:
    """A test that names the number of rounds; tried as it was learnt, with that number."""
    text, rounds = count if count is not None else ("0", 0)
    code = compile(test, "<condition>", "eval")
    if [index for index in every if eval(code, {INDEX: index, COUNT: rounds})] != sorted(indices):
        raise Unplanned(test)
    return _worded(test, {INDEX: ast.Name(name, ast.Load()), COUNT: ast.parse(text, mode="eval").body})


def learnt_order(text: str, order: Sequence[int], count: tuple[str, int]) -> ast.expr:
    if list(eval(compile(text, "<order>", "eval"), {COUNT: count[1]})) != list(order):
        raise Unplanned(text)
    return _worded(text, {COUNT: ast.parse(count[0], mode="eval").body})


def _worded(text: str, names: Mapping[str, ast.expr]) -> ast.expr:
    return _Renamed(names).visit(ast.parse(text, mode="eval").body)  # type: ignore[no-any-return]  # an expression


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, ast.expr]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.names.get(node.id, node)
