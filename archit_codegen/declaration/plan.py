"""Decides which classes become variants, their names and their edits. Pure; sites and lineages are asked for."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..errors import UnsupportedChange
from .alike import differ_in_values
from .changes import (
    Added,
    Arranged,
    Change,
    Delta,
    Frozen,
    FunctionPatched,
    Inside,
    MethodPatched,
    SavedOnce,
    Shared,
    TiesChanged,
)
from .edits import Plan, SourceEdit, Statement
from .expressions import Scope, scope_of
from .holding import without_held
from .ir import ClassRef, Node, join
from .looping import looped
from .members import declared_member, member_order, step
from .placing import Placement, place
from .restoring import restoring, saved_once, saved_once_at_root, ties
from .slotnames import check_path
from .splitting import CLASS_LEVEL, split
from .statements import statements
from .training import training_statements
from .variants import Facts, Owner, State, present_classes, variant_name

Lifted = tuple[int | None, Placement]  # what is left to an ancestor by its whole path, and the key of that if known


def make_plan(delta: Delta, suffix: str, facts: Facts) -> Plan:
    """The variants that declare the live model, each before those that refer to it."""
    state = State(facts, suffix)
    if facts.flat or not facts.gathers:
        delta = saved_once_at_root(delta, alone=facts.flat)
    edits, lifted = _owner_edits(delta, state, "")
    assert not lifted, lifted
    root = variant_name(delta, edits, state)
    variants = tuple(restoring(tuple(state.names.values()), state.restoring))
    return Plan(variants, root, present_classes(delta.live, state))


def _owner_edits(delta: Delta, state: State, path: str) -> tuple[dict[ClassRef, list[SourceEdit]], list[Lifted]]:
    """The edits of an owner, by the class whose source they go to, and what is left to an ancestor, by whole paths."""
    scope = scope_of(delta.reference, state.facts.holds, state.facts.name_of, path)
    placements: list[Placement] = []
    lifted: list[Lifted] = []
    state.owners.append(Owner(delta.reference.key, scope, delta.live))
    _collect(delta, "", path, placements, lifted, state)
    state.owners.pop()
    here = [entry for entry in lifted if _belongs(*entry, delta.reference, path)]
    lifted = [entry for entry in lifted if entry not in here]
    placements.extend(replace(placement, relative=_relative(placement.relative, path)) for _, placement in here)
    by_site, rest = place(delta.reference, placements, scope, state.facts.site_text, state.facts.prefer_sites)
    edits: dict[ClassRef, list[SourceEdit]] = {}
    for cls, edit in by_site:
        edits.setdefault(cls or delta.reference.cls, []).append(edit)
    own = looped([*statements(rest, scope, state.facts.site_text)], delta.live)
    own += _class_edits(delta, scope, state)
    own += map(Statement, training_statements(delta.edits, delta.live))
    if own:
        edits.setdefault(delta.reference.cls, []).extend(own)
    return edits, lifted


def _belongs(builder: int | None, lifted: Placement, owner: Node, path: str) -> bool:
    """Whether an owner holds both ends of what is shared, or built the module that stands further down."""
    if isinstance(lifted.change, Shared) and builder is None:
        return _below(lifted.change.target, path)
    return builder == owner.key


def _builder(node: Node) -> int | None:
    return node.built.owner if node.built is not None else None


def _below(target: str, path: str) -> bool:
    return not path or target.startswith(f"{path}.")


def _relative(path: str, base: str) -> str:
    return path[len(base) + 1 :] if base else path


def _collect(
    delta: Delta, relative: str, path: str, placements: list[Placement], lifted: list[Lifted], state: State
) -> None:
    """Changes in this owner, through the containers and native modules below it, with variants made for the others."""
    before = dict(delta.reference.children)
    order = member_order(delta)
    by_class = _in_loops(delta, relative, placements, state) if delta.reference.kind == "container" else {}
    for edit in delta.edits:
        check_path(edit.path)
        if isinstance(edit, Frozen) or (isinstance(edit, CLASS_LEVEL) and delta.reference.kind != "container"):
            continue
        here = join(relative, step(edit.slot, delta.live, state.facts.indexed(delta.reference.cls)))
        if edit.path == path and not isinstance(edit, Inside):
            here = relative
        if order is None or isinstance(edit, Added):
            declared = before.get(edit.slot)
        else:
            declared = declared_member(delta, edit, order)
        builder = _builder(delta.reference if declared is None or edit.path == path else declared)
        above = builder if relative or declared is not None else None
        if isinstance(edit, Shared) and not _below(edit.target, _owner_path(path, relative)):
            lifted.append((None, Placement(edit.path, edit, None, None)))
        elif isinstance(edit, Inside):
            for_class, for_owner = by_class.get(edit.path), None
            if edit.path not in by_class:
                for_class, for_owner = split(edit.delta, state.facts.forced, flat=state.facts.flat)
            name = None if for_class is None else _child_variant(for_class, edit.path, lifted, state)
            if name is not None:
                _put(Placement(here, edit, declared, name), above, placements, lifted, state)
            if for_owner is not None:
                _collect(for_owner, here, edit.path, placements, lifted, state)
        else:
            edit, inside = without_held(edit)
            for_class, for_owner = (
                split(inside.delta, state.facts.forced, flat=state.facts.flat) if inside else (None, None)
            )
            held = _child_variant(for_class, inside.path, lifted, state) if inside and for_class else None
            inner = _inner_variant(edit, lifted, state)
            there = delta.reference if isinstance(edit, Arranged) else declared
            placement = Placement(here, edit, there, inner, held, _is_appended(delta, edit))
            _put(placement, above, placements, lifted, state)
            if inside and for_owner:
                below = here + inside.path.removeprefix(edit.path)
                _collect(for_owner, below, inside.path, placements, lifted, state)


def _in_loops(delta: Delta, relative: str, placements: list[Placement], state: State) -> dict[str, Delta | None]:
    """Members of a list that differ in values alone which follow their index: there a loop of the owner's says what
    would else be a class for each of them. What is left to classes, by the paths of the members."""
    left: dict[str, Delta | None] = {}
    by_path = replace(state, facts=replace(state.facts, flat=True))
    for group in differ_in_values(delta, state.repeats.likeness):
        if _is_one_class(group, state) or not _are_loops(group, relative, state):
            continue
        for edit in group:
            left[edit.path], for_owner = split(edit.delta, state.facts.forced, flat=True)
            if for_owner is not None:
                _collect(for_owner, join(relative, edit.slot), edit.path, placements, [], by_path)
    return left


def _is_one_class(group: Sequence[Inside], state: State) -> bool:
    """Whether the values that differ have one expression in the class of the members: it has the index, say."""
    trial, names = state.on_trial(flat=state.facts.flat), set[str | None]()
    for edit in group:
        for_class, _ = split(edit.delta, state.facts.forced, flat=state.facts.flat)
        try:
            names.add(None if for_class is None else _child_variant(for_class, edit.path, [], trial))
        except UnsupportedChange:
            return False
        if len(names) > 1 or None in names:
            return False
    return True


def _are_loops(group: Sequence[Inside], relative: str, state: State) -> bool:
    trial, found, lifted = state.on_trial(flat=True), list[Placement](), list[Lifted]()
    owner = state.owners[-1]
    try:
        for edit in group:
            if (for_owner := split(edit.delta, state.facts.forced, flat=True)[1]) is not None:
                _collect(for_owner, join(relative, edit.slot), edit.path, found, lifted, trial)
        edits = looped([*statements(found, owner.scope, state.facts.site_text)], owner.live)
    except UnsupportedChange:  # the owner cannot write what a class of the member's own may
        return False
    said = all(isinstance(edit, Statement) and edit.text.startswith("for ") for edit in edits)
    return bool(found) and not lifted and said


def _is_appended(delta: Delta, edit: Change) -> bool:
    """Whether a member of a list was added, and all after it as well."""
    added = {other.slot for other in delta.edits if isinstance(other, Added)}
    names = [name for name, _ in delta.live.children]
    return edit.slot in added and added.issuperset(names[names.index(edit.slot) :])


def _put(
    placement: Placement, builder: int | None, placements: list[Placement], lifted: list[Lifted], state: State
) -> None:
    """Among the changes of this owner; or of one further up, which built the module and handed it on."""
    if any(owner.key == builder for owner in state.owners[:-1]):
        lifted.append((builder, replace(placement, relative=placement.change.path)))
    else:
        placements.append(placement)


def _owner_path(path: str, relative: str) -> str:
    return path[: len(path) - len(relative)].rstrip(".") if relative and path.endswith(relative) else path


def _child_variant(delta: Delta, path: str, lifted: list[Lifted], state: State) -> str | None:
    likeness = state.repeats.likeness(delta)
    if (repeated := state.repeats.find(delta, likeness)) is not None:
        state.taken |= repeated
        return repeated.get(delta.live.key)
    edits, above = _owner_edits(delta, state, path)
    lifted.extend(above)
    by_name = any(isinstance(edit, FunctionPatched) for edit in delta.edits)
    wanted = edits or by_name or delta.reference.cls in state.facts.forced
    name = variant_name(delta, edits, state) if wanted else None
    if not above:
        state.repeats.keep(delta, likeness, edits, state.taken)
    return name


def _inner_variant(edit: Change, lifted: list[Lifted], state: State) -> str | None:
    """The variant of a user's own class that was changed after it was constructed."""
    inner = getattr(edit, "delta", None)
    if inner is None:
        return None
    if inner.reference.kind == "module":
        return _child_variant(inner, edit.path, lifted, state)
    return None


def _class_edits(delta: Delta, scope: Scope, state: State) -> Iterable[SourceEdit]:
    # An object's method comes after its class's and hides it, and may still call the declared one.
    seen = {edit.slot: edit for edit in delta.edits if isinstance(edit, MethodPatched)}
    for edit in delta.edits:
        check_path(edit.path)
        if isinstance(edit, MethodPatched):
            others = frozenset(e.slot for e in delta.edits if isinstance(e, MethodPatched) and e is not edit)
            if edit is seen[edit.slot]:
                yield state.facts.method(edit.slot, edit.code, delta.reference.cls, others)
        elif isinstance(edit, TiesChanged):
            yield from ties(delta, edit.keys)
        elif isinstance(edit, SavedOnce):
            for path in edit.paths:
                check_path(path)
            yield from saved_once(delta.live, edit.paths)
