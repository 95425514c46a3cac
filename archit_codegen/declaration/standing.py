"""Declared modules that stand in several slots, and the live module that each of them stands for. Pure."""

from collections import Counter
from collections.abc import Container, Sequence

from .distance import distance, parts
from .ir import Node


class Standing:
    """What the declared class shares is one live module, too; where it is not, all but the first are others."""

    def __init__(self, reference: Node, live: Node) -> None:
        self._slots = {key: number for key, number in _slots(reference).items() if number > 1}
        # A module that was there before the model, of a table in a file, is itself in both.
        kept = self._slots.keys() & _slots(live).keys() if self._slots else ()
        self._live = {key: key for key in kept}
        self._holding: dict[int, bool] = {}

    def is_another(self, reference: Node, live: Node) -> bool:
        """Whether the declared module, met in a slot before, stood for another live one there."""
        return reference.key in self._slots and self._live.setdefault(reference.key, live.key) != live.key

    def within(self, reference: Node) -> bool:
        """Whether a declared module, or one below it, stands in several slots."""
        if not self._slots:
            return False
        if reference.key not in self._holding:
            below = [self.within(child) for _, child in reference.children if child is not None]
            self._holding[reference.key] = reference.key in self._slots or any(below)
        return self._holding[reference.key]

    def once_more(self, member: Node) -> None:
        """A declared member stands for another live one as well, with all that it alone shares."""
        if self.within(member):
            for key, number in _slots(member).items():
                if self._slots.get(key) == number:
                    self._live.pop(key, None)


def _slots(root: Node) -> Counter[int]:
    """In how many slots below a module each other one stands."""
    found: Counter[int] = Counter()
    pending = [root]
    while pending:
        for _, child in pending.pop().children:
            if child is not None:
                found[child.key] += 1
                if found[child.key] == 1:
                    pending.append(child)
    return found


def nearest_first(declared: Sequence[Node], matches: Sequence[int | None], members: Sequence[Node]) -> list[int]:
    """An order of the members of a list, each of which stands for the declared one that it matches, in which a module
    that several hold is met first where it is nearest to what was declared."""
    holders = Counter(key for member in members for key in {part.key for part in parts(member)})
    common = {key for key, number in holders.items() if number > 1}
    stood = [None if match is None else declared[match] for match in matches]
    return sorted(range(len(members)), key=lambda index: _away(stood[index], members[index], common))


def _away(declared: Node | None, live: Node, common: Container[int]) -> int:
    """How far the modules that are held in common are from what was declared in this member."""
    if live.key in common:
        return 1 if declared is None else distance(declared, live)
    before = {} if declared is None else dict(declared.children)
    return sum(_away(before.get(name), child, common) for name, child in live.children if child is not None)
