"""The variants found so far, by class and edits, what they are called and what stands in each place. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from .changes import Delta
from .edits import Guard, Method, SiteText, SourceEdit, Variant
from .expressions import Holds, NameOf, Scope
from .ir import ClassRef, CodeRef, Node, Site
from .repeating import Repeats


@dataclass(frozen=True, slots=True)
class Facts:
    """What the plan asks of the readers."""

    site_text: Callable[[Site], SiteText | None]
    lineage: Callable[[ClassRef], tuple[CodeRef, ...]]  # the MRO, the class first
    holds: Holds
    name_of: NameOf
    method: Callable[[str, CodeRef, ClassRef, frozenset[str]], Method]
    follows: Callable[[ClassRef], bool]  # whether a base class has to be emitted with its variants
    indexed: Callable[[ClassRef], bool]  # whether children that are named by numbers are had by an index
    forced: frozenset[ClassRef] = frozenset()  # classes whose text has to stand in the emitted file
    prefer_sites: bool = True
    restores: tuple[SourceEdit, ...] = ()  # for the `_init_weights` of the model classes
    guards: Mapping[ClassRef, tuple[Guard, ...]] = field(default_factory=dict)  # of model classes
    flat: bool = False  # whether the root makes all changes, by path
    gathers: bool = True  # whether a model knows what the models below it do not save


@dataclass(slots=True)
class State:
    """Variants found so far, by class and edits, and what stands in the place of each live module."""

    facts: Facts
    suffix: str
    names: dict[tuple[ClassRef, tuple[SourceEdit, ...], tuple[tuple[str, str], ...]], Variant] = field(
        default_factory=dict
    )
    counts: dict[str, int] = field(default_factory=dict)
    taken: dict[int, str] = field(default_factory=dict)
    restoring: set[str] = field(default_factory=set)  # the variants that hold the `_init_weights` of others
    owners: list["Owner"] = field(default_factory=list)  # that are being planned, each inside the one before
    repeats: Repeats = field(default_factory=Repeats)

    def on_trial(self, *, flat: bool) -> "State":
        """A copy, in which a way to plan can be tried that is perhaps not taken."""
        return State(
            replace(self.facts, flat=flat),
            self.suffix,
            dict(self.names),
            dict(self.counts),
            dict(self.taken),
            set(self.restoring),
            list(self.owners),
            self.repeats.copy(),
        )


@dataclass(frozen=True, slots=True)
class Owner:
    """A module whose source is being edited, the scope of its constructor, and what stands in its place."""

    key: int
    scope: Scope
    live: Node


def variant_name(delta: Delta, edits: Mapping[ClassRef, list[SourceEdit]], state: State) -> str:
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


def _inherits(state: State, cls: ClassRef, base: ClassRef) -> bool:
    return any(ClassRef(code.module, code.qualname) == base for code in state.facts.lineage(cls)[1:])


def _named(
    code: CodeRef, cls: ClassRef, edits: tuple[SourceEdit, ...], bases: tuple[tuple[str, str], ...], state: State
) -> str:
    known = state.names.get((cls, edits, bases))
    if known is not None:
        return known.name
    stem = f"{cls.name}{state.suffix}"
    state.counts[stem] = state.counts.get(stem, 0) + 1
    name = stem if state.counts[stem] == 1 else f"{stem}{state.counts[stem]}"
    state.names[cls, edits, bases] = Variant(name, cls, code, edits, bases)
    return name


def present_classes(live: Node, state: State) -> Mapping[ClassRef, tuple[str, ...]]:
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


def _unchanged(live: Node, state: State) -> Iterable[ClassRef]:
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
