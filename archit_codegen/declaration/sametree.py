"""Whether two syntax trees say the same, where names are compared by what they mean."""

import ast
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from .names import global_uses

Same = Callable[[ast.expr, ast.expr], bool]
UNREAD = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
LONGEST = 80
DOCUMENTED = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Differs(Exception):
    """The emitted node that is not as expected; None where something is missing at the end."""

    def __init__(self, node: ast.AST | None) -> None:
        super().__init__(node)
        self.node = node


class TreeComparison:
    """Two statements; ``same_global`` decides about names that are read from the module.

    ``enter`` is told of each expected function on the way in and out, since a patched method has a scope of its own.
    """

    def __init__(self, same_global: Same, enter: Callable[[ast.AST, bool], None]) -> None:
        self.same_global, self.enter = same_global, enter
        self.expected: frozenset[int] = frozenset()
        self.emitted: frozenset[int] = frozenset()

    def compare(self, expected: ast.stmt, emitted: ast.stmt) -> None:
        """Raises `Differs`."""
        self.expected, self.emitted = _globals(expected), _globals(emitted)
        self.nodes(expected, emitted)

    def nodes(self, expected: ast.AST, emitted: ast.AST) -> None:
        if isinstance(expected, ast.Name) and isinstance(emitted, ast.Name):
            self.names(expected, emitted)
        elif type(expected) is not type(emitted):
            # `helpers.scale` of a module that is copied and not imported has become `scale`.
            if not isinstance(expected, ast.Attribute) or not isinstance(emitted, ast.Name):
                raise Differs(emitted)
            if not self.same_global(expected, emitted):
                raise Differs(emitted)
        elif isinstance(expected, ast.Constant) and isinstance(emitted, ast.Constant):
            self.constants(expected, emitted)
        else:
            self.enter(expected, True)
            self.fields(expected, emitted)
            self.enter(expected, False)

    def names(self, expected: ast.Name, emitted: ast.Name) -> None:
        free = id(expected) in self.expected
        if free is not (id(emitted) in self.emitted):
            raise Differs(emitted)
        if not (self.same_global(expected, emitted) if free else expected.id == emitted.id):
            raise Differs(emitted)

    def constants(self, expected: ast.Constant, emitted: ast.Constant) -> None:
        if same_value(expected.value, emitted.value):
            return
        # An annotation in quotes follows renamed classes.
        if not (id(expected) in self.expected and id(emitted) in self.emitted and self.same_global(expected, emitted)):
            raise Differs(emitted)

    def fields(self, expected: ast.AST, emitted: ast.AST) -> None:
        for name in expected._fields:
            if name in UNREAD:
                continue
            one, other = getattr(expected, name, None), getattr(emitted, name, None)
            if isinstance(one, list) and isinstance(other, list):
                self.lists(*self.without_docstrings(expected, emitted, name, one, other), emitted)
            elif isinstance(one, ast.AST) and isinstance(other, ast.AST):
                self.nodes(one, other)
            elif one != other:
                raise Differs(emitted)

    def lists(self, expected: list[Any], emitted: list[Any], owner: ast.AST) -> None:
        for one, other in zip(expected, emitted, strict=False):
            if isinstance(one, ast.AST) and isinstance(other, ast.AST):
                self.nodes(one, other)
            elif one != other:  # the names of `global`, a None among the keys of a dictionary
                raise Differs(owner)
        if len(expected) != len(emitted):
            raise Differs(emitted[len(expected)] if len(emitted) > len(expected) else owner)

    def without_docstrings(
        self, expected: ast.AST, emitted: ast.AST, name: str, one: list[Any], other: list[Any]
    ) -> tuple[list[Any], list[Any]]:
        """Indentation and blanks at the ends of the lines of a docstring belong to the formatter."""
        if isinstance(expected, ast.Delete) and isinstance(emitted, ast.Delete):
            return list(_deleted(expected)), list(_deleted(emitted))
        if name != "body" or not (isinstance(expected, DOCUMENTED) and isinstance(emitted, DOCUMENTED)):
            return one, other
        before, after = (ast.get_docstring(node, clean=False) for node in (expected, emitted))
        if before is None or after is None:
            return one, other
        if _cleaned(before) != _cleaned(after):
            raise Differs(other[0])
        return one[1:], other[1:]


def same_value(one: object, other: object) -> bool:
    """Equal and of one type; the signs of zeros count."""
    if isinstance(one, float | complex):
        return type(one) is type(other) and repr(one) == repr(other)
    return type(one) is type(other) and one == other  # the text of a long integer is not to be had


def _globals(statement: ast.stmt) -> frozenset[int]:
    return frozenset(id(use.node) for use in global_uses(ast.Module([statement], [])))


def _deleted(node: ast.Delete) -> Iterator[ast.expr]:
    """`del (a, b)` is written `del a, b`."""
    for target in node.targets:
        yield from target.elts if isinstance(target, ast.Tuple) else [target]


def _cleaned(text: str) -> str:
    return "\n".join(line.rstrip() for line in inspect.cleandoc(text).split("\n")).strip()


def shortened(node: ast.expr) -> str:
    """An expression for a message."""
    try:
        text = ast.unparse(node)
    except ValueError:  # a number with too many digits
        return "..."
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
