"""Definitions in an order in which the file can be executed."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import TypeVar

from archit_codegen.declaration.edits import Variant
from archit_codegen.declaration.references import Key, Unit
from archit_codegen.errors import UnsupportedChange

Item = TypeVar("Item")


def in_order(units: Mapping[Key, Unit]) -> list[Unit]:
    """What is used stands before what uses it; among functions that use each other, what execution needs decides."""
    groups = _components(units)
    return [units[key] for group in groups for key in _executable(group, units)]


def bases_first(variants: Sequence[Variant]) -> list[Variant]:
    """The same order, but for base classes that stand after their subclasses: those of another file may."""
    named = {variant.name: variant for variant in variants}
    done: list[Variant] = []

    def visit(variant: Variant) -> None:
        for _, base in variant.bases:
            if base in named and named[base] not in done:
                visit(named[base])
        done.append(variant)

    _each(variants, done, visit)
    return done


def _edges(unit: Unit, units: Mapping[Key, Unit], hard_only: bool) -> list[Key]:
    targets = [item.target for item in unit.references if item.hard or not hard_only]
    return [key for key in dict.fromkeys(targets) if isinstance(key, tuple) and key in units and key != unit.key]


def _components(units: Mapping[Key, Unit]) -> list[list[Key]]:
    """Groups of units that need each other, dependencies first (Tarjan)."""
    number: dict[Key, int] = {}
    low: dict[Key, int] = {}
    stack: list[Key] = []
    groups: list[list[Key]] = []

    def visit(key: Key) -> None:
        number[key] = low[key] = len(number)
        stack.append(key)
        for other in _edges(units[key], units, hard_only=False):
            if other not in number:
                visit(other)
            if other in stack:
                low[key] = min(low[key], low[other])
        if low[key] == number[key]:
            position = stack.index(key)
            groups.append(stack[position:])
            del stack[position:]

    _each(units, number, visit)
    return groups


def _executable(group: list[Key], units: Mapping[Key, Unit]) -> list[Key]:
    """The members of a group, each after what its execution reads."""
    done: list[Key] = []
    open_: list[Key] = []

    def visit(key: Key) -> None:
        if key in open_:
            name = units[key].wanted
            raise UnsupportedChange(name, "its definition needs itself", "Break the cycle in its module.")
        open_.append(key)
        for other in _edges(units[key], units, hard_only=True):
            if other in group and other not in done:
                visit(other)
        open_.remove(key)
        done.append(key)

    _each(group, done, visit)
    return done


def _each(keys: Iterable[Item], done: Container[Item], visit: Callable[[Item], None]) -> None:
    for key in keys:
        if key not in done:
            visit(key)
