"""Adds paths to modules whose class has to be emitted although nothing in it changed. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from .changes import Arranged, Change, Delta, Frozen, Inside, Replaced
from .ir import ClassRef, Node, join


def forced(delta: Delta, classes: frozenset[ClassRef]) -> Delta:
    """The delta, with a path to every module of the given classes that stands for a declared one."""
    return _Forcing(classes).inside(delta, "") if classes else delta


@dataclass(slots=True)
class _Forcing:
    classes: frozenset[ClassRef]
    known: dict[int, bool] = field(default_factory=dict)  # by the form of live modules

    def inside(self, delta: Delta, path: str) -> Delta:
        pairs = {name: (known, child) for name, known, child in _pairs(delta)}
        edits = [self.edit(edit, pairs.get(edit.slot)) for edit in delta.edits]
        touched = {edit.slot for edit in edits if edit.path != path and not isinstance(edit, Frozen)}
        for name, (known, child) in pairs.items():
            if name not in touched and known.cls == child.cls and self.holds(child):
                inner = self.inside(Delta(known, child, ()), join(path, name))
                if inner.edits or child.cls in self.classes:
                    edits.append(Inside(join(path, name), inner))
        return replace(delta, edits=tuple(edits))

    def holds(self, node: Node) -> bool:
        """Whether one of the classes is there or below."""
        if node.form not in self.known:
            below = any(child is not None and self.holds(child) for _, child in node.children)
            self.known[node.form] = below or node.cls in self.classes
        return self.known[node.form]

    def edit(self, edit: Change, pair: tuple[Node, Node] | None) -> Change:
        if isinstance(edit, Inside):
            return replace(edit, delta=self.inside(edit.delta, edit.path))
        if isinstance(edit, Replaced) and edit.inner is not None and edit.built is not None and pair is not None:
            inside = self.inside(edit.delta or Delta(edit.built, pair[1], ()), edit.path)
            return replace(edit, delta=inside) if inside.edits else edit
        return edit


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
