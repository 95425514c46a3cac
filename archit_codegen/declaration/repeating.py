"""Paths to classes that have to be emitted, the same in each of many layers: one plan is enough for all. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .changes import Delta, Inside, nested
from .edits import Callee, Constructs, SiteEdit, SourceEdit
from .ir import ClassRef, Node


@dataclass(slots=True)
class Repeats:
    """What stands for each module on such a path, in tree order, by all that the plan of a path rests on."""

    known: dict[object, tuple[str | None, ...]] = field(default_factory=dict)

    def find(self, delta: Delta) -> dict[int, str] | None:
        """The variants of the live modules on a path, as far as one like it was planned."""
        names = self.known.get(_likeness(delta))
        if names is None:
            return None
        inner = zip(nested(delta), names, strict=True)
        return {part.live.key: name for part, name in inner if name is not None}

    def keep(self, delta: Delta, edits: Mapping[ClassRef, list[SourceEdit]], taken: Mapping[int, str]) -> None:
        """Remember what a path was planned as, where its text follows from what was built where: the arguments of
        the modules, and the loop in which they are built, may be others in the next layer."""
        likeness = _likeness(delta)
        parts = [part for part in nested(delta) if part is not delta and part.live.key in taken]
        if likeness is None or not all(map(_named, edits.values())):
            return
        if all(_likeness(part) in self.known for part in parts):
            self.known[likeness] = tuple(taken.get(part.live.key) for part in nested(delta))


def _named(edits: list[SourceEdit]) -> bool:
    """Whether these do no more than name the class at sites, the same in every iteration."""
    return all(
        isinstance(edit, Constructs)
        or (isinstance(edit, SiteEdit) and all(not at and isinstance(new, Callee) for at, new in edit.choices))
        for edit in edits
    )


def _likeness(delta: Delta) -> object:
    """Equal for paths through the same slots, over modules of the same classes that were built by the same code; None
    where something on the path is changed."""
    slots = _slots(delta)
    return None if slots is None else (delta.reference.cls, slots, tuple(_built(delta.reference)))


def _slots(delta: Delta) -> tuple[object, ...] | None:
    found: list[object] = []
    for edit in delta.edits:
        below = _slots(edit.delta) if isinstance(edit, Inside) else None
        if below is None:
            return None
        found.append((edit.slot, below))
    return tuple(found)


def _built(root: Node) -> Iterator[object]:
    """The class of each module below, where it was built and for which one of them; each of them once."""
    places: dict[int | None, int] = {root.key: 0}
    pending = [child for _, child in reversed(root.children)]
    while pending:
        node = pending.pop()
        if node is None or node.key in places:
            yield None
            continue
        places[node.key] = len(places)
        made = node.built
        # A place is one object for as long as its modules are there.
        yield node.cls, made and (id(made.site), made.site_class, places.get(made.owner), made.ordinal, made.direct)
        pending += [child for _, child in reversed(node.children)]
