"""Statements that do the same to several members of a list become a loop over it. Pure.

The same means: up to whole numbers, and numbers in strings, that follow the member's index.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeGuard

from .edits import SourceEdit, Statement
from .indexrules import Differ, Rules, flat, names_index, parsed, zipped
from .ir import Node
from .membernames import member_name, path_text, slice_text

Steps = tuple[str, ...]  # from `self`: names of slots, and digits for the members of lists
At = tuple[Steps, int]  # a list, and one of its members
INDICES = "ijk"
OTHERS = 3  # so many members may be excepted from a loop over all
MEMBER = re.compile(r"\[\d+\]")


def looped(edits: Sequence[SourceEdit], owner: Node) -> list[SourceEdit]:
    """The edits of an owner's source, statements on members of its lists as loops as far as they are alike."""
    found: list[SourceEdit] = []
    for plain, group in groupby(edits, lambda edit: type(edit) is Statement and bool(MEMBER.search(edit.text))):
        run = list(group)
        if not plain or len(run) < 2:
            found += run
            continue
        lines = [statement for edit in run if isinstance(edit, Statement) for statement in ast.parse(edit.text).body]
        done = _loops(lines, (), owner, 0)
        found += run if len(done) == len(lines) else (Statement(ast.unparse(statement)) for statement in done)
    return found


def following(texts: Mapping[int, str], index: str) -> str | None:
    """What expressions, by the index of the member that they are for, have in common, in terms of the index."""
    lines = {k: [ast.parse(text).body[0]] for k, text in sorted(texts.items())}
    try:
        (common,) = _Loop((), lines, index).lines()
    except Differ:
        return None
    return ast.unparse(common)


def _loops(statements: Sequence[ast.stmt], above: Steps, owner: Node, depth: int) -> list[ast.stmt]:
    """Only what reads and changes one member of one list may change places with what concerns another member."""
    found: list[ast.stmt] = []
    for alone, run in groupby(statements, lambda statement: _member(statement, above, owner) is not None):
        if not alone or depth == len(INDICES):
            found += run
            continue
        by_list: dict[Steps, dict[int, list[ast.stmt]]] = {}
        for statement in run:
            at = _member(statement, above, owner)
            assert at is not None
            by_list.setdefault(at[0], {}).setdefault(at[1], []).append(statement)
        for steps, members in by_list.items():
            inner = {k: _loops(each, (*steps, str(k)), owner, depth + 1) for k, each in sorted(members.items())}
            found += _over_list(steps, inner, owner, INDICES[depth])
    return found


def _over_list(steps: Steps, members: Mapping[int, list[ast.stmt]], owner: Node, index: str) -> Iterator[ast.stmt]:
    groups: dict[tuple[str, ...], dict[int, list[ast.stmt]]] = {}
    for k, statements in members.items():
        groups.setdefault(tuple(map(_shape, statements)), {})[k] = statements
    for group in groups.values():
        loop = _Loop(steps, group, index).statement(_size(steps, owner)) if len(group) > 1 else None
        if loop is not None:
            yield loop
        else:
            yield from (statement for statements in group.values() for statement in statements)


class _Loop:
    """One loop: what the statements on each member have in common, the member and its index by name."""

    def __init__(self, steps: Steps, members: Mapping[int, list[ast.stmt]], index: str) -> None:
        self.steps, self.members, self.indices = steps, members, list(members)
        inside = {k: [node for statement in each for node in ast.walk(statement)] for k, each in members.items()}
        names = {node.id for each in inside.values() for node in each if isinstance(node, ast.Name)}
        texts = {k: [str(node.value) for node in each if _is_text(node)] for k, each in inside.items()}
        self.index = _unused(index, names)
        self.member = _unused(member_name(steps[-1] if steps else ""), names | {self.index})
        self.rules = Rules(self.index, self.indices, named=names_index(texts))

    def statement(self, size: int) -> ast.stmt | None:
        try:
            body = self.lines()
        except Differ:
            return None
        (loop,) = ast.parse(self.around(path_text("self", ".".join(self.steps)), size)).body
        assert isinstance(loop, ast.For)
        inner = loop.body[0] if isinstance(loop.body[0], ast.If) else loop
        inner.body = [*(line for line in inner.body if not isinstance(line, ast.Pass)), *body]
        return loop

    def lines(self) -> list[ast.stmt]:
        return [self.common(each) for each in zip(*self.members.values(), strict=True)]

    def around(self, over: str, size: int) -> str:
        """The text of the loop over all members, a slice of them, all but some, every second, or those named."""
        part, first = slice_text(self.indices, size), self.indices[0]
        others = sorted(set(range(size)) - set(self.indices))
        if part is None and len(others) <= min(OTHERS, len(self.indices) // 2):
            named = f"!= {others[0]}" if len(others) == 1 else f"not in ({', '.join(map(str, others))})"
            loop = f"for {self.index}, {self.member} in enumerate({over}):"
            return f"{loop}\n    if {self.index} {named}:\n        pass"
        if part is None:
            return f"for {self.index} in {self.rounds(over, size)}:\n    {self.member} = {over}[{self.index}]"
        if not self.rules.counts:
            return f"for {self.member} in {over}{part}:\n    pass"
        start = f", start={first}" if first else ""
        return f"for {self.index}, {self.member} in enumerate({over}{part}{start}):\n    pass"

    def rounds(self, over: str, size: int) -> str:
        """Every second member, or those that have no rule."""
        steps = {after - before for before, after in zip(self.indices, self.indices[1:], strict=False)}
        step = min(steps)
        if len(steps) > 1 or len(self.indices) < 3 or self.indices[-1] + step < size:
            return f"({', '.join(map(str, self.indices))})"
        return f"range({self.indices[0]}, len({over}), {step})"

    def common(self, nodes: Sequence[Any]) -> Any:
        """What the same part of each member's statements has in common, an `ast` node."""
        first = nodes[0]
        if any(type(node) is not type(first) for node in nodes):
            raise Differ
        if all(_steps(node) == (*self.steps, str(k)) for node, k in zip(nodes, self.indices, strict=True)):
            return self.itself(first)
        if isinstance(first, ast.Constant):
            return self.rules.constant([node.value for node in nodes])
        if isinstance(first, ast.JoinedStr):
            return flat([self.common(parts) for parts in zipped([node.values for node in nodes])])
        made = {name: self.field([getattr(node, name, None) for node in nodes]) for name in first._fields}
        return ast.copy_location(type(first)(**made), first)

    def field(self, values: Sequence[Any]) -> Any:
        first = values[0]
        if isinstance(first, ast.AST):
            return self.common(values)
        if isinstance(first, list):
            return [self.field(items) for items in zipped(values)]
        if any(value != first for value in values):
            raise Differ
        return first

    def itself(self, node: ast.expr) -> ast.expr:
        context = getattr(node, "ctx", None)
        if isinstance(context, ast.Load):
            return ast.Name(self.member, ast.Load())
        self.rules.counts = True
        return parsed(f"{path_text('self', '.'.join(self.steps))}[{self.index}]", context)


# --- members --------------------------------------------------------------------------------------------------------


def _member(statement: ast.stmt, above: Steps, owner: Node) -> At | None:
    """The one member of one list, below a path, that a statement is about."""
    found: set[At] = set()
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        steps = _steps(node)
        if steps is None:
            pending += ast.iter_child_nodes(node)
            continue
        found |= {at for at in [_first_list(steps, above, owner)] if at is not None}
    return found.pop() if len(found) == 1 else None


def _first_list(steps: Steps, above: Steps, owner: Node) -> At | None:
    node: Node | None = owner
    for place, step in enumerate(steps):
        if node is None:
            return None
        if place >= len(above) and step.isdigit() and all(name.isdigit() for name, _ in node.children):
            return steps[:place], int(step)
        node = dict(node.children).get(step)
    return None


def _size(steps: Steps, owner: Node) -> int:
    node: Node | None = owner
    for step in steps:
        node = None if node is None else dict(node.children).get(step)
    return 0 if node is None else len(node.children)


def _steps(node: ast.AST) -> Steps | None:
    """``self.layer[3].output`` as its steps; None for any other expression."""
    steps: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            steps.append(node.attr)
            node = node.value
        elif (
            isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and type(node.slice.value) is int
        ):
            steps.append(str(node.slice.value))
            node = node.value
        else:
            break
    return tuple(reversed(steps)) if steps and isinstance(node, ast.Name) and node.id == "self" else None


def _is_text(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _shape(statement: ast.stmt) -> str:
    """What a statement is made of, without its constants."""
    names = ("id", "attr", "arg", "name")
    parts = []
    for node in ast.walk(statement):
        said = [str(value) for name in names if (value := getattr(node, name, None)) is not None]
        parts.append(" ".join([type(node).__name__, *said]))
    return "|".join(parts)


def _unused(name: str, names: set[str]) -> str:
    while name in names:
        name += "_"
    return name
