"""Adds paths to modules whose class has to be emitted although nothing in it changed. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from .changes import Arranged, Change, Delta, Frozen, Inside
from .ir import ClassRef, Node, join


def forced(delta: Delta, classes: frozenset[ClassRef], path: str = "") -> Delta:
    """The delta, with a path to every module of the given classes that stands for a declared one."""
    if not classes:
        return delta
    edits = [_forced_edit(edit, classes) for edit in delta.edits]
    touched = {edit.slot for edit in edits if edit.path != path and not isinstance(edit, Frozen)}
    for name, known, child in _pairs(delta):
        if name not in touched and known.cls == child.cls:
            inner = forced(Delta(known, child, ()), classes, join(path, name))
            if inner.edits or child.cls in classes:
                edits.append(Inside(join(path, name), inner))
    return replace(delta, edits=tuple(edits))


def _pairs(delta: Delta) -> Iterator[tuple[str, Node, Node]]:
    """Each live child, once, with the declared one that it stands for."""
    order = next((edit.order for edit in delta.edits if isinstance(edit, Arranged)), None)
    declared = dict(delta.reference.children)
    seen: set[int] = set()
    for name, child in delta.live.children:
        if order is not None:
            place = int(name)
            known = delta.reference.children[order[place]][1] if place < len(order) else None
        else:
            known = declared.get(name)
        if child is not None and known is not None and child.key not in seen:
            seen.add(child.key)
            yield name, known, child


def _forced_edit(edit: Change, classes: frozenset[ClassRef]) -> Change:
    return replace(edit, delta=forced(edit.delta, classes, edit.path)) if isinstance(edit, Inside) else edit
