"""Finds for each global name of an emitted class what it has to be bound to: an import, or a copied statement."""

import ast
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

from ..errors import UnsupportedChange
from .functiontext import renamed
from .importing import Import, find_import, import_of, importable, is_installed
from .literal import is_writable, write_literal
from .livesource import function_source, innermost
from .names import BUILTINS, Edit, free_globals, global_uses, splice
from .ownership import is_user_code, is_user_layer
from .source import module_tree

# Statements that belong to each module anew, rather than being imported from the original.
PER_MODULE = ("logger",)


@dataclass(slots=True)
class Bindings:
    """What the global names of one emitted file are bound to; no name is bound to two things."""

    defined: frozenset[str]
    relays: Mapping[int, FunctionType]  # functions of the module to copy, not to import
    copy: bool  # whether the user's definitions are copied rather than imported
    imports: dict[str, Import] = field(default_factory=dict)
    statements: dict[str, str] = field(default_factory=dict)
    roots: list[Any] = field(default_factory=list)
    user_names: dict[str, Any] = field(default_factory=dict)
    _objects: dict[str, Any] = field(default_factory=dict)

    def bind(
        self,
        text: str,
        scope: Mapping[str, Any],
        file: str,
        given: Mapping[str, Import],
        avoid: Mapping[str, Any] = MappingProxyType({}),
    ) -> str:
        """The text with its global names bound; a name that is taken by something else gets an alias.

        ``scope`` are the globals in which the original stands, ``given`` imports that the new text relies on,
        ``avoid`` the globals of the class into which the text goes.
        """
        aliases: dict[str, str] = {}
        for name in sorted(free_globals(text) - self.defined - BUILTINS):
            if name in given and name not in scope:
                self.imports[name] = given[name]
            elif name in scope:
                alias = self._bind(name, scope, file, avoid)
                if alias != name:
                    aliases[name] = alias
            elif name in given:
                self.imports[name] = given[name]
        return rename_globals(text, aliases)

    def _bind(self, name: str, scope: Mapping[str, Any], file: str, avoid: Mapping[str, Any]) -> str:
        value = scope[name]
        clash = self._objects.get(name, value) is not value or avoid.get(name, value) is not value
        alias = self._free_alias(f"{_stem(scope)}_{name}", value) if clash and name not in PER_MODULE else name
        self._objects[alias] = value
        if alias in self.imports or alias in self.statements or alias in self.user_names:
            return alias
        self._place(name, alias, value, scope, file)
        return alias

    def _free_alias(self, wanted: str, value: Any) -> str:
        count = 1
        alias = wanted
        while self._objects.get(alias, value) is not value:
            count += 1
            alias = f"{wanted}{count}"
        return alias

    def _place(self, name: str, alias: str, value: Any, scope: Mapping[str, Any], file: str) -> None:
        tree = module_tree(file)
        statement = _assignment(tree, name) if tree is not None and name in PER_MODULE else None
        if statement is not None:
            self.statements[alias] = self.bind(statement, scope, file, {})
            return
        if id(value) in self.relays:
            relay = self.relays[id(value)]
            self.statements[alias] = ""  # it may call itself
            source = renamed(function_source(innermost(relay)).text, alias)
            self.statements[alias] = self.bind(source, scope, file, {})
            return
        users = is_user_code(value) or _is_wrapped_by_user(value)
        if users and not self.copy and isinstance(value, type | FunctionType):
            self.imports[alias] = importable(value, alias)
            return
        if users and isinstance(value, type | FunctionType):
            self.roots.append(value)
            self.user_names[alias] = value
            return
        found = find_import([tree] if tree is not None else [], name, scope, value, "")
        module = str(scope.get("__name__", ""))
        if (found is None or not is_installed(found.module)) and is_installed(module) and module in sys.modules:
            found = Import(module, name, alias)
        found = found or import_of(value, name)
        if found is None and is_writable(value):
            self.statements[alias] = f"{alias} = {write_literal(value)}\n"
            return
        if found is None:
            raise UnsupportedChange(name, "a name that the class uses cannot be imported", "Define it in a module.")
        self.imports[alias] = Import(found.module, found.name, alias)


def _is_wrapped_by_user(value: Any) -> bool:
    return isinstance(value, FunctionType) and is_user_layer(value)


def _stem(scope: Mapping[str, Any]) -> str:
    return str(scope.get("__name__", "")).rpartition(".")[2].removeprefix("modeling_")


def _assignment(tree: ast.Module, name: str) -> str | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return ast.unparse(node) + "\n"
    return None


def rename_globals(text: str, aliases: Mapping[str, str]) -> str:
    """The text with global names exchanged."""
    if not aliases:
        return text
    edits = [
        Edit(
            (use.node.lineno, use.node.col_offset),
            (use.node.end_lineno or 0, use.node.end_col_offset or 0),
            aliases[use.name],
        )
        for use in global_uses(ast.parse(text))
        if use.name in aliases and not use.quoted
    ]
    return splice(text, edits)


def module_scope(obj: Any) -> Mapping[str, Any]:
    """The globals of the module in which a class was defined."""
    module = sys.modules.get(getattr(obj, "__module__", ""))
    return vars(module) if isinstance(module, ModuleType) else {}
