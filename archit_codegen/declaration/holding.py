"""What was changed on a declared module that a new one holds now. Pure."""

from dataclasses import replace

from .changes import Change, Delta, Inside, Replaced


def without_held(edit: Change) -> tuple[Change, Inside | None]:
    """A replacement without the changes of the declared module that it holds, and those."""
    if not isinstance(edit, Replaced) or edit.inner is None or edit.delta is None:
        return edit, None
    rest, inside = _parted(edit.delta, edit.inner)
    return replace(edit, delta=rest), inside


def _parted(delta: Delta, inner: str) -> tuple[Delta | None, Inside | None]:
    slot, _, further = inner.partition(".")
    change = next((edit for edit in delta.edits if isinstance(edit, Inside) and edit.slot == slot), None)
    if change is None:
        return delta, None
    rest, inside = _parted(change.delta, further) if further else (None, change)
    instead = () if rest is None else (replace(change, delta=rest),)
    kept = tuple(part for edit in delta.edits for part in (instead if edit is change else (edit,)))
    return (replace(delta, edits=kept) if kept else None), inside
