"""Which weights are trained: the fewest switches that give every parameter of the live model its gradients. Pure.

Switches are no architecture: they make no class a variant, but stand together at the end of the root's `__init__`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .changes import Added, Arranged, Change, Delta, Frozen, Inside, Replaced
from .ir import Node, TensorFact, join
from .membernames import member_name, path_text, slice_text

Switches = tuple[Frozen, ...]
EXCEPTION = 0.01  # of two equal numbers of switches, the one on whole modules is preferred
TENSOR = 0.02


def training_changes(delta: Delta) -> Switches:
    """The switches, by their paths from the root, those of a module before those inside it."""
    if not _differ(delta.reference, delta.live, delta, set()):
        return ()
    declared: dict[int, bool] = {}
    _declared(delta.reference, delta.live, delta, declared, set())
    if all(declared[fact.key] == fact.requires_grad for fact in _parameters(delta.live)):
        return ()
    return _Cheapest(declared, _holders(delta.live, {})).switches(delta.live)


def switches_below(changes: Sequence[Change], path: str, root: Node, held_as: str) -> tuple[str, ...]:
    """Those of the root that hold for one part of it, as statements of another class, which holds that part too."""
    part = root
    for step in path.split("."):
        part = part.child(step) or part
    found = []
    for change in changes:
        if isinstance(change, Frozen) and f"{path}.".startswith(f"{change.path}." if change.path else ""):
            found.append(replace(change, path=held_as))  # of all that the part lies in
        elif isinstance(change, Frozen) and change.path.startswith(f"{path}."):
            found.append(replace(change, path=join(held_as, change.path.removeprefix(f"{path}."))))
    return tuple(training_statements(found, replace(root, children=((held_as, part),))))


# --- what is declared ---------------------------------------------------------------------------------------------


def _declared(
    reference: Node | None,
    live: Node,
    delta: Delta | None,
    found: dict[int, bool],
    seen: set[int],
    *,
    frozen: bool = False,
) -> None:
    """Whether each live parameter, by its key, has gradients when its module was made as the other changes say.
    ``frozen``: it stands where nothing had gradients. The class may have frozen that after it was made, and does so
    with what is put there, or each module itself: only a switch says it in both."""
    if live.key in seen:
        return
    seen.add(live.key)
    before = dict(reference.parameters) if reference is not None else {}
    for name, fact in live.parameters:
        if fact is not None:
            old = before.get(name)
            # A parameter of another shape is made anew, with the live one's gradients.
            anew = old is None or (old.shape != fact.shape and old.requires_grad)
            own = fact.requires_grad if anew or old is None else old.requires_grad
            found.setdefault(fact.key, not fact.requires_grad if frozen else own)
    for child, known, inner, below in _children(reference, live, delta):
        _declared(known, child, inner, found, seen, frozen=frozen or below)


def _differ(reference: Node | None, live: Node, delta: Delta | None, seen: set[int], *, frozen: bool = False) -> bool:
    """Whether a parameter may have other gradients than its module was made with: a look at what is not alike."""
    if live.key in seen or (reference is not None and reference.form == live.form and not frozen):
        return False
    seen.add(live.key)
    before = dict(reference.parameters) if reference is not None else {}
    for name, fact in live.parameters:
        old = before.get(name)
        if fact is not None and frozen:
            return True
        if fact is not None and old is not None and old.requires_grad != fact.requires_grad:
            return True
    return any(
        _differ(known, child, inner, seen, frozen=frozen or below)
        for child, known, inner, below in _children(reference, live, delta)
    )


def _children(
    reference: Node | None, live: Node, delta: Delta | None
) -> Iterator[tuple[Node, Node | None, Delta | None, bool]]:
    """Each child, as what it is made, what is changed in it, and whether it stands where all was frozen."""
    before = dict(reference.children) if reference is not None else {}
    if delta is None or not delta.edits:
        yield from ((child, before.get(name), None, False) for name, child in live.children if child is not None)
        return
    changes = delta.edits
    edits = {edit.slot: edit for edit in changes if isinstance(edit, Inside | Replaced | Added)}
    order = next((edit.order for edit in changes if isinstance(edit, Arranged)), None)
    for name, child in live.children:
        if child is None:
            continue
        edit = edits.get(name)
        if isinstance(edit, Inside):
            yield child, edit.delta.reference, edit.delta, False
        elif isinstance(edit, Replaced | Added):
            yield child, edit.built, edit.delta, _is_frozen(before.get(name) or reference)
        else:
            place = name if order is None else str(order[int(name)]) if int(name) < len(order) else ""
            yield child, before.get(place), None, False


def _is_frozen(declared: Node | None) -> bool:
    """Whether there are parameters, none of them with gradients."""
    first = None if declared is None else next(_parameters(declared), None)
    if declared is None or first is None or first.requires_grad:
        return False  # as nearly everywhere: the rest need not be looked at
    return not any(fact.requires_grad for fact in _parameters(declared))


def _parameters(node: Node) -> Iterator[TensorFact]:
    pending = [node]
    while pending:
        current = pending.pop()
        yield from (fact for _, fact in current.parameters if fact is not None)
        pending += [child for _, child in current.children if child is not None]


# --- the fewest switches --------------------------------------------------------------------------------------------


def _holders(node: Node, found: dict[int, int]) -> Mapping[int, int]:
    for _, fact in node.parameters:
        if fact is not None:
            found.setdefault(fact.key, node.key)
    for _, child in node.children:
        if child is not None:
            _holders(child, found)
    return found


@dataclass(slots=True)
class _Cheapest:
    """For each module and each state that it comes in (as declared, or switched further up) the cheapest way on."""

    declared: Mapping[int, bool]
    holders: Mapping[int, int]  # of tied parameters, the module in which each is met first
    costs: dict[tuple[int, bool | None], float] = field(default_factory=dict)

    def switches(self, root: Node) -> Switches:
        own = self.choice(root, None)
        found = [] if own is None else [Frozen("", own)]
        return (*found, *self.inside(root, own, ""))

    def choice(self, node: Node, state: bool | None) -> bool | None:
        """The state that this module is switched to; as it comes, if that is no dearer."""
        options = [(self.cost(node, state), 0, state)]
        options += [(1 + EXCEPTION * flag + self.cost(node, flag), 1, flag) for flag in (False, True) if flag != state]
        return min(options, key=lambda option: option[:2])[2]

    def cost(self, node: Node, state: bool | None) -> float:
        key = (node.key, state)
        if key not in self.costs:
            total = sum(1 + TENSOR for _ in self.wrong(node, state))
            for _, child in node.children:
                if child is not None:
                    own = self.choice(child, state)
                    switched = 0.0 if own == state else 1 + EXCEPTION * bool(own)
                    total += switched + self.cost(child, own)
            self.costs[key] = total
        return self.costs[key]

    def wrong(self, node: Node, state: bool | None) -> Iterator[tuple[str, bool]]:
        for name, fact in node.parameters:
            if fact is not None:
                before = self.declared[fact.key] if state is None else state
                switched_there = state is None and self.holders[fact.key] != node.key
                if before != fact.requires_grad and not switched_there:
                    yield name, fact.requires_grad

    def inside(self, node: Node, state: bool | None, path: str) -> Iterator[Frozen]:
        yield from (Frozen(join(path, name), flag) for name, flag in self.wrong(node, state))
        for name, child in node.children:
            if child is not None:
                own = self.choice(child, state)
                here = join(path, name)
                if own != state and own is not None:
                    yield Frozen(here, own)
                yield from self.inside(child, own, here)


# --- statements -----------------------------------------------------------------------------------------------------


def training_statements(changes: Sequence[Change], root: Node) -> Iterator[str]:
    """The switches as statements, those at several members of one list as a loop over them."""
    rest = [change for change in changes if isinstance(change, Frozen)]
    while rest:
        first = rest.pop(0)
        step = _list_step(first.path, root)
        if step is None:
            yield _switch("self", first.path, first.requires_grad)
            continue
        container, count, _, _ = step
        alike = [
            first,
            *(change for change in rest if (found := _list_step(change.path, root)) and found[0] == container),
        ]
        members: dict[int, list[tuple[str, bool]]] = {}
        for change in alike:
            _, _, index, inner = _list_step(change.path, root) or step
            members.setdefault(index, []).append((inner, change.requires_grad))
        rest = [change for change in rest if change not in alike]
        yield from _by_member(container, count, members)


def _by_member(container: str, count: int, members: Mapping[int, list[tuple[str, bool]]]) -> Iterator[str]:
    groups: dict[tuple[tuple[str, bool], ...], list[int]] = {}
    for index, switches in members.items():
        groups.setdefault(tuple(switches), []).append(index)
    for done, indices in groups.items():
        if len(indices) == 1:
            owner = path_text("self", f"{container}.{indices[0]}")
            yield from (_switch(owner, path, flag) for path, flag in done)
            continue
        name = member_name(container)
        over = path_text("self", container)
        target = f"for {name} in {over}{slice_text(indices, count)}:"
        if slice_text(indices, count) is None:
            target = f"for index in ({', '.join(map(str, indices))}):\n    {name} = {over}[index]"
        yield "\n".join([target, *(f"    {_switch(name, path, flag)}" for path, flag in done)])


def _list_step(path: str, root: Node) -> tuple[str, int, int, str] | None:
    """The first list on a path: its path, its length, the member's index, and the path from there."""
    steps = path.split(".") if path else []
    node = root
    for place, step in enumerate(steps):
        if step.isdigit() and all(name.isdigit() for name, _ in node.children) and len(node.children) > 1:
            return ".".join(steps[:place]), len(node.children), int(step), ".".join(steps[place + 1 :])
        child = dict(node.children).get(step)
        if child is None:
            return None
        node = child
    return None


def _switch(owner: str, path: str, flag: bool) -> str:
    return f"{path_text(owner, path)}.requires_grad_({flag})"
