"""The closure of the user's classes and functions: what has to be copied and imported so that they stand alone."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FunctionType, MappingProxyType, ModuleType

from archit_codegen.declaration.constants import statement_text
from archit_codegen.declaration.functiontext import function_as_def
from archit_codegen.declaration.importing import find_import, import_of, is_installed, user_module
from archit_codegen.declaration.literal import is_plain_identifier, is_writable, write_literal
from archit_codegen.declaration.liveness import check_class, check_function, default_edits, reachable
from archit_codegen.declaration.livesource import class_source, locate_class, locate_function
from archit_codegen.declaration.lookup import Place, literal_place, place_of_class, place_of_function, place_of_module
from archit_codegen.declaration.names import Edit, Position, assigned_globals, splice
from archit_codegen.declaration.naming import choose_names, import_statements
from archit_codegen.declaration.ordering import in_order
from archit_codegen.declaration.ownership import is_user_code, is_user_layer
from archit_codegen.declaration.references import Key, Target, Unit, read, rename
from archit_codegen.declaration.wrapping import as_written, closure_values
from archit_codegen.errors import UnsupportedChange

__all__ = ["Definition", "UserCode", "closure_values", "collect", "function_as_def", "is_user_code"]

NO_NAMES: Mapping[object, str] = MappingProxyType({})
UNNAMED = "function"
IN_MODULE = "Define it at the top of a module as a literal, or pass it to the class as an argument."


@dataclass(frozen=True, slots=True)
class Definition:
    """One statement to emit; ``uses`` are the names of other definitions and of imports that it reads."""

    name: str
    text: str
    uses: frozenset[str]


@dataclass(frozen=True, slots=True)
class UserCode:
    """Import statements, definitions in the order of dependency, and the name under which each object stands."""

    imports: tuple[str, ...]
    definitions: tuple[Definition, ...]
    names: Mapping[object, str]


def collect(
    roots: Sequence[type | FunctionType],
    *,
    taken: frozenset[str] = frozenset(),
    reserved: frozenset[str] = frozenset(),
    named: Mapping[object, str] = NO_NAMES,
) -> UserCode:
    """Everything that the roots need. ``taken`` names are avoided, ``reserved`` ones by definitions alone; ``named``
    gives the wished name of a root."""
    collector = _Collector()
    targets = {root: collector.copied_or_imported(root, named.get(root) or _own_name(root, UNNAMED)) for root in roots}
    collector.work()
    names = choose_names(collector.units, list(targets.values()), taken, reserved)
    ordered = in_order(collector.units)
    copied = {unit.value: names[unit.key] for unit in ordered if unit.key[0] == "object"}
    return UserCode(
        import_statements(collector.units.values(), targets.values(), names),
        tuple(_definition(unit, names) for unit in ordered),
        MappingProxyType(copied | {root: names[target] for root, target in targets.items()}),
    )


@dataclass(slots=True)
class _Collector:
    """Units that were found, and those of them that are still to be read."""

    units: dict[Key, Unit] = field(default_factory=dict)
    pending: list[tuple[Unit, Place | None]] = field(default_factory=list)

    def work(self) -> None:
        while self.pending:
            unit, place = self.pending.pop(0)
            if place is None:
                self.read_object(unit)
            else:
                self.read_constant(unit, place)

    def add(self, key: Key, wanted: str, value: object, place: Place | None) -> Key:
        if key not in self.units:
            self.units[key] = Unit(key, wanted, value)
            self.pending.append((self.units[key], place))
        return key

    def copied_or_imported(self, value: object, name: str) -> Target:
        """A class or function: copied if it is the user's, else imported."""
        if (isinstance(value, type) and is_user_code(value)) or user_function(value) is not None:
            return self.add(("object", id(value)), name, value, None)
        found = import_of(value, name)
        if found is None or not is_installed(found.module):
            raise UnsupportedChange(name, "it cannot be imported", "Define it at the top of a file of yours.")
        return found

    def resolve(self, name: str, value: object, place: Place, dotted: str) -> Target:
        """What a name that is bound to a value in a place refers to in the emitted file."""
        found = None if name in place.cells else find_import(place.trees, name, place.module, value, dotted)
        if found is not None and is_installed(found.module):
            return found
        if isinstance(value, type | FunctionType | ModuleType) or user_function(value) is not None:
            return self.copied_or_imported(value, name if isinstance(value, ModuleType) else _own_name(value, name))
        if found is not None and (module := user_module(found)) is not None:
            # A constant that one module of the user's imports from another is defined there.
            there = place_of_module(found.module, vars(module), None)
            return self.resolve(found.name or name, value, there, "")
        if name in place.cells:
            return self.add(("closure", id(place.cells[name])), name, value, place)
        if not is_writable(value) and (made := import_of(value, name)) is not None and is_installed(made.module):
            return made
        return self.add(("constant", id(place.module), name), name, value, place)

    def read_object(self, unit: Unit) -> None:
        if isinstance(unit.value, type):
            unit.text, place = written_class(unit.value)
        else:
            unit.text, place = written_function(unit.value, unit.wanted)
        unit.postponed = place.postponed
        read(unit, place, self.resolve)

    def read_constant(self, unit: Unit, place: Place) -> None:
        if unit.key[0] == "constant":
            _check_unassigned(unit, place)
            top = place_of_module(unit.wanted, place.module, place.files[0] if place.files else None)
            unit.text = statement_text(top.files, unit.wanted, unit.value, top.value)
            if unit.text:
                read(unit, top, self.resolve)
                return
        if not is_writable(unit.value):
            reason = f"{place.path} uses it, and a value of type {type(unit.value).__name__} cannot be written"
            raise UnsupportedChange(unit.wanted, reason, IN_MODULE)
        unit.text = f"{unit.wanted} = {write_literal(unit.value)}\n"
        read(unit, literal_place(unit.wanted), self.resolve)


def _definition(unit: Unit, names: Mapping[Target, str]) -> Definition:
    uses = frozenset(names[reference.target] for reference in unit.references) - {names[unit.key]}
    return Definition(names[unit.key], rename(unit, names[unit.key], names), uses)


def written_class(cls: type) -> tuple[str, Place]:
    """The text of a class of the user's, with literals for defaults that would differ by now, and where it stands."""
    located = locate_class(cls)
    assert isinstance(located.node, ast.ClassDef)
    text = class_source(cls).text
    place = place_of_class(cls, located, {})
    check_class(cls, located.node, located.compiled.code, place.value)
    text = splice(text, _method_defaults(cls, text, place))
    return text, place_of_class(cls, located, dict(_overrides(cls, text, place)))


def _method_defaults(cls: type, text: str, place: Place) -> Iterator[Edit]:
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.ClassDef)
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            for function in reachable(vars(cls).get(statement.name)):
                if function.__code__.co_qualname == f"{cls.__qualname__}.{statement.name}":
                    yield from default_edits(function, statement, place.value)


def _overrides(cls: type, text: str, place: Place) -> Iterator[tuple[Position, object]]:
    """Names that mean what they meant when the class was made: its bases, and itself in ``super(Name, self)``."""
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.ClassDef)
    for expression, base in zip(node.bases, cls.__bases__, strict=False):
        # A base that was a local variable has no other holder than the class.
        if isinstance(expression, ast.Name) and (base.__name__ == expression.id or expression.id in place.local):
            yield (expression.lineno, expression.col_offset), base
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "super" and call.args:
            first = call.args[0]
            if isinstance(first, ast.Name) and first.id == cls.__name__:
                yield (first.lineno, first.col_offset), cls


def written_function(value: object, name: str) -> tuple[str, Place]:
    """The same for a function of the user's, as a ``def`` of that name."""
    function = user_function(value)
    assert function is not None
    located = locate_function(function)
    check_function(function, located.node)
    place = place_of_function(function, located, {})
    text = function_as_def(function, name if is_plain_identifier(name) else "function")
    return splice(text, default_edits(function, ast.parse(text).body[0], place.value)), place


def user_function(value: object) -> FunctionType | None:
    """The function of the user's under a value: itself, or what a decorator of any kind wrapped."""
    if isinstance(value, FunctionType):
        return written if is_user_layer(written := as_written(value)) else None
    wrapped = None if isinstance(value, type | ModuleType) else getattr(value, "__wrapped__", None)
    return user_function(wrapped) if isinstance(wrapped, FunctionType) else None


def _own_name(value: object, name: str) -> str:
    if isinstance(value, type) and not is_plain_identifier(value.__name__):
        return getattr(locate_class(value).node, "name", name)  # a name that was set is not that of the statement
    function = user_function(value)
    if function is not None and "__wrapped__" in vars(function):  # has the name of what it wraps, which has it too
        own = function.__code__.co_name if name == UNNAMED else name
    else:
        own = getattr(function or value, "__name__", name)
    return own if is_plain_identifier(own) else name


def _check_unassigned(unit: Unit, place: Place) -> None:
    if any(unit.wanted in assigned_globals(tree) for tree in place.trees):
        reason = "a function assigns it with `global`: state that no source declares"
        raise UnsupportedChange(unit.wanted, reason, IN_MODULE)
