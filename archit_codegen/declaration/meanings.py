"""What names of original texts lead to, for the check of an emitted text."""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType, ModuleType

import transformers

from . import given
from .agreement import UNKNOWN
from .conversions import IMPORTS as CONVERSION_IMPORTS
from .draft import Draft
from .ecosystem import auto_classes
from .emittedfile import EmittedFile, Imported
from .functiontext import renamed
from .importing import find_import, same_object, user_module
from .literal import write_literal
from .livesource import function_source, innermost, locate_function
from .lookup import Place, place_of_function, place_of_module
from .ownership import is_user_module

Found = tuple[object, str, Place]
"""A value, and the name that it has in a place."""


@dataclass(frozen=True, slots=True)
class Demand:
    """A definition of a file has to be what an object or a value is, which a text calls ``name`` in ``place``."""

    file: EmittedFile
    definition: str
    value: object
    name: str
    place: Place


def homes(name: str, value: object, place: Place) -> Iterator[tuple[str, Place]]:
    """A name in a place; and where the modules of the user's that the place imports it from define it."""
    seen: set[tuple[str, int]] = set()
    while (name, id(place.module)) not in seen:
        seen.add((name, id(place.module)))
        yield name, place
        found = None if name in place.cells else find_import(place.trees, name, place.module, value, "")
        module = user_module(found) if found is not None else None
        if found is None or module is None:
            return
        name, place = found.name or name, place_of_module(found.module, vars(module), None)


def through_modules(node: ast.Attribute, place: Place) -> Found | None:
    """What `helpers.scale` means, where `helpers` is a module of the user's."""
    if isinstance(node.value, ast.Attribute):
        outer = through_modules(node.value, place)
        owner = outer[0] if outer is not None else None
    else:
        owner = place.value(node.value.id) if isinstance(node.value, ast.Name) else None
    if not (isinstance(owner, ModuleType) and is_user_module(owner) and hasattr(owner, node.attr)):
        return None
    return getattr(owner, node.attr), node.attr, place_of_module(owner.__name__, vars(owner), None)


def gives(imported: Imported, value: object) -> bool:
    """Whether an import binds the very value."""
    found = imported.value()
    plain = isinstance(found, int | str | float)
    return same_object(found, value) or (plain and type(found) is type(value) and bool(found == value))


def values_of(expression: ast.expr, place: Place) -> dict[str, object]:
    names = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
    return {name: value for name in names if (value := place.value(name)) is not UNKNOWN}


def renamed_target(statement: ast.stmt, name: str) -> ast.stmt:
    """An assignment to another name."""
    target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
    if isinstance(target, ast.Name):
        target.id = name
    return statement


def copied_text(value: object, name: str) -> tuple[str, Place] | None:
    """A function of a modelling file of transformers, or one of ours that new text calls, as a definition of this
    name, and where it stands."""
    if not isinstance(value, FunctionType) or not value.__module__.startswith(
        ("transformers.models.", given.__name__)
    ):
        return None
    function = innermost(value)
    return renamed(function_source(function).text, name), place_of_function(function, locate_function(function), {})


def registrations(draft: Draft) -> tuple[list[ast.stmt], Place]:
    """The calls that `__init__` has to make, and what the names in them mean."""
    autos = [auto for auto in auto_classes(draft.declared.__name__) if draft.config is not None]
    values: Mapping[str, object] = {auto: getattr(transformers, auto) for auto in ("AutoConfig", *autos)}
    if draft.config is None:
        return [], Place("__init__", values, ())
    config, root, name = draft.config.name, draft.root, write_literal(draft.name)
    lines = [f"AutoConfig.register({name}, {config}, exist_ok=True)"]
    lines += [f"{auto}.register({config}, {root}, exist_ok=True)" for auto in autos]
    lines += [f"{config}.register_for_auto_class()"]
    lines += [f"{root}.register_for_auto_class({write_literal(auto)})" for auto in autos[:1]]
    return ast.parse("\n".join(lines)).body, Place("__init__", values, ())


def reading(draft: Draft) -> tuple[list[ast.stmt], Place]:
    """The calls after the classes by which checkpoints of the declared class can be read."""
    names = (line.rpartition(" import ") for line in CONVERSION_IMPORTS)
    values = {name: getattr(sys.modules[module.removeprefix("from ")], name) for module, _, name in names}
    return ast.parse("\n".join(draft.conversions)).body, Place("the conversions", values, ())
