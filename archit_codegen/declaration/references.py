"""Where a text refers to other definitions and imports, and the same text with the names that were chosen for them."""

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType

from archit_codegen.declaration.agreement import UNKNOWN
from archit_codegen.declaration.functiontext import name_edit
from archit_codegen.declaration.importing import Import, is_installed
from archit_codegen.declaration.lookup import Place, place_of_module
from archit_codegen.declaration.names import Edit, NameUse, Position, bindings, global_uses, splice
from archit_codegen.declaration.ownership import is_user_module
from archit_codegen.errors import UnsupportedChange

SPECIAL = frozenset({"__file__", "__path__", "__spec__", "__loader__", "__package__", "__builtins__"})
Key = tuple[object, ...]
Target = Key | Import
Resolve = Callable[[str, object, Place, str], Target]


@dataclass(frozen=True, slots=True)
class Reference:
    """A range of a text that names a target; ``hard`` if it is read when the text is executed."""

    start: Position
    end: Position
    name: str
    target: Target
    hard: bool
    quoted: str | None = None


@dataclass(slots=True, eq=False)
class Unit:
    """One statement on its way into the file."""

    key: Key
    wanted: str
    value: object
    text: str = ""
    references: list[Reference] = field(default_factory=list)
    postponed: bool = False


def read(unit: Unit, place: Place, resolve: Resolve) -> None:
    """Find what the text of a unit refers to."""
    tree = ast.parse(unit.text)
    _check_statements(tree, place)
    own = bindings(tree.body).bound if unit.key[0] != "object" else frozenset()
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    uses = [use for use in global_uses(tree) if use.name not in own]
    unit.references = [found for use in uses for found in _references(use, place, parents, resolve)]


def rename(unit: Unit, name: str, names: Mapping[Target, str]) -> str:
    """The text with its own name and those of its references as chosen."""
    own = _own_name_edit(unit.text, name)
    edits = [edit for reference in unit.references if (edit := _edit(reference, names[reference.target]))]
    quoted = {reference.start: reference for reference in unit.references if reference.quoted is not None}
    merged = [_quoted_edit(unit, reference, names) for reference in quoted.values()]
    return splice(unit.text, [own, *edits, *merged])


def _references(
    use: NameUse, place: Place, parents: Mapping[ast.AST, ast.AST], resolve: Resolve
) -> Iterator[Reference]:
    start = (use.node.lineno, use.node.col_offset)
    value = place.overrides.get(start, place.value(use.name))
    if place.is_builtin(use.name) and start not in place.overrides:
        return
    _check_special(use, place)
    if value is UNKNOWN:
        _check_unknown(use, place)
        return
    node, name, where = _through_modules(use, value, place, parents)
    value = value if node is use.node else getattr(where[0], name)
    quoted = str(use.node.value) if isinstance(use.node, ast.Constant) else None
    hard = not use.deferred and not (use.annotation and place.postponed)
    target = resolve(name, value, where[1], _dotted(use.node, parents))
    end = (node.end_lineno or 0, node.end_col_offset or 0)
    yield Reference(start, end, use.name if node is use.node else "", target, hard, quoted)


def _through_modules(
    use: NameUse, value: object, place: Place, parents: Mapping[ast.AST, ast.AST]
) -> tuple[ast.expr, str, tuple[object, Place]]:
    """``helpers.scale`` of a module of the user's becomes the copied ``scale``: the expression, its name and owner."""
    node: ast.expr = use.node
    name = use.name
    owner: tuple[object, Place] = (None, place)
    while isinstance(value, ModuleType) and is_user_module(value):
        parent = parents.get(node)
        if not isinstance(parent, ast.Attribute) or not hasattr(value, parent.attr):
            reason = f"it uses the module `{name}`, which is copied and not imported, as a value"
            raise UnsupportedChange(place.path, reason, "Import the names that are needed from the module.")
        owner = (value, place_of_module(value.__name__, vars(value), None))
        node, name, value = parent, parent.attr, getattr(value, parent.attr)
    return node, name, owner


def _check_special(use: NameUse, place: Place) -> None:
    if use.name in SPECIAL:
        reason = f"`{use.name}` is about the file that it stands in"
        raise UnsupportedChange(place.path, reason, "Pass what it is needed for as an argument.")


def _check_unknown(use: NameUse, place: Place) -> None:
    if use.quoted or (use.annotation and place.postponed):
        return
    if use.name in place.local:
        reason = f"`{use.name}` is local to a function that has returned, and nothing holds its value"
        raise UnsupportedChange(place.path, reason, "Move the definition to the top of a module.")
    if not use.deferred:
        raise UnsupportedChange(place.path, f"`{use.name}` is not defined any more", "Keep the name in its module.")


def _check_statements(tree: ast.Module, place: Place) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Nonlocal) and set(node.names) & set(place.cells):
            reason = f"it assigns `{node.names[0]}` of an enclosing function: state that no source declares"
            raise UnsupportedChange(place.path, reason, "Keep the state on the module.")
        if isinstance(node, ast.Global):
            reason = f"it assigns `{node.names[0]}` with `global`: state that no source declares"
            raise UnsupportedChange(place.path, reason, "Keep the state on the module.")
        if isinstance(node, ast.Import | ast.ImportFrom) and not _stays_valid(node):
            reason = f"line {node.lineno} imports the user's code inside a function, which the package does not hold"
            raise UnsupportedChange(place.path, reason, "Import it at the top of the module.")


def _stays_valid(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        children = [f"{module}.{alias.name}" for alias in node.names if f"{module}.{alias.name}" in sys.modules]
        return node.level == 0 and all(is_installed(name) for name in (module, *children))
    return all(is_installed(alias.name) for alias in node.names)


def _dotted(node: ast.expr, parents: Mapping[ast.AST, ast.AST]) -> str:
    """The longest dotted name that begins at a name."""
    text = node.id if isinstance(node, ast.Name) else ""
    parent = parents.get(node)
    while isinstance(parent, ast.Attribute):
        text += f".{parent.attr}"
        parent = parents.get(parent)
    return text


def _own_name_edit(text: str, name: str) -> Edit:
    statement = ast.parse(text).body[0]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        end = (target.end_lineno or 0, target.end_col_offset or 0)
        return Edit((target.lineno, target.col_offset), end, name)
    return name_edit(text, name)


def _edit(reference: Reference, name: str) -> Edit | None:
    changed = reference.quoted is None and reference.name != name
    return Edit(reference.start, reference.end, name) if changed else None


def _quoted_edit(unit: Unit, reference: Reference, names: Mapping[Target, str]) -> Edit:
    text = reference.quoted or ""
    for other in unit.references:
        if other.start == reference.start:
            text = re.sub(rf"\b{re.escape(other.name)}\b", names[other.target], text)
    return Edit(reference.start, reference.end, f'"{text}"')
