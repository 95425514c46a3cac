"""Methods that were patched at run time, as text that can stand in a class."""

import ast
import builtins
from collections.abc import Mapping, Set
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from ..errors import UnsupportedChange
from .agreement import UNKNOWN
from .edits import Method
from .functiontext import closure_values, function_as_def
from .literal import is_writable, write_literal
from .liveness import default_edits
from .livesource import innermost
from .names import Edit, global_uses, splice

KEEP = "_original_{}"


def method_edit(
    name: str, function: FunctionType, cls: type, *, bound: bool, path: str, code: str, others: Set[str] = frozenset()
) -> tuple[Method, Mapping[str, Any]]:
    """The new method, and the scope in which its global names are looked up.

    ``bound`` tells whether the function takes the module as its first argument, ``code`` what it does, to tell it from
    others of the same text. A call of the declared method, through a closure, a global or the object's class, becomes
    one of ``self._original_<name>``. ``others`` are the methods that are patched as well.

    Raises:
        UnsupportedChange: the patch is no function with source.
    """
    if not isinstance(function, FunctionType):
        raise UnsupportedChange(
            path, f"it is patched by a {type(function).__name__}, which has no source", "Patch it with a function."
        )
    text = function_as_def(function, name)
    scope = {**function.__globals__, **closure_values(function)}
    text = splice(text, default_edits(innermost(function), _definition(text), partial(_meaning, scope)))
    if not bound:
        text = _with_self(text)
    _check_own_class(text, others, path)
    text, kept = _original_calls(text, scope, name, cls)
    if kept and name in others:
        raise UnsupportedChange(
            path,
            "the patch calls the declared method, which is patched on the class too, and one class has it once",
            "Patch it once, by a function that does what both do.",
        )
    text = _with_literals(text, closure_values(function))
    native = cls.__module__.partition(".")[0] == "torch"
    return Method(name, text, KEEP.format(name) if kept and not native else None, code), scope


def _meaning(scope: Mapping[str, Any], name: str) -> object:
    return scope.get(name, getattr(builtins, name, UNKNOWN))


def _with_literals(text: str, closure: Mapping[str, Any]) -> str:
    """The text with plain values in the place of the closure's variables that hold them."""
    texts = {name: write_literal(value) for name, value in closure.items() if is_writable(value)}
    edits = [
        _edit(use.node, f"({texts[use.name]})" if texts[use.name].startswith("-") else texts[use.name])
        for use in global_uses(ast.parse(text))
        if use.name in texts and isinstance(use.node, ast.Name)
    ]
    return splice(text, edits)


def _with_self(text: str) -> str:
    node = _definition(text)
    if any(argument.arg == "self" for argument in node.args.args):
        return text
    place = text.index("(", text.index(f"def {node.name}")) + 1
    takes_none = text[place:].lstrip().startswith(")")
    return f"{text[:place]}self{'' if takes_none else ', '}{text[place:]}"


def _definition(text: str) -> ast.FunctionDef:
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def _original_calls(text: str, scope: Mapping[str, Any], name: str, cls: type) -> tuple[str, bool]:
    """Names that hold the declared method, bound or not, refer to the kept one."""
    tree = _definition(text)
    receiver = tree.args.args[0].arg if tree.args.args else "self"
    native = cls.__module__.partition(".")[0] == "torch"
    bound_call = f"super().{name}" if native else f"{receiver}.{KEEP.format(name)}"
    free_call = f"nn.{cls.__name__}.{name}" if native else f"type({receiver}).{KEEP.format(name)}"
    edits = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            value = scope.get(node.id)
            if isinstance(value, MethodType) and _is_declared(value.__func__, name, cls):
                edits.append(_edit(node, bound_call))
            elif isinstance(value, FunctionType) and _is_declared(value, name, cls):
                edits.append(_edit(node, free_call))
        elif isinstance(node, ast.Attribute) and node.attr == name and _is_own_class(node.value, receiver):
            edits.append(_edit(node, free_call))
    return (splice(text, edits), True) if edits else (text, False)


def _is_own_class(node: ast.expr, receiver: str) -> bool:
    """``type(self)`` or ``self.__class__``."""
    if isinstance(node, ast.Call):
        called = isinstance(node.func, ast.Name) and node.func.id == "type" and len(node.args) == 1
        return called and isinstance(node.args[0], ast.Name) and node.args[0].id == receiver
    of_receiver = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == receiver
    return of_receiver and isinstance(node, ast.Attribute) and node.attr == "__class__"


def _check_own_class(text: str, others: Set[str], path: str) -> None:
    """On the object its class has the declared methods, in a class that has the patched ones it would be another."""
    tree = _definition(text)
    receiver = tree.args.args[0].arg if tree.args.args else "self"
    for node in ast.walk(tree):
        other = isinstance(node, ast.Attribute) and node.attr in others and _is_own_class(node.value, receiver)
        above = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
        if other or (above and isinstance(node, ast.Call) and any(_is_own_class(a, receiver) for a in node.args)):
            raise UnsupportedChange(
                path,
                f"the patch looks up {ast.unparse(node)}, which would be another method in the class that is written",
                "Name the class whose method is meant.",
            )


def _is_declared(function: Any, name: str, cls: type) -> bool:
    inner = innermost(function)
    owners = {f"{base.__qualname__}.{name}" for base in cls.__mro__}
    return inner.__code__.co_qualname in owners


def _edit(node: ast.expr, text: str) -> Edit:
    return Edit((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0), text)
