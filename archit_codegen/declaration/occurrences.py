"""The plain values in changes: what each stands for, and where. Pure.

The same surgery done to models of several configs has the same values in the same roles; a layer's index is no part of
a role.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .agreement import UNKNOWN, literal_value
from .changes import Added, Arranged, AttributeChanged, Change, Delta, Inside, Parametrized, Replaced, TensorChanged
from .ir import Argument, CodeRef, ConfigCopy, Construction, Literal, Node, Structure, Value

Learnt = tuple[str, ...] | None
Arguments = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A value in a change at ``path``. ``text`` is its provenance; ``originals`` are the plain arguments of the
    declared call, ``owner`` those of the module in which it will be written."""

    path: str
    role: str
    value: Any
    text: str | None
    name: str
    originals: Arguments
    owner: Arguments


Learn = Callable[[Occurrence], Learnt]


def occurrences(delta: Delta) -> Iterator[Occurrence]:
    found: list[Occurrence] = []

    def learn(occurrence: Occurrence) -> Learnt:
        found.append(occurrence)
        return None

    with_learnt(delta, learn)
    yield from found


def with_learnt(delta: Delta, learn: Learn, owner: Node | None = None) -> Delta:
    """The same changes, with what is known about each value."""
    owner = delta.reference if owner is None or delta.reference.kind == "module" else owner
    declared = _declared(delta)
    edits = (_Walk(edit, declared.get(edit.slot), owner, learn).edit() for edit in delta.edits)
    return replace(delta, edits=tuple(edits))


def _declared(delta: Delta) -> Mapping[str, Node | None]:
    """The declared module for each slot of the live one."""
    order = next((edit.order for edit in delta.edits if isinstance(edit, Arranged)), None)
    before = dict(delta.reference.children)
    return before if order is None else {str(now): before[str(then)] for now, then in enumerate(order)}


@dataclass(frozen=True, slots=True)
class _Walk:
    change: Change
    declared: Node | None
    owner: Node
    learn: Learn

    def edit(self) -> Change:
        match self.change:
            case Inside(delta=delta):
                return replace(self.change, delta=with_learnt(delta, self.learn, self.owner))
            case Replaced(construction=construction, delta=delta) | Added(construction=construction, delta=delta):
                inner = None if delta is None else with_learnt(delta, self.learn, self.owner)
                return replace(self.change, construction=self.construction(construction, ""), delta=inner)
            case Parametrized(calls=calls):
                return replace(
                    self.change,
                    calls=tuple(
                        replace(
                            call,
                            arguments=self.arguments(call.arguments, f"{place}."),
                            construction=call.construction and self.construction(call.construction, f"{place}."),
                        )
                        for place, call in enumerate(calls)
                    ),
                )
            case TensorChanged(live=fact) if fact is not None:
                sizes = [self.value(f"dimension {place}", size, None) for place, size in enumerate(fact.shape)]
                return replace(self.change, learnt=tuple(sizes))
            case AttributeChanged(live=Literal() as value):
                return replace(self.change, learnt=self.literal("value", value, None, self.change.slot))
        return self.change

    def construction(self, call: Construction, place: str) -> Construction:
        here = f"{place}{call.cls.name}."
        children = [
            (key, self.construction(child, f"{here}{number}.")) for number, (key, child) in enumerate(call.children)
        ]
        return replace(call, arguments=self.arguments(call.arguments, here), children=tuple(children))

    def arguments(self, arguments: tuple[Argument, ...], place: str) -> tuple[Argument, ...]:
        return tuple(self.argument(argument, f"{place}{argument.name}") for argument in arguments)

    def argument(self, argument: Argument, place: str) -> Argument:
        match argument.value:
            case Literal() as value:
                return replace(argument, learnt=self.literal(place, value, argument.text, argument.name))
            case ConfigCopy(fields=fields) | Structure(items=fields, code=CodeRef()):
                plain = [(name, value) for name, value in fields if isinstance(value, Literal)]
                members = [(name, self.literal(f"{place}.{name}", value, None, name)) for name, value in plain]
                return replace(argument, members=tuple(members))
        return argument

    def literal(self, place: str, value: Literal, text: str | None, name: str) -> Learnt:
        plain = _value(value)
        return None if plain is UNKNOWN else self.value(place, plain, text, name)

    def value(self, place: str, value: Any, text: str | None, name: str = "") -> Learnt:
        path = self.change.path
        role = f"{re.sub(r'(?<![^.])[0-9]+(?![^.])', '*', path)} {type(self.change).__name__} {place}"
        originals, owner = _plain_arguments(self.declared), _plain_arguments(self.owner)
        return self.learn(Occurrence(path, role, value, text, name, originals, owner))


def _plain_arguments(node: Node | None) -> Arguments:
    arguments = () if node is None or node.built is None else node.built.arguments
    plain = [a for a in arguments if isinstance(a.value, Literal) and a.kind == "parameter"]
    return tuple((a.name, value) for a in plain if (value := _value(a.value)) is not UNKNOWN)


def _value(value: Value) -> object:
    return literal_value(ast.parse(value.text, mode="eval").body) if isinstance(value, Literal) else UNKNOWN
