"""Weights of a checkpoint of the declared class that would arrive in another place than the one they belong to.

Their names are names of the new class as well, so that no renaming can tell such a checkpoint from a new one, and
transformers knows of no other difference. Notes say so when the package is made.
"""

from collections.abc import Iterator, Sequence

from .changes import Added, Arranged, Change, Delta, Shared, nested
from .checkpoints import has_weights, names_below, wrapped
from .ir import join

_LOADED = "from_pretrained of a checkpoint of the declared class gives"
_REMEDY = "load such a checkpoint into the declared class, and modify that"


def misread_names(delta: Delta) -> Iterator[str]:
    """A warning for every list, shared module and wrapper that gets weights of something else."""
    for part in nested(delta):
        yield from _members(part)
        yield from _shared(part)
    yield from _wrappers(delta)


def _members(delta: Delta) -> Iterator[str]:
    """For a list whose members have other numbers than in the declared class, or are new under a number of it."""
    placed = [edit for edit in delta.edits if isinstance(edit, Arranged | Added | Shared)]
    children = delta.live.children
    if not placed or [name for name, _ in children] != [str(index) for index in range(len(children))]:
        return
    size = len(delta.reference.children)
    weighty = [child is not None and has_weights(child) for _, child in children]
    numbers = list(enumerate(_declared(delta, placed)))[:size]
    other = next(((here, there) for here, there in numbers if here != there and weighty[here]), None)
    if other is not None:
        here, there = other
        path = placed[0].path if isinstance(placed[0], Arranged) else placed[0].path.rpartition(".")[0]
        belongs = "though it is new" if there is None else f"not {there}"
        yield f"{path}: {_LOADED} member {here} the weights of its member {here}, {belongs}: {_REMEDY}"


def _declared(delta: Delta, placed: Sequence[Change]) -> Iterator[int | None]:
    """The declared number of each member of a list, None for one that is new."""
    order = next((edit.order for edit in placed if isinstance(edit, Arranged)), range(len(delta.reference.children)))
    kept = iter(order)
    new = {edit.slot for edit in placed if isinstance(edit, Added | Shared)}
    for name, _ in delta.live.children:
        yield None if name in new else next(kept)


def _shared(delta: Delta) -> Iterator[str]:
    """For a module that has a second slot now, in which another one had its weights."""
    declared = dict(delta.reference.children)
    for edit in delta.edits:
        child = declared.get(edit.slot)
        if isinstance(edit, Shared) and child is not None and has_weights(child):
            yield f"{edit.path}: {_LOADED} it its weights, not those of {edit.target}, which is the same: {_REMEDY}"


def _wrappers(delta: Delta) -> Iterator[str]:
    """For a wrapper with weights of its own under the names of weights of the module that it holds."""
    for path, _, wrapper, held in wrapped(delta):
        name = next((name for name, taken in names_below(held, wrapper) if taken), None)
        if name is not None:
            weight = join(path, name.replace(r"\.", "."))
            yield f"{path}: {_LOADED} {weight} to the wrapper, which has one of its own: give that another name"
