"""The members of a list: which declared ones the live ones are, and how they are named. Pure."""

from .changes import Added, Arranged, Change, Delta
from .ir import Node


def member_order(delta: Delta) -> tuple[int | None, ...] | None:
    """Which declared member of a list each live one is; None where they stand in their places."""
    arranged = next((edit.order for edit in delta.edits if isinstance(edit, Arranged)), None)
    added = {edit.slot for edit in delta.edits if isinstance(edit, Added)}
    if arranged is None and (delta.reference.kind != "container" or not added or not is_list(delta.live)):
        return None
    kept = tuple(range(len(delta.reference.children))) if arranged is None else arranged
    names = [name for name, _ in delta.live.children]
    if len(names) - len(added) != len(kept):
        return kept  # some of the new ones are modules of other slots
    left = iter(kept)
    return tuple([None if name in added else next(left) for name in names])


def is_list(node: Node) -> bool:
    """Whether the names of all members are their places."""
    return [name for name, _ in node.children] == [str(index) for index in range(len(node.children))]


def declared_member(delta: Delta, edit: Change, order: tuple[int | None, ...]) -> Node | None:
    """The declared member of a rearranged list that a live index stands for."""
    if not edit.slot.isdigit() or int(edit.slot) >= len(order):
        return None
    index = order[int(edit.slot)]
    return None if index is None else delta.reference.children[index][1]


def step(slot: str, owner: Node, indexed: bool) -> str:
    """A slot in the path of a statement's target. ``indexed`` members have an index, which is their place: of those
    that are named by other numbers it is another one."""
    return f'_modules["{slot}"]' if slot.isdigit() and not (indexed and is_list(owner)) else slot
