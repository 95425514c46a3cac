"""Names for definitions and imports in one file: each means one thing."""

from collections.abc import Iterable, Mapping

from archit_codegen.declaration.importing import FUTURE, Import, sort_imports
from archit_codegen.declaration.names import BUILTINS
from archit_codegen.declaration.references import Key, Target, Unit
from archit_codegen.errors import UnsupportedChange


def choose_names(
    units: Mapping[Key, Unit], roots: list[Target], taken: frozenset[str], reserved: frozenset[str]
) -> dict[Target, str]:
    """Roots first, then imports, then the rest in the order in which they were found; the second gets a number.

    ``taken`` names are avoided, ``reserved`` ones by definitions alone.
    """
    references = [reference.target for unit in units.values() for reference in unit.references]
    imports = [target for target in [*roots, *references] if isinstance(target, Import)]
    # A name of Python's own is given to nothing else: some text, here or in another file, may mean that.
    used: set[str] = set(taken) | BUILTINS
    names: dict[Target, str] = {}
    for key in [target for target in roots if isinstance(target, tuple)]:
        _claim(key, units[key].wanted, names, used, reserved)
    for found in dict.fromkeys(imports):
        _claim_import(found, names, used)
    for key in units:
        _claim(key, units[key].wanted, names, used, reserved)
    return names


def import_statements(units: Iterable[Unit], roots: Iterable[Target], names: Mapping[Target, str]) -> tuple[str, ...]:
    """The statements for everything imported, sorted and merged."""
    members = list(units)
    targets = [*roots, *(reference.target for unit in members for reference in unit.references)]
    chosen: dict[tuple[str, bool, int], str] = {}
    for found in targets:
        if isinstance(found, Import):
            # Two spellings of one import under one name are one import.
            key = (names[found], found.binds_root, id(found.module) if found.binds_root else 0)
            chosen.setdefault(key, found.statement(names[found]))
    future = [FUTURE] if any(unit.postponed for unit in members) else []
    return sort_imports([*future, *chosen.values()])


def _claim(
    target: Target, wanted: str, names: dict[Target, str], used: set[str], reserved: frozenset[str] = frozenset()
) -> None:
    if target in names:
        return
    name, number = wanted, 2
    while name in used or name in reserved:
        name, number = f"{wanted}{number}", number + 1
    names[target] = name
    used.add(name)


def _claim_import(found: Import, names: dict[Target, str], used: set[str]) -> None:
    for other, name in names.items():
        if isinstance(other, Import) and name == found.alias and other.value() is found.value():
            names[found] = name
            return
    if found.binds_root and found.alias in used:
        reason = f"`import {found.module}` binds a name that stands for something else"
        raise UnsupportedChange(found.alias, reason, "Import the module under another name.")
    _claim(found, found.alias, names, used)
