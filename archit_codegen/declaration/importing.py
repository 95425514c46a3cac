"""Import statements: the user's own where there is one, else made from the object."""

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType

from archit_codegen.declaration.literal import is_plain_identifier
from archit_codegen.declaration.ownership import is_user_module
from archit_codegen.errors import UnsupportedChange

MISSING = object()
NATIVE = ("torch", "torch.nn.functional")  # home of functions that do not tell their module
FUTURE = "from __future__ import annotations"


@dataclass(frozen=True, slots=True)
class Import:
    """``import module as alias`` (no ``name``), or ``from module import name as alias``.

    ``import a.b`` binds ``a``: there the alias is the root of the module's name.
    """

    module: str
    name: str | None
    alias: str

    @property
    def binds_root(self) -> bool:
        return self.name is None and "." in self.module and self.alias == self.module.partition(".")[0]

    def value(self) -> object:
        """What the statement binds, if its module is loaded."""
        if self.name is None:
            return sys.modules.get(self.alias if self.binds_root else self.module, MISSING)
        submodule = sys.modules.get(f"{self.module}.{self.name}", MISSING)
        return getattr(sys.modules.get(self.module), self.name, submodule)

    def statement(self, alias: str) -> str:
        if self.name is None:
            plain = self.binds_root or alias == self.module
            return f"import {self.module}" if plain else f"import {self.module} as {alias}"
        tail = "" if alias == self.name else f" as {alias}"
        return f"from {self.module} import {self.name}{tail}"


def own_imports(trees: Iterable[ast.AST], name: str, module: Mapping[str, object]) -> Iterator[Import]:
    """The statements of the user that bind a name, the last first, with relative ones made absolute."""
    for tree in trees:
        for node in reversed(_imports_in(tree)):
            yield from _bound_by(node, name, module)


@lru_cache(maxsize=64)
def _imports_in(tree: ast.AST) -> tuple[ast.Import | ast.ImportFrom, ...]:
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))


def star_imports(trees: Iterable[ast.AST], name: str, module: Mapping[str, object]) -> Iterator[Import]:
    """What `from module import *` may have bound, spelled out."""
    for tree in trees:
        for node in _imports_in(tree):
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*" and (origin := _absolute(node, module)):
                yield Import(origin, name, name)


def find_import(
    trees: Iterable[ast.AST], name: str, module: Mapping[str, object], value: object, dotted: str
) -> Import | None:
    """The statement that binds a name to a value; ``import a.b`` only for a text that says ``a.b``."""
    texts = list(trees)
    found = [item for item in own_imports(texts, name, module) if same_object(item.value(), value)]
    if not found and not isinstance(value, ModuleType):
        found = [item for item in star_imports(texts, name, module) if item.value() is value]
    rooted = [item for item in found if item.binds_root]
    spelled = [item for item in rooted if f"{dotted}.".startswith(f"{item.module}.")]
    plain = [item for item in found if not item.binds_root]
    bare = [Import(name, None, name)] if rooted else []
    return next(iter([*spelled, *plain, *bare]), None)


def same_object(one: object, other: object) -> bool:
    """Whether two values are one. The first model that is built makes transformers run its file again, which puts a
    new module in the place of the one that the user imported."""
    if isinstance(one, ModuleType) and isinstance(other, ModuleType) and not is_user_module(one):
        return one.__name__ == other.__name__ and getattr(one, "__file__", None) == getattr(other, "__file__", None)
    return one is other


def user_module(found: Import) -> ModuleType | None:
    """The module of the user's that an import reads from."""
    module = sys.modules.get(found.module)
    return module if module is not None and found.name is not None and is_user_module(module) else None


def import_of(value: object, name: str) -> Import | None:
    """A statement made from a module, class or function of an installed distribution."""
    if isinstance(value, ModuleType):
        return _of_module(value, name)
    module, attribute = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if not isinstance(attribute, str) or not attribute.isidentifier():
        return None
    parts = module.split(".") if isinstance(module, str) else []
    # The shortest path is the public one: torch.nn rather than torch.nn.modules.linear.
    modules = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
    candidates = [Import(path, attribute, name) for path in [*modules, *NATIVE]]
    return next((found for found in candidates if found.value() is value), None)


def importable(value: object, name: str) -> Import:
    """The import of a definition of the user's own.

    Raises:
        UnsupportedChange: it lives in a script, a notebook or a function body, from which nobody else can import, or
            in a file whose name cannot stand in an import.
    """
    found = import_of(value, name)
    module = sys.modules.get(found.module) if found is not None else None
    named = found is not None and all(map(is_plain_identifier, found.module.split(".")))
    if found is None or module is None or not named or getattr(module, "__spec__", None) is None:
        raise UnsupportedChange(
            name,
            "it cannot be imported elsewhere, since it is defined in a script, a notebook or a function, or in a file "
            "whose name is no identifier",
            'Define it in a module, or let it be copied (`user_code = "copy"`).',
        )
    return found


def is_installed(module: str) -> bool:
    """Whether an emitted package may import a module."""
    loaded = sys.modules.get(module) or sys.modules.get(module.partition(".")[0])
    root = module.partition(".")[0]
    return root != "archit_codegen" and (loaded is None or not is_user_module(loaded))


def sort_imports(statements: Iterable[str]) -> tuple[str, ...]:
    """One statement for each module, in the order of isort: future, standard library, others; plain imports first."""
    names: dict[str, set[str]] = {}
    plain: set[str] = set()
    for statement in statements:
        if statement.startswith("import "):
            plain.add(statement)
        else:
            module, _, name = statement.removeprefix("from ").partition(" import ")
            names.setdefault(module, set()).add(name)
    joined = {
        f"from {module} import {', '.join(sorted(members, key=_member_key))}" for module, members in names.items()
    }
    return tuple(sorted(plain | joined, key=_statement_key))


def _statement_key(statement: str) -> tuple[int, bool, str, str]:
    module = statement.split()[1]
    root = module.partition(".")[0]
    section = 0 if root == "__future__" else 1 if root in sys.stdlib_module_names else 2
    return (section, statement.startswith("from "), module.lower(), statement)


def _member_key(member: str) -> tuple[int, str]:
    name = member.split()[0]
    return (0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2, member)


def _bound_by(node: ast.Import | ast.ImportFrom, name: str, module: Mapping[str, object]) -> Iterator[Import]:
    for alias in reversed(node.names):
        if isinstance(node, ast.Import):
            if (alias.asname or alias.name.partition(".")[0]) == name:
                yield Import(alias.name, None, name)
        elif (alias.asname or alias.name) == name and (origin := _absolute(node, module)):
            yield Import(origin, alias.name, name)


def _absolute(node: ast.ImportFrom, module: Mapping[str, object]) -> str | None:
    if not node.level:
        return node.module
    package = module.get("__package__") or str(module.get("__name__", "")).rpartition(".")[0]
    try:
        return importlib.util.resolve_name("." * node.level + (node.module or ""), str(package))
    except ImportError:
        return None


def _of_module(module: ModuleType, name: str) -> Import | None:
    full = module.__name__
    if not same_object(sys.modules.get(full), module):
        return None
    parent, _, last = full.rpartition(".")
    return Import(parent, last, name) if parent and last == name else Import(full, None, name)
