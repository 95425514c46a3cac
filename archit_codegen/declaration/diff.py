"""Compares the declared tree with the live one. Pure; how a new module was constructed is asked of the workbench."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..errors import UnsupportedChange
from .attributediff import attribute_changes, method_changes
from .changes import (
    Added,
    Arranged,
    AttributeChanged,
    Cast,
    Change,
    Delta,
    FunctionPatched,
    Inside,
    Parametrized,
    Removed,
    Replaced,
    SavedOnce,
    SetToNone,
    Shared,
    TiesChanged,
    flatten,
)
from .distance import align, distance
from .ir import ConfigCopy, ConfigRef, Construction, Literal, Node, Parametrization, Value, join
from .members import is_list
from .slotnames import check_new_names
from .standing import Standing, nearest_first
from .tensordiff import tensor_changes, whole_dtype
from .ties import needed_ties, second_paths, sharing, untied
from .training import training_changes

_NONE = Literal("None")
Parametrizations = tuple[Parametrization, ...]


class Bench(Protocol):
    """What is built on `meta` while trees are compared."""

    def construct(
        self, live: Node, reference: Node | None, path: str, like: Node | None = None
    ) -> tuple[Construction, Node]:
        """How a live module was constructed in the place of a declared one, or like one, and what that call builds."""

    def live_module(self, key: int) -> object:
        """The live module of a node: classes of one name may be several, as those of a notebook's cells."""

    def buffer_text(self, live: Node, reference: Node, name: str) -> str | None:
        """An expression for the values of a buffer that no checkpoint carries."""

    def parametrize(self, live: Node, reference: Node, path: str) -> tuple[Mapping[str, Parametrizations], Node]:
        """How the tensors of a live module came to be computed, and the declared module with the same done to it."""


@dataclass(slots=True)
class _Seen:
    """Where each live module was first met, and as what it was declared there."""

    bench: Bench
    sharing: frozenset[int]  # live modules in which one stands at several paths, each of which has to be looked at
    untied: frozenset[int]  # declared modules, where neither there nor here a parameter stands in two slots
    standing: Standing
    first: dict[int, tuple[str, int | None]] = field(default_factory=dict)
    replaced: dict[tuple[object, ...], Replaced] = field(default_factory=dict)  # what was made anew, by what it is
    alike: set[tuple[int, int, str | None]] = field(default_factory=set)  # forms of pairs in which nothing changed

    def forget(self, before: int) -> dict[int, tuple[str, int | None]]:
        """What was met since so many were known, which is taken out."""
        return dict(reversed([self.first.popitem() for _ in range(len(self.first) - before)]))


def diff(reference: Node, live: Node, bench: Bench) -> Delta:
    """Every change that turns ``reference`` into ``live``.

    Raises:
        UnsupportedChange: hooks, or state that no source can declare.
        UnknownArguments: nothing tells how a new module was constructed.
    """
    alone = untied(reference) if untied(live) else frozenset()
    seen = _Seen(bench, sharing(live), alone, Standing(reference, live), {live.key: ("", reference.key)})
    delta = _modules(reference, live, "", seen)
    return replace(delta, edits=(*delta.edits, *training_changes(delta)))


def _modules(reference: Node, live: Node, path: str, seen: _Seen, above: str | None = None) -> Delta:
    """``above`` is the dtype that a module further up was given as a whole."""
    check_new_names(reference, live, path)
    calls: Mapping[str, Parametrizations] = {}
    if reference.parametrized != live.parametrized:
        calls, reference = seen.bench.parametrize(live, reference, path)
    # Hooks that the class registers itself, in its `__init__`, are part of what it declares.
    added = sorted((Counter(live.hooks) - Counter(reference.hooks)).elements()) if live.hooks else ()
    if added:
        raise UnsupportedChange(
            path,
            f"a {added[0]} is registered, and no class can declare a hook",
            "Move what the hook does into the module's `forward`, or remove the hook.",
        )
    cast = None if above else whole_dtype(reference, live)
    here = above or cast
    edits = (
        *(Parametrized(join(path, name), parts) for name, parts in calls.items()),
        *_children(reference, live, path, seen, here),
        *tensor_changes(reference, live, path, here, lambda name: seen.bench.buffer_text(live, reference, name)),
        *attribute_changes(reference, live, path),
        *method_changes(reference, live, path),
        *(FunctionPatched(join(path, name), code) for name, code in live.functions),
        *(
            (TiesChanged(path, reference.ties or (), keys),)
            if (keys := needed_ties(reference, live, path, alone=reference.key in seen.untied)) is not None
            else ()
        ),
        *((SavedOnce(path, paths),) if live.key in seen.sharing and (paths := second_paths(reference, live)) else ()),
        *((Cast(path, cast, False),) if cast else ()),
    )
    return Delta(reference, live, edits)


# --- children -------------------------------------------------------------------------------------------------------


def _children(reference: Node, live: Node, path: str, seen: _Seen, above: str | None) -> Iterator[Change]:
    if _is_list(reference) and _is_list(live):
        yield from _members(reference, live, path, seen, above)
        return
    before, after = dict(reference.children), dict(live.children)
    plain = dict(live.attributes)
    for name, child in before.items():
        # A plain None was never a module, but built under another condition: an attribute is declared otherwise.
        if name not in after and plain.get(name) != _NONE:
            yield Removed(join(path, name), "module" if child is not None else "slot")
    for name, node in after.items():
        here = join(path, name)
        if name in before:
            yield from _child(before[name], node, here, seen, above)
        elif node is None:
            yield AttributeChanged(here, None, _NONE)
        else:
            yield _new(node, here, seen)


def _child(reference: Node | None, live: Node | None, path: str, seen: _Seen, above: str | None) -> Iterator[Change]:
    if live is None:
        if reference is not None:
            yield SetToNone(path, reference.cls)
        return
    first = seen.first.setdefault(live.key, (path, None if reference is None else reference.key))
    if first[0] != path:
        if reference is None or first[1] != reference.key:
            yield Shared(path, first[0])
        return
    if reference is None:
        yield _new(live, path, seen)
    elif seen.standing.is_another(reference, live):
        yield _replaced(reference, live, path, seen)
    elif reference.key != live.key:
        yield from _same_or_other(reference, live, path, seen, above)


def _same_or_other(reference: Node, live: Node, path: str, seen: _Seen, above: str | None) -> Iterator[Change]:
    if reference.cls != live.cls:
        yield _replaced(reference, live, path, seen)
        return
    pair = reference.form, live.form, above
    alone = live.key not in seen.sharing and not seen.standing.within(reference)
    if alone and (reference.form == live.form or pair in seen.alike):
        return
    before = len(seen.first)
    delta = _modules(reference, live, path, seen, above)
    if not delta.edits:
        if alone:
            seen.alike.add(pair)
        return
    if reference.kind == "native" or (reference.kind == "module" and _made_otherwise(reference, live, delta)):
        inside = seen.forget(before)
        anew = _made_anew(reference, live, path, seen)
        if anew is not None and _weight(anew.delta) < _weight(delta):
            yield anew
            return
        seen.forget(before)
        seen.first.update(inside)
    yield Inside(path, delta)


def _made_anew(reference: Node, live: Node, path: str, seen: _Seen) -> Replaced | None:
    """The live module from a call of its own; None where that is no nearer to it than what is declared. It is asked
    before the two are compared in full: within them, down to the change, each module would be made anew once more."""
    try:
        construction, built = seen.bench.construct(live, reference, path)
        if distance(built, live) >= distance(reference, live):
            return None
        return _replacing(reference, live, path, seen, construction, built)
    except UnsupportedChange:
        return None


def _made_otherwise(reference: Node, live: Node, delta: Delta) -> bool:
    """Whether the live module may come from a call of its own with other arguments: it was recorded, or attributes
    changed that hold arguments, here or further down under their names."""
    if reference.built is None:
        return False
    recorded = live.built is not None and live.built.owner is None
    given = {argument.name: argument.value for argument in reference.built.arguments}
    here = (edit.declared in given.values() for edit in delta.edits if isinstance(edit, AttributeChanged))
    return recorded or any(here) or any(_is_of_argument(change, given) for change in flatten(delta))


def _is_of_argument(change: Change, given: Mapping[str, Value]) -> bool:
    if isinstance(change, AttributeChanged):
        return change.slot in given and given[change.slot] == change.declared
    made = change.construction.arguments if isinstance(change, Replaced) else ()
    return any(argument.name in given and given[argument.name] != argument.value for argument in made)


def _weight(delta: Delta | None) -> int:
    """How many slots a delta touches, at any depth."""
    if delta is None:
        return 0
    return sum(_weight(edit.delta) if isinstance(edit, Inside) else 1 for edit in delta.edits)


def _replaced(reference: Node, live: Node, path: str, seen: _Seen) -> Replaced:
    made = [None if node.built is None else node.built.arguments for node in (reference, live)]
    key = (reference.form, live.form, type(seen.bench.live_module(live.key)), *made)
    if key in seen.replaced and live.key not in seen.sharing:
        return replace(seen.replaced[key], path=path)
    found = _replacing(reference, live, path, seen, *seen.bench.construct(live, reference, path))
    if found.delta is None and found.inner is None and _of_values(found.construction):
        seen.replaced[key] = found
    return found


def _of_values(construction: Construction) -> bool:
    """Whether a call says the same of all modules that it makes: it was not named by hand, and is given no module."""
    plain = all(isinstance(argument.value, Literal | ConfigRef | ConfigCopy) for argument in construction.arguments)
    return plain and construction.text is None and not construction.children


def _replacing(
    reference: Node, live: Node, path: str, seen: _Seen, construction: Construction, built: Node
) -> Replaced:
    delta = _modules(built, live, path, seen)
    inner = _path_to(reference.key, built)
    return Replaced(path, reference.cls, construction, delta if delta.edits else None, inner, built)


def _path_to(key: int, node: Node) -> str | None:
    """The first path below a node at which a module stands."""
    for name, child in node.children:
        if child is not None:
            below = "" if child.key == key else _path_to(key, child)
            if below is not None:
                return join(name, below) if below else name
    return None


def _new(live: Node, path: str, seen: _Seen, siblings: Sequence[Node] = ()) -> Change:
    first = seen.first.setdefault(live.key, (path, None))
    if first[0] != path:
        return Shared(path, first[0])
    like = min((node for node in siblings if node.cls == live.cls), key=lambda n: distance(n, live), default=None)
    construction, built = seen.bench.construct(live, None, path, like)
    delta = _modules(built, live, path, seen)
    return Added(path, construction, delta if delta.edits else None, built)


# --- lists ----------------------------------------------------------------------------------------------------------


def _is_list(node: Node) -> bool:
    return node.cls.name in {"ModuleList", "Sequential"} and is_list(node)


def _members(reference: Node, live: Node, path: str, seen: _Seen, above: str | None) -> Iterator[Change]:
    before = [child for _, child in reference.children]
    after = [child for _, child in live.children]
    if len(before) == len(after) and (None in before or None in after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _child(old, new, join(path, str(index)), seen, above)
        return
    declared, members = [c for c in before if c is not None], [c for c in after if c is not None]
    if len(declared) != len(before) or len(members) != len(after):
        raise UnsupportedChange(path, "a list with None members changed its length", "Use `Identity` instead of None.")
    matches = align(declared, members)
    kept = [match for match in matches if match is not None]
    shared = len({member.key for member in members}) < len(members)
    if kept != list(range(len(declared))):
        yield Arranged(path, tuple(kept), len(declared), shared, reference.cls.name)
    for index in nearest_first(declared, matches, members) if live.key in seen.sharing else range(len(members)):
        here, match, member = join(path, str(index)), matches[index], members[index]
        if match is None:
            yield _new(member, here, seen, declared)
        elif member.key not in seen.first or not shared:
            if match in matches[:index]:
                seen.standing.once_more(declared[match])
            yield from _child(declared[match], member, here, seen, above)
