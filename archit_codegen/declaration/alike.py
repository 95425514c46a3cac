"""Members of a list that were changed alike in all but the values given. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from functools import cache
from typing import Any

from .changes import Delta, Inside
from .ir import Argument, ClassRef, CodeRef, ConfigRef, Construction, Literal, TensorFact

Shape = Any  # hashable: what a change is, without its literals
PLAIN = frozenset({str, int, bool, type(None), ClassRef, CodeRef, ConfigRef})
APART = frozenset({"path", "reference", "live", "built", "key"})
ORIGINS = frozenset({"text", "learnt", "members"})  # of an argument: where its value comes from


def differ_in_values(delta: Delta, likeness: Callable[[Delta], int | None]) -> Iterator[list[Inside]]:
    """Members of a list with one shape of changes, but with other literals in it; members of one ``likeness`` have
    both in common."""
    groups: dict[Shape, list[tuple[Inside, list[str]]]] = {}
    known: dict[int | None, tuple[list[tuple[Inside, list[str]]], list[str]]] = {}
    for edit in delta.edits:
        if isinstance(edit, Inside) and edit.slot.isdigit():
            like = likeness(edit.delta)
            if like is None or like not in known:
                literals: list[str] = []
                known[like] = groups.setdefault(_shape(edit.delta, literals), []), literals
            group, literals = known[like]
            group.append((edit, literals))
    for group in groups.values():
        if any(literals != group[0][1] for _, literals in group):
            yield [edit for edit, _ in group]


def _shape(item: Any, literals: list[str]) -> Shape:
    kind: Any = type(item)
    if kind is Literal:
        literals.append(item.text)
        return Literal
    if kind in PLAIN:
        return item
    if kind is tuple:
        return tuple([_shape(part, literals) for part in item])
    if kind is Delta:
        shapes = [(edit.slot, _shape(edit, literals)) for edit in item.edits]
        if all(type(edit) is Inside and edit.slot.isdigit() for edit in item.edits):
            # A list within, however long: its own members differ, if at all, in values.
            return item.reference.cls, frozenset(shape for _, shape in shapes)
        return item.reference.cls, tuple(shapes)
    if kind is Construction and item.text is not None:
        literals.append(item.text)
        return kind, item.cls
    if kind is TensorFact:
        return item.shape, item.dtype, item.kind, item.persistent
    return kind, tuple([_shape(getattr(item, name), literals) for name in _told(kind)])


@cache
def _told(cls: Any) -> Sequence[str]:
    apart = APART | ORIGINS if cls is Argument else APART
    return [field.name for field in fields(cls) if field.name not in apart]
