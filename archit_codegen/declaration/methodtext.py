"""The text of a method as a tree: its arguments, and how it names its own class."""

import ast

from .names import Edit
from .wrapping import is_wraps


def definition(text: str) -> ast.FunctionDef:
    """The one function of a text."""
    return only_definition(ast.parse(text))


def only_definition(tree: ast.Module) -> ast.FunctionDef:
    """The same of its tree."""
    node = tree.body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def first_argument(node: ast.FunctionDef) -> str:
    """What a method calls its module."""
    named = [*node.args.posonlyargs, *node.args.args]
    if not named and node.args.vararg is not None:
        return f"{node.args.vararg.arg}[0]"
    return named[0].arg if named else "self"


def is_own_class(node: ast.expr, receiver: str) -> bool:
    """``type(self)`` or ``self.__class__``."""
    if isinstance(node, ast.Call):
        called = isinstance(node.func, ast.Name) and node.func.id == "type" and len(node.args) == 1
        return called and ast.unparse(node.args[0]) == receiver
    return isinstance(node, ast.Attribute) and node.attr == "__class__" and ast.unparse(node.value) == receiver


def within_wraps(tree: ast.Module) -> set[int]:
    """The nodes within calls of `functools.wraps`, by identity."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.expr) and is_wraps(node)]
    return {id(name) for call in calls for name in ast.walk(call)}


def edit_of(node: ast.expr, text: str) -> Edit:
    """Other text for an expression."""
    return Edit((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0), text)
