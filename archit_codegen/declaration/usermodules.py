"""Names of the user's modules, which are copied and not imported, in text that goes into a package."""

import ast
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ..errors import UnsupportedChange
from .agreement import UNKNOWN
from .methodtext import edit_of
from .names import Edit, global_uses, splice
from .ownership import is_user_module


def without_user_modules(text: str, scope: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The text with ``scale`` for ``helpers.scale``, and the scope in which that is found."""
    modules = {name for name, value in scope.items() if isinstance(value, ModuleType) and is_user_module(value)}
    if not any(name in text for name in modules):
        return text, scope
    tree = ast.parse(text)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    edits: list[Edit] = []
    found: dict[str, Any] = {}
    for use in global_uses(tree):
        if use.name in modules and isinstance(use.node, ast.Name):
            node, value = _member(use.node, scope[use.name], parents)
            names = [node.attr, f"{use.name}_{node.attr}"]
            name = next((n for n in names if {**scope, **found}.get(n, value) is value), None)
            if name is None:
                raise UnsupportedChange(names[0], f"it means something else beside {use.name}", "Rename one of them.")
            found[name] = value
            edits.append(edit_of(node, name))
    return splice(text, edits), {**scope, **found}


def _member(node: ast.Name, module: ModuleType, parents: Mapping[ast.AST, ast.AST]) -> tuple[ast.Attribute, Any]:
    """The expression that leads out of the user's modules, and what it gives."""
    value: Any = module
    above = parents.get(node)
    while isinstance(above, ast.Attribute) and (value := getattr(value, above.attr, UNKNOWN)) is not UNKNOWN:
        if not (isinstance(value, ModuleType) and is_user_module(value)):
            return above, value
        above = parents.get(above)
    raise UnsupportedChange(
        node.id,
        "it is a module that is copied and not imported, and is used as a value",
        "Import the names that are needed from the module.",
    )
