"""Adds paths to modules whose class has to be emitted although nothing in it changed. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from .changes import Arranged, Change, Delta, Frozen, Inside, Replaced
from .ir import ClassRef, Node, join


def forced(delta: Delta, classes: frozenset[ClassRef], path: str = "") -> Delta:
    """The delta, with a path to every module of the given classes that stands for a declared one."""
    if not classes:
        return delta
    pairs = {name: (known, child) for name, known, child in _pairs(delta)}
    edits = [_forced_edit(edit, pairs.get(edit.slot), classes) for edit in delta.edits]
    touched = {edit.slot for edit in edits if edit.path != path and not isinstance(edit, Frozen)}
    for name, (known, child) in pairs.items():
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


def _forced_edit(edit: Change, pair: tuple[Node, Node] | None, classes: frozenset[ClassRef]) -> Change:
    if isinstance(edit, Inside):
        return replace(edit, delta=forced(edit.delta, classes, edit.path))
    if isinstance(edit, Replaced) and edit.inner is not None and edit.built is not None and pair is not None:
        inside = forced(edit.delta or Delta(edit.built, pair[1], ()), classes, edit.path)
        return replace(edit, delta=inside) if inside.edits else edit
    return edit
