"""Patches that no class can have as they are: refused by name."""

import ast
import builtins
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Any

from ..errors import UnsupportedChange
from .literal import is_writable
from .names import global_uses
from .ownership import is_user_layer
from .sourcefile import source_of_code
from .wrapping import closure_values, local_names

MUTABLE = (list, dict, set, bytearray)
MUTATING = frozenset(
    [
        "add",
        "append",
        "appendleft",
        "clear",
        "difference_update",
        "discard",
        "extend",
        "insert",
        "intersection_update",
        "pop",
        "popitem",
        "remove",
        "reverse",
        "setdefault",
        "sort",
        "symmetric_difference_update",
        "update",
    ]
)


def check_source(function: FunctionType, path: str) -> None:
    """Raises ``UnsupportedChange`` for a wrapper that is not the user's: what it holds is its own matter."""
    if "__wrapped__" in vars(function) and not is_user_layer(function):
        raise UnsupportedChange(
            path,
            f"it is wrapped by {function.__code__.co_name} of {function.__globals__.get('__name__')}",
            "Patch the method with a function of your own that does this, by a decorator perhaps.",
        )


def check_closed(text: str, function: FunctionType, scope: Mapping[str, Any], path: str) -> None:
    """Raises ``UnsupportedChange`` where the text changes what it closes over, or is decorated by a local name."""
    closure, local = closure_values(function), local_names(function)
    tree = ast.parse(text)
    changed = sorted({name for name in _changed(tree) if name in closure} | _mutated(tree, closure))
    if changed:
        raise UnsupportedChange(
            path,
            f"the patch changes {changed[0]}, which it shares with the function that made it",
            "Keep it as an attribute of the module.",
        )
    for use in global_uses(tree):
        if use.deferred or use.quoted or use.name in closure:
            continue
        unknown = use.name not in scope and not hasattr(builtins, use.name)
        if unknown or use.name in local or _varies(use.name, scope.get(use.name), function):
            raise UnsupportedChange(
                path,
                f"outside of its body the patch uses {use.name}, which may have been something else when it was made",
                "Define it at the top of a module, once.",
            )


def _varies(name: str, value: object, function: FunctionType) -> bool:
    """Whether a global name holds a plain value that no single assignment at the top of the file gave it."""
    file = source_of_code(function.__code__)
    if not is_writable(value) or isinstance(value, type | ModuleType) or file is None:
        return False
    names = [node for node in ast.walk(file.tree) if isinstance(node, ast.Name) and node.id == name]
    stores = [node for node in names if not isinstance(node.ctx, ast.Load)]
    constants = [node for node in file.tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    at_the_top = {id(node) for constant in constants for node in ast.walk(constant)}
    return len(stores) > 1 or any(id(store) not in at_the_top for store in stores)


def _changed(tree: ast.Module) -> set[str]:
    return {name for node in ast.walk(tree) if isinstance(node, ast.Nonlocal) for name in node.names}


def _mutated(tree: ast.Module, closure: Mapping[str, object]) -> set[str]:
    """The names of lists, dicts and sets of which the text changes members."""
    mutable = {name for name, value in closure.items() if isinstance(value, MUTABLE)}
    found = set()
    for node in ast.walk(tree):
        called = isinstance(node, ast.Attribute) and node.attr in MUTATING
        stored = isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load)
        if (called or stored) and isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.value, ast.Name):
            found.add(node.value.id)
    return found & mutable
