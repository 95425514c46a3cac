"""Members of a list that were changed alike in all but the values given. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import cache
from typing import Any

from .changes import Delta, Inside
from .ir import CodeRef, Literal, ModuleRef, Node, TensorFact

Shape = object  # hashable: what a change is, without its literals
APART = frozenset({"path", "reference", "live", "built", "text", "learnt", "members", "key"})


def differ_in_values(delta: Delta) -> Iterator[list[Inside]]:
    """Members of a list with one shape of changes, but with other literals in it."""
    groups: dict[Shape, list[tuple[Inside, list[str]]]] = {}
    for edit in delta.edits:
        if isinstance(edit, Inside) and edit.slot.isdigit():
            literals: list[str] = []
            groups.setdefault(_shape(edit.delta, literals), []).append((edit, literals))
    for group in groups.values():
        if any(literals != group[0][1] for _, literals in group):
            yield [edit for edit, _ in group]


def _shape(item: object, literals: list[str]) -> Shape:
    match item:
        case Literal(text=text):
            literals.append(text)
            return Literal
        case Delta():
            shapes = [(edit.slot, _shape(edit, literals)) for edit in item.edits]
            if all(isinstance(edit, Inside) and edit.slot.isdigit() for edit in item.edits):
                # A list within, however long: its own members differ, if at all, in values.
                return item.reference.cls, frozenset(shape for _, shape in shapes)
            return item.reference.cls, tuple(shapes)
        case CodeRef() | None | str() | int():
            return item
        case ModuleRef() | Node():
            return type(item)
        case TensorFact():
            return item.shape, item.dtype, item.kind, item.persistent
        case tuple():
            return tuple(_shape(part, literals) for part in item)
    kind: Any = type(item)
    return kind, tuple(_shape(getattr(item, name), literals) for name in _told(kind))


@cache
def _told(cls: Any) -> Sequence[str]:
    return [field.name for field in fields(cls) if field.name not in APART]
