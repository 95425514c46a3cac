"""Values of module constants: the user's own assignment where it still says the live value, else a literal."""

import ast
import builtins
import functools
import logging
import math
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType, ModuleType

from archit_codegen.declaration.agreement import UNKNOWN
from archit_codegen.declaration.literal import is_writable
from archit_codegen.declaration.ownership import is_user_code
from archit_codegen.declaration.sourcefile import SourceFile

PLAIN = (
    *(ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Attribute, ast.Subscript, ast.Slice, ast.Starred),
    *(ast.Tuple, ast.List, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.JoinedStr, ast.FormattedValue, ast.Call, ast.keyword),
)
PURE_BUILTINS = frozenset(
    {*("abs", "bool", "bytes", "complex", "dict", "divmod", "float", "frozenset", "int", "len", "list", "max", "min")}
    | {*("object", "pow", "range", "round", "set", "slice", "sorted", "str", "sum", "tuple", "zip")}
)
PURE = frozenset({re.compile, logging.getLogger, functools.partial, typing.TypeVar, typing.NewType})
LOGGERS = frozenset({"get_logger", "getLogger"})


def assignments(tree: ast.Module, name: str) -> list[ast.Assign | ast.AnnAssign]:
    """The statements at the top of a module that bind one name, if nothing else there binds it."""
    stores = [
        node
        for statement in tree.body
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)
    ]
    found = [statement for statement in tree.body if _assigns(statement, name)]
    return found if len(stores) == len(found) else []  # type: ignore[return-value]  # what _assigns lets through


def evaluate(expression: ast.expr, names: Mapping[str, object]) -> object:
    """The value of an expression that runs no code of the user's, or ``UNKNOWN``."""
    if isinstance(expression, ast.Name):
        return names.get(expression.id, UNKNOWN)
    if not all(isinstance(node, PLAIN) and _is_safe(node, names) for node in ast.walk(expression)):
        return UNKNOWN
    code = compile(ast.Expression(body=expression), "<constant>", "eval", dont_inherit=True)
    try:
        return eval(code, {"__builtins__": builtins, **names})  # every name and call was checked
    except Exception:  # an expression that fails now says nothing about the live value
        return UNKNOWN


def says(value: object, live: object) -> bool:
    """Whether an evaluated expression gives what is live."""
    if value is live:
        return value is not UNKNOWN
    if value is UNKNOWN or type(value) is not type(live):
        return False
    if isinstance(value, functools.partial) and isinstance(live, functools.partial):
        return (value.func, value.args, value.keywords) == (live.func, live.args, live.keywords)
    if type(value) in {object, typing.TypeVar}:
        return True
    if isinstance(value, float | complex | tuple | list | dict):
        return repr(value) == repr(live)
    return type(value).__module__ not in {"torch", "numpy"} and bool(value == live)


def _assigns(statement: ast.stmt, name: str) -> bool:
    if isinstance(statement, ast.Assign):
        return len(statement.targets) == 1 and _is_name(statement.targets[0], name)
    return isinstance(statement, ast.AnnAssign) and statement.value is not None and _is_name(statement.target, name)


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_safe(node: ast.AST, names: Mapping[str, object]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in PURE_BUILTINS or (node.id in names and _is_inert(names[node.id]))
    if isinstance(node, ast.Attribute):
        return _dotted(node, names) is not UNKNOWN
    if isinstance(node, ast.Call):
        return _is_pure(_dotted(node.func, names))
    return True


def _is_inert(value: object) -> bool:
    """Values whose operators run no code of the user's."""
    return (
        isinstance(value, ModuleType | type)
        or callable(value)
        or type(value).__module__ in {"typing", "types"}
        or is_writable(value)
    )


def _is_pure(function: object) -> bool:
    if callable(function) and getattr(function, "__module__", None) == "math":
        return getattr(math, getattr(function, "__name__", ""), None) is function
    if any(function is known for known in PURE):
        return True
    if isinstance(function, FunctionType) and function.__name__ in LOGGERS:
        # Libraries have their own, in modules of this name; a function elsewhere may do anything.
        return function.__module__.rpartition(".")[2] == "logging" and not is_user_code(function)
    return any(function is getattr(builtins, name) for name in PURE_BUILTINS)


def _dotted(node: ast.expr, names: Mapping[str, object]) -> object:
    """What a dotted name is; attributes are taken from modules and classes only."""
    if isinstance(node, ast.Name):
        return names.get(node.id, getattr(builtins, node.id, UNKNOWN))
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value, names)
        return getattr(owner, node.attr, UNKNOWN) if isinstance(owner, ModuleType | type) else UNKNOWN
    return UNKNOWN


def statement_text(files: Iterable[SourceFile], name: str, live: object, lookup: Callable[[str], object]) -> str:
    """The user's own assignment if it still says the live value, else nothing."""
    for file in files:
        for statement in reversed(assignments(file.tree, name)):
            expression = statement.value
            if expression is not None and says(evaluate(expression, _values(expression, lookup)), live):
                return _text(file, statement)
    return ""


def _values(expression: ast.expr, lookup: Callable[[str], object]) -> dict[str, object]:
    names = sorted({node.id for node in ast.walk(expression) if isinstance(node, ast.Name)})
    return {name: value for name in names if (value := lookup(name)) is not UNKNOWN}


def _text(file: SourceFile, statement: ast.stmt) -> str:
    segment = ast.get_source_segment(file.text, statement) or ""
    last = file.lines[(statement.end_lineno or 1) - 1].encode()[statement.end_col_offset or 0 :].decode()
    return segment + (last.rstrip() if last.lstrip().startswith("#") else "") + "\n"
