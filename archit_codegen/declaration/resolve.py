"""Finds for each global name of an emitted class what it has to be bound to: an import, or a copied statement."""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

from ..errors import UnsupportedChange
from . import given as ours
from .functiontext import renamed
from .importing import Import, find_import, import_of, importable, is_installed
from .literal import is_writable, write_literal
from .livesource import function_source, innermost
from .names import BUILTINS, Edit, free_globals, global_uses, splice
from .ownership import is_user_code, is_user_layer
from .source import class_text, module_tree
from .topnames import still_means
from .usermodules import without_user_modules

# Statements that belong to each module anew, rather than being imported from the original.
PER_MODULE = ("logger",)
RENAME = "Call yours by another name."


@dataclass(frozen=True, slots=True)
class Vendored:
    """Something that a modelling file defines and that is copied, with its place there."""

    value: Any
    home: ModuleType
    line: int


@dataclass(slots=True)
class Bindings:
    """What the global names of one emitted file are bound to; no name is bound to two things."""

    defined: frozenset[str]
    relays: Mapping[int, FunctionType]  # functions of the module to copy, not to import
    copy: bool  # whether the user's definitions are copied rather than imported
    vendor: bool = False  # whether what a modelling file defines is copied rather than imported
    instead: Mapping[type, str] = field(default_factory=dict)  # new config classes, for what is copied so
    imports: dict[str, Import] = field(default_factory=dict)
    statements: dict[str, str] = field(default_factory=dict)
    roots: list[Any] = field(default_factory=list)
    user_names: dict[str, Any] = field(default_factory=dict)
    vendored: dict[str, Vendored] = field(default_factory=dict)
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
        if self.copy:
            text, scope = without_user_modules(text, scope)
        aliases: dict[str, str] = {}
        for name in sorted(free_globals(text) - self.defined - BUILTINS):
            if name in scope:
                alias = self._bind(name, scope, file, avoid)
                if alias != name:
                    aliases[name] = alias
            elif name in given:
                self._bind_given(name, given[name])
        return rename_globals(text, aliases)

    def _bind_given(self, name: str, found: Import) -> None:
        value = found.value()
        if self._objects.setdefault(name, value) is not value:
            raise UnsupportedChange(name, "new text uses the name, and so does a class for something else", RENAME)
        if self._is_copied(found):
            home = sys.modules[found.module]
            self._bind(name, vars(home), str(home.__file__), {})
        else:
            self.imports[name] = found

    def _is_copied(self, found: Import) -> bool:
        return found.module == ours.__name__ or (self.vendor and of_modelling_file(found))

    def _bind(self, name: str, scope: Mapping[str, Any], file: str, avoid: Mapping[str, Any]) -> str:
        value = scope[name]
        if self.vendor and isinstance(value, type) and value in self.instead:
            return self.instead[value]
        clash = self._objects.get(name, value) is not value or avoid.get(name, value) is not value
        alias = self._free_alias(f"{_stem(scope)}_{name}", value) if clash and name not in PER_MODULE else name
        self._objects[alias] = value
        if alias in self.imports or alias in self.statements or alias in self.user_names:
            return alias
        self._place(name, alias, value, scope, file)
        return alias

    def _copy(self, alias: str, source: str, scope: Mapping[str, Any], file: str) -> None:
        self.statements[alias] = ""  # it may name itself
        self.statements[alias] = self.bind(source, scope, file, {})

    @property
    def ordered_statements(self) -> list[tuple[str, str]]:
        """What was copied of modelling files stands as it stands there, each file after those that it imports."""
        homes = {found.home.__name__: found.home for found in self.vendored.values()}
        used = {
            name: ({_home_name(value) for value in vars(home).values()} & set(homes)) - {name}
            for name, home in homes.items()
        }
        places = {name: place for place, name in enumerate(TopologicalSorter(used).static_order())}
        order = {name: (places[found.home.__name__], found.line) for name, found in self.vendored.items()}
        return sorted(self.statements.items(), key=lambda item: order.get(item[0], (-1, 0)))

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
        if id(value) in self.relays or getattr(value, "__module__", "") == ours.__name__:
            source = renamed(function_source(innermost(self.relays.get(id(value), value))).text, alias)
            self._copy(alias, source, scope, file)
            return
        if self.vendor and (home := _modelling_home(name, value, scope)) is not None:
            source, line = _definition(name, alias, value, home)
            self.vendored[alias] = Vendored(value, home, line)
            self._copy(alias, source, vars(home), str(home.__file__))
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
        if is_installed(module) and module in sys.modules:
            if not still_means(name, value, scope):
                found = None  # in another process the statement gives something else
            elif found is None or not is_installed(found.module):
                found = Import(module, name, alias)
        found = found or import_of(value, name)
        if found is None and is_writable(value):
            self.statements[alias] = f"{alias} = {write_literal(value)}\n"
            return
        if found is None:
            raise UnsupportedChange(name, "a name that the class uses cannot be imported", "Define it in a module.")
        self.imports[alias] = Import(found.module, found.name, alias)


def of_modelling_file(found: Import) -> bool:
    """Whether an import gives what a modelling file of transformers defines."""
    return _modelling_home(found.name or "", found.value(), {}) is not None


def _modelling_home(name: str, value: Any, scope: Mapping[str, Any]) -> ModuleType | None:
    """The modelling file of transformers that defines what a name means in a module; None for what others define."""
    defined = isinstance(value, type | FunctionType)
    module = sys.modules.get(str(value.__module__ if defined else scope.get("__name__", "")))
    path = module.__name__ if module is not None else ""
    if module is None or not path.startswith("transformers.models.") or ".modeling_" not in path:
        return None
    if path.startswith("transformers.models.auto."):
        return None  # the Auto classes are shared by all models
    tree = module_tree(str(module.__file__))
    names = {value.__name__} if defined else {name}
    return module if tree is not None and names & set(_defined_at_top(tree)) else None


def _defined_at_top(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _home_name(value: Any) -> str:
    return str(value.__module__) if isinstance(value, type | FunctionType) else ""


def _definition(name: str, alias: str, value: Any, home: ModuleType) -> tuple[str, int]:
    """The statement that defines something of a modelling file, under the name it gets; its line there."""
    if isinstance(value, type):
        found = class_text(value)
        return renamed(found.dedented, alias), found.line
    if isinstance(value, FunctionType):
        source = function_source(innermost(value))
        return renamed(source.text, alias), source.line
    tree = module_tree(str(home.__file__))
    statement = None if tree is None else _assignment_to(tree, name)
    assert statement is not None
    text = ast.unparse(statement) + "\n"
    return text if alias == name else text.replace(name, alias, 1), statement.lineno


def _is_wrapped_by_user(value: Any) -> bool:
    return isinstance(value, FunctionType) and is_user_layer(value)


def _stem(scope: Mapping[str, Any]) -> str:
    return str(scope.get("__name__", "")).rpartition(".")[2].removeprefix("modeling_").strip("_")


def _assignment(tree: ast.Module, name: str) -> str | None:
    found = _assignment_to(tree, name)
    return None if found is None else ast.unparse(found) + "\n"


def _assignment_to(tree: ast.Module, name: str) -> ast.Assign | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return node
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


def closure_scope(cls: type) -> Mapping[str, Any]:
    """A class in a function body may close over names of that function."""
    if not is_user_code(cls):
        return {}
    scope: dict[str, Any] = {}
    for value in vars(cls).values():
        if isinstance(value, FunctionType) and value.__closure__:
            for name, cell in zip(value.__code__.co_freevars, value.__closure__, strict=True):
                if name != "__class__" and cell.cell_contents is not cls:
                    scope[name] = cell.cell_contents
    return scope
