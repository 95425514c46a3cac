"""Paths to classes that have to be emitted, and to modules that were replaced, the same in each of many layers: one
plan is enough for all. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .changes import Change, Delta, Inside, Replaced, nested
from .edits import Arguments, Callee, Constructs, Expression, SiteEdit, SourceEdit
from .expressions import own_names
from .ir import ClassRef, ConfigCopy, ConfigRef, Literal, Node

Path = int | None  # a number for what is changed on a path; None where it may be planned in another way each time


@dataclass(slots=True)
class Repeats:
    """What stands for each module on such a path, in tree order, by all that the plan of a path rests on."""

    known: dict[int | None, tuple[str | None, ...]] = field(default_factory=dict)
    planned: set[int] = field(default_factory=set)  # the live modules, by their keys, whose plans are known
    paths: dict[int, tuple[Delta, Path]] = field(default_factory=dict)  # each delta is held: another may get its id
    alike: dict[int, int | None] = field(default_factory=dict)
    numbers: dict[object, int] = field(default_factory=dict)

    def copy(self) -> "Repeats":
        """One that learns by itself from now on; the likeness of paths is the same in both."""
        return Repeats(dict(self.known), set(self.planned), self.paths, self.alike, self.numbers)

    def likeness(self, delta: Delta) -> int | None:
        """Equal for paths through the same slots, over modules of the same classes that were built by the same code,
        to the same calls in the place of the same calls; None where anything else on the path is changed."""
        if id(delta) not in self.alike:
            path = self._path(delta)
            # A number, since it is looked up several times and hashing it takes longer than reading it.
            key = None if path is None else (path, *_built(delta.reference))
            self.alike[id(delta)] = None if key is None else self.numbers.setdefault(key, len(self.numbers))
        return self.alike[id(delta)]

    def find(self, delta: Delta, likeness: int | None) -> dict[int, str] | None:
        """The variants of the live modules on a path, as far as one like it was planned."""
        names = self.known.get(likeness)
        if names is None:
            return None
        inner = zip(nested(delta), names, strict=True)
        found = {part.live.key: name for part, name in inner if name is not None}
        self.planned |= found.keys()
        return found

    def keep(
        self, delta: Delta, likeness: int | None, edits: Mapping[ClassRef, list[SourceEdit]], taken: Mapping[int, str]
    ) -> None:
        """Remember what a path was planned as, where its text follows from what was built where and replaced by what:
        other arguments of the modules, and the loop in which they are built, may be others in the next layer."""
        if likeness is None or not all(_at_sites(each, delta) for each in edits.values()):
            return
        parts = [part.live.key for part in nested(delta) if part is not delta and part.live.key in taken]
        if self.planned.issuperset(parts):
            self.known[likeness] = tuple(taken.get(part.live.key) for part in nested(delta))
            self.planned.add(delta.live.key)

    def _path(self, delta: Delta) -> Path:
        if id(delta) not in self.paths:
            slots = self._slots(delta)
            number = None if slots is None else self.numbers.setdefault(slots, len(self.numbers))
            self.paths[id(delta)] = delta, number
        return self.paths[id(delta)][1]

    def _slots(self, delta: Delta) -> tuple[object, ...] | None:
        """What is changed in each slot, and the names that the owner has for the arguments of new calls."""
        found: list[object] = []
        for edit in delta.edits:
            if isinstance(edit, Inside):
                below: object = self._path(edit.delta)
            else:
                below = _calls(edit, delta.reference) if isinstance(edit, Replaced) else None
            if below is None:
                return None
            found.append((edit.slot, below))
        calls = any(isinstance(edit, Replaced) for edit in _own(delta))
        return *found, own_names(delta.reference) if calls else None


def _own(delta: Delta) -> Iterator[Change]:
    """What the owner changes, through lists and torch's own modules."""
    for edit in delta.edits:
        if isinstance(edit, Inside) and edit.delta.reference.kind != "module":
            yield from _own(edit.delta)
        else:
            yield edit


def _calls(edit: Replaced, owner: Node) -> tuple[object, ...] | None:
    """The call that makes a module, and that which made the declared one; None where it is given other modules, or
    the module was changed further."""
    made, declared = edit.construction, dict(owner.children).get(edit.slot)
    plain = all(isinstance(argument.value, Literal | ConfigRef | ConfigCopy) for argument in made.arguments)
    if not plain or made.children or edit.delta is not None or edit.inner is not None:
        return None
    before = None if declared is None or declared.built is None else declared.built.arguments
    return edit.declared, made, made.code.key, before


def _at_sites(edits: list[SourceEdit], delta: Delta) -> bool:
    """Whether these say no more than what is built at sites, the same in every iteration; of what was changed inside
    just the class, since the arguments of its call are no part of the likeness."""
    inside = any(isinstance(edit, Inside) for edit in _own(delta))
    kinds = (Callee,) if inside else (Callee, Expression, Arguments)
    return all(
        isinstance(edit, Constructs)
        or (isinstance(edit, SiteEdit) and all(not at and isinstance(new, kinds) for at, new in edit.choices))
        for edit in edits
    )


def _built(root: Node) -> list[object]:
    """The class of each module below, where it was built and for which one of them; each of them once.

    A class and a place are one object for as long as its modules are there."""
    places: dict[int | None, int] = {root.key: 0}
    found: list[object] = [id(root.cls)]
    pending = [child for _, child in reversed(root.children)]
    while pending:
        node = pending.pop()
        if node is None or node.key in places:
            found.append(None)
            continue
        places[node.key] = len(places)
        found.append(id(node.cls))
        if (made := node.built) is not None:
            found += (id(made.site), id(made.site_class), places.get(made.owner), made.ordinal, made.direct)
        if node.children:
            pending += [child for _, child in reversed(node.children)]
    return found
