"""Decides which classes become variants, their names and their edits. Pure; sites and lineages are asked for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

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
from .edits import Guard, Method, Plan, SiteText, SourceEdit, Statement, Variant
from .expressions import Holds, NameOf, Scope, scope_of
from .holding import without_held
from .ir import ClassRef, CodeRef, Node, Site
from .placing import Placement, declared_member, place
from .repeating import Repeats
from .restoring import restoring, saved_once, saved_once_at_root, ties
from .slotnames import check_path
from .splitting import CLASS_LEVEL, split
from .statements import statements
from .training import training_statements

Lifted = tuple[int | None, Placement]  # what is left to an ancestor by its whole path, and the key of that if known


@dataclass(frozen=True, slots=True)
class Facts:
    """What the plan asks of the readers."""

    site_text: Callable[[Site], SiteText | None]
    lineage: Callable[[ClassRef], tuple[CodeRef, ...]]  # the MRO, the class first
    holds: Holds
    name_of: NameOf
    method: Callable[[str, CodeRef, ClassRef, frozenset[str]], Method]
    follows: Callable[[ClassRef], bool]  # whether a base class has to be emitted with its variants
    forced: frozenset[ClassRef] = frozenset()  # classes whose text has to stand in the emitted file
    prefer_sites: bool = True
    restores: tuple[SourceEdit, ...] = ()  # for the `_init_weights` of the model classes
    guards: Mapping[ClassRef, tuple[Guard, ...]] = field(default_factory=dict)  # of model classes
    flat: bool = False  # whether the root makes all changes, by path
    gathers: bool = True  # whether a model knows what the models below it do not save


@dataclass(slots=True)
class _State:
    """Variants found so far, by class and edits, and what stands in the place of each live module."""

    facts: Facts
    suffix: str
    names: dict[tuple[ClassRef, tuple[SourceEdit, ...], tuple[tuple[str, str], ...]], Variant] = field(
        default_factory=dict
    )
    counts: dict[str, int] = field(default_factory=dict)
    taken: dict[int, str] = field(default_factory=dict)
    restoring: set[str] = field(default_factory=set)  # the variants that hold the `_init_weights` of others
    owners: list[int] = field(default_factory=list)  # the modules that are being planned, each inside the one before
    repeats: Repeats = field(default_factory=Repeats)


def make_plan(delta: Delta, suffix: str, facts: Facts) -> Plan:
    """The variants that declare the live model, each before those that refer to it."""
    state = _State(facts, suffix)
    if facts.flat or not facts.gathers:
        delta = saved_once_at_root(delta, alone=facts.flat)
    edits, lifted = _owner_edits(delta, state, "")
    assert not lifted, lifted
    root = _variant(delta, edits, state)
    variants = tuple(restoring(tuple(state.names.values()), state.restoring))
    return Plan(variants, root, _present(delta.live, state))


def _owner_edits(delta: Delta, state: _State, path: str) -> tuple[dict[ClassRef, list[SourceEdit]], list[Lifted]]:
    """The edits of an owner, by the class whose source they go to, and what is left to an ancestor, by whole paths."""
    scope = scope_of(delta.reference, state.facts.holds, state.facts.name_of, path)
    placements: list[Placement] = []
    lifted: list[Lifted] = []
    state.owners.append(delta.reference.key)
    _collect(delta, "", path, placements, lifted, state)
    state.owners.pop()
    here = [entry for entry in lifted if _belongs(*entry, delta.reference, path)]
    lifted = [entry for entry in lifted if entry not in here]
    placements.extend(replace(placement, relative=_relative(placement.relative, path)) for _, placement in here)
    by_site, rest = place(delta.reference, placements, scope, state.facts.site_text, state.facts.prefer_sites)
    edits: dict[ClassRef, list[SourceEdit]] = {}
    for cls, edit in by_site:
        edits.setdefault(cls or delta.reference.cls, []).append(edit)
    own = [*statements(rest, scope, state.facts.site_text), *_class_edits(delta, scope, state)]
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
    delta: Delta, relative: str, path: str, placements: list[Placement], lifted: list[Lifted], state: _State
) -> None:
    """Changes in this owner, through the containers and native modules below it, with variants made for the others."""
    before = dict(delta.reference.children)
    order = next((edit.order for edit in delta.edits if isinstance(edit, Arranged)), None)
    for edit in delta.edits:
        check_path(edit.path)
        if isinstance(edit, Frozen) or (isinstance(edit, CLASS_LEVEL) and delta.reference.kind != "container"):
            continue
        here = f"{relative}.{edit.slot}" if relative else edit.slot
        if edit.path == path and not isinstance(edit, Inside):
            here = relative
        declared = before.get(edit.slot) if order is None else declared_member(delta, edit, order)
        builder = _builder(delta.reference if declared is None or edit.path == path else declared)
        above = builder if relative or declared is not None else None
        if isinstance(edit, Shared) and not _below(edit.target, _owner_path(path, relative)):
            lifted.append((None, Placement(edit.path, edit, None, None)))
        elif isinstance(edit, Inside):
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
            placement = Placement(here, edit, declared, inner, held, _is_appended(delta, edit))
            _put(placement, above, placements, lifted, state)
            if inside and for_owner:
                below = here + inside.path.removeprefix(edit.path)
                _collect(for_owner, below, inside.path, placements, lifted, state)


def _is_appended(delta: Delta, edit: Change) -> bool:
    """Whether a member of a list was added, and all after it as well."""
    added = {other.slot for other in delta.edits if isinstance(other, Added)}
    names = [name for name, _ in delta.live.children]
    return edit.slot in added and added.issuperset(names[names.index(edit.slot) :])


def _put(
    placement: Placement, builder: int | None, placements: list[Placement], lifted: list[Lifted], state: _State
) -> None:
    """Among the changes of this owner; or of one further up, which built the module and handed it on."""
    if builder in state.owners[:-1]:
        lifted.append((builder, replace(placement, relative=placement.change.path)))
    else:
        placements.append(placement)


def _owner_path(path: str, relative: str) -> str:
    return path[: len(path) - len(relative)].rstrip(".") if relative and path.endswith(relative) else path


def _child_variant(delta: Delta, path: str, lifted: list[Lifted], state: _State) -> str | None:
    if (repeated := state.repeats.find(delta)) is not None:
        state.taken |= repeated
        return repeated.get(delta.live.key)
    edits, above = _owner_edits(delta, state, path)
    lifted.extend(above)
    by_name = any(isinstance(edit, FunctionPatched) for edit in delta.edits)
    wanted = edits or by_name or delta.reference.cls in state.facts.forced
    name = _variant(delta, edits, state) if wanted else None
    if not above:
        state.repeats.keep(delta, edits, state.taken)
    return name


def _inner_variant(edit: Change, lifted: list[Lifted], state: _State) -> str | None:
    """The variant of a user's own class that was changed after it was constructed."""
    inner = getattr(edit, "delta", None)
    if inner is None:
        return None
    if inner.reference.kind == "module":
        return _child_variant(inner, edit.path, lifted, state)
    return None


def _class_edits(delta: Delta, scope: Scope, state: _State) -> Iterable[SourceEdit]:
    for edit in delta.edits:
        check_path(edit.path)
        if isinstance(edit, MethodPatched):
            others = frozenset(e.slot for e in delta.edits if isinstance(e, MethodPatched) and e is not edit)
            yield state.facts.method(edit.slot, edit.code, delta.reference.cls, others)
        elif isinstance(edit, TiesChanged):
            yield from ties(delta, edit.keys)
        elif isinstance(edit, SavedOnce):
            for path in edit.paths:
                check_path(path)
            yield from saved_once(delta.live, edit.paths)


def _variant(delta: Delta, edits: Mapping[ClassRef, list[SourceEdit]], state: _State) -> str:
    """The name of the variant with these edits: of its class, and of the base classes that are edited or follow."""
    lineage = state.facts.lineage(delta.reference.cls)
    renamed: dict[ClassRef, str] = {}
    name = ""
    for code in reversed(lineage):
        cls = ClassRef(code.module, code.qualname)
        changed = (*edits.get(cls, ()), *state.facts.guards.get(cls, ()))
        first = state.facts.follows(cls) and not any(state.facts.follows(base) for base in renamed)
        changed += state.facts.restores if first else ()
        bases = tuple((ref.name, new) for ref, new in renamed.items() if _inherits(state, cls, ref))
        if cls == delta.reference.cls or changed or bases or state.facts.follows(cls):
            name = renamed[cls] = _named(code, cls, changed, bases, state)
            state.restoring |= {name} if first else set()
    state.taken[delta.live.key] = name
    return name


def _inherits(state: _State, cls: ClassRef, base: ClassRef) -> bool:
    return any(ClassRef(code.module, code.qualname) == base for code in state.facts.lineage(cls)[1:])


def _named(
    code: CodeRef, cls: ClassRef, edits: tuple[SourceEdit, ...], bases: tuple[tuple[str, str], ...], state: _State
) -> str:
    known = state.names.get((cls, edits, bases))
    if known is not None:
        return known.name
    stem = f"{cls.name}{state.suffix}"
    state.counts[stem] = state.counts.get(stem, 0) + 1
    name = stem if state.counts[stem] == 1 else f"{stem}{state.counts[stem]}"
    state.names[cls, edits, bases] = Variant(name, cls, code, edits, bases)
    return name


def _present(live: Node, state: _State) -> Mapping[ClassRef, tuple[str, ...]]:
    """For each class with variants, what stands for it: its variants, and itself where it is still used."""
    present: dict[ClassRef, list[str]] = {variant.origin: [] for variant in state.names.values()}
    for variant in state.names.values():
        present[variant.origin].append(variant.name)
    for cls in dict.fromkeys(_unchanged(live, state)):
        for code in state.facts.lineage(cls):
            ref = ClassRef(code.module, code.qualname)
            used = ref == cls or not state.facts.follows(ref)
            if ref in present and ref.name not in present[ref] and used:
                present[ref].insert(0, ref.name)
    return {cls: tuple(names) for cls, names in present.items()}


def _unchanged(live: Node, state: _State) -> Iterable[ClassRef]:
    """The classes of the modules that no variant stands for, in tree order."""
    seen: set[int] = set()
    pending = [live]
    while pending:
        node = pending.pop()
        if node.key not in seen:
            seen.add(node.key)
            if node.key not in state.taken:
                yield node.cls
            pending += [child for _, child in reversed(node.children) if child is not None]
