"""What of a change a class of the module's own says, and what its owner does to the finished module. Pure."""

from dataclasses import replace

from .changes import (
    Cast,
    Change,
    Delta,
    FunctionPatched,
    Inside,
    MethodPatched,
    Parametrized,
    SavedOnce,
    TensorChanged,
    TiesChanged,
)
from .ir import ClassRef

CLASS_LEVEL = (MethodPatched, FunctionPatched, TiesChanged, SavedOnce)


def split(delta: Delta, forced: frozenset[ClassRef], *, flat: bool) -> tuple[Delta | None, Delta | None]:
    """What a variant of the module's class says, and what the owner does by path: everything below torch's modules
    and, in the flat form, below all modules, but for what only a class can express."""
    if delta.reference.kind == "module" and not flat:
        return _for_class_and_owner(delta)
    if not _needs_class(delta, forced):
        return None, delta
    if delta.reference.kind == "container":
        return None, delta
    mine = tuple(edit for edit in delta.edits if _by_class(edit, delta))
    inner = [(edit, split(edit.delta, forced, flat=flat)) for edit in delta.edits if isinstance(edit, Inside)]
    below = tuple(replace(edit, delta=part) for edit, (part, _) in inner if part is not None)
    rest = tuple(replace(edit, delta=part) for edit, (_, part) in inner if part is not None)
    others = tuple(edit for edit in delta.edits if not (_by_class(edit, delta) or isinstance(edit, Inside)))
    by_owner = replace(delta, edits=(*others, *rest)) if others or rest else None
    return replace(delta, edits=(*mine, *below)), by_owner


def _for_class_and_owner(delta: Delta) -> tuple[Delta | None, Delta | None]:
    """Parametrizations, and another dtype, are given to the finished module by its owner."""
    owners = [edit for edit in delta.edits if isinstance(edit, Parametrized | Cast) or edit.slot == "parametrizations"]
    if not owners:
        return delta, None
    rest = tuple(edit for edit in delta.edits if edit not in owners)
    return (replace(delta, edits=rest) if rest else None), replace(delta, edits=tuple(owners))


def _needs_class(delta: Delta, forced: frozenset[ClassRef]) -> bool:
    emitted = delta.reference.kind == "module" and delta.reference.cls in forced
    return emitted or any(
        _by_class(edit, delta) or (isinstance(edit, Inside) and _needs_class(edit.delta, forced))
        for edit in delta.edits
    )


def _by_class(edit: Change, delta: Delta) -> bool:
    """Whether only a class of the module's own can express a change: a buffer that no checkpoint carries is filled
    again by the class of its module."""
    tensor = edit.live if isinstance(edit, TensorChanged) and edit.what == "buffer" else None
    hidden = tensor is not None and not tensor.persistent and delta.reference.kind == "native"
    return hidden or isinstance(edit, CLASS_LEVEL)
