"""Ties from the identity of the live tensors, never from the declared keys alone. Pure."""

import re
from collections import Counter
from collections.abc import Iterator

from ..errors import UnsupportedChange
from .ir import Node, join

Slot = tuple[int, str]  # a parameter's place: key of its module, name
Keys = tuple[tuple[str, str], ...]
# Where all keys look so, transformers takes them for names, and not for patterns; some are patterns all the same.
SHORT = re.compile(r"^[A-Za-z0-9_\.]+(weight)|(bias)$")


def needed_ties(reference: Node, live: Node, path: str = "", *, alone: bool = False) -> Keys | None:
    """The ``_tied_weights_keys`` that a transformers model needs; None if the declared ones are right. ``alone`` says
    that no parameter stands in two slots, in neither.

    Raises:
        UnsupportedChange: weights are tied, but the config switches all ties off.
    """
    if live.ties is None or reference.ties is None:
        return None
    if alone and (not reference.ties or same_names(reference, live, set())):
        return None  # as in most models: no path has to be written out for that
    before, after = _names(reference), _names(live)
    if _groups(reference) == _groups(live) and before.keys() == after.keys():
        return None
    active = live.ties_active
    kept = _kept(reference.ties, before, after, active)
    covered = {name for entry in kept if active for name in _matching(entry[0], after) if _holds(entry, after)}
    elsewhere = _tied_elsewhere(reference, before)
    added = [pair for pair in _pairs(reference, live) if pair[0] not in covered and pair not in elsewhere]
    if added and not active:
        raise UnsupportedChange(
            join(path, added[0][0]),
            f"is tied to {join(path, added[0][1])}, while {join(path, 'config')}.tie_word_embeddings is off, which "
            "switches all ties off",
            f"Set `{join('model', join(path, 'config'))}.tie_word_embeddings = True` in the surgery.",
        )
    needed = (*kept, *added)
    if needed == reference.ties:
        return None
    return _expanded(needed, after) if all(SHORT.match(text) for entry in needed for text in entry) else needed


def _tied_elsewhere(reference: Node, names: dict[str, int]) -> frozenset[tuple[str, str]]:
    """What is tied in the declared model though it declares no such ties: its own code shares the tensors, or a model
    around it, which hands modules in."""
    entries = reference.ties if reference.ties and reference.ties_active else ()
    declared = {name for entry in entries for name in _matching(entry[0], names)}
    return frozenset(pair for pair in _pairs(reference, reference) if declared.isdisjoint(pair))


def _kept(ties: Keys, before: dict[str, int], after: dict[str, int], active: bool) -> list[tuple[str, str]]:
    """The declared entries that still say what is tied, or that the ones after them overrule, as before."""
    kept: list[tuple[str, str]] = []
    overruled: set[str] = set()
    for entry in reversed(ties):
        targets = set(_matching(entry[0], after))
        right = not active or _holds(entry, after) or (not _holds(entry, before) and targets <= overruled)
        if right and (_fits(entry, after) or not _fits(entry, before)):
            kept.insert(0, entry)
            overruled |= targets
    return kept


def second_paths(reference: Node, live: Node) -> tuple[str, ...]:
    """The paths, below a transformers model, of modules that stand at a path before as well, unlike the reference's;
    those inside a model further down are that model's."""
    if live.ties is None or reference.ties is None:
        return ()
    known = set(_repeated(reference, "", set()))
    for prefix, model in _models_below(live, ""):
        known |= {join(prefix, path) for path in _repeated(model, "", set())}
    return tuple(path for path in _repeated(live, "", set()) if path not in known)


def sharing(root: Node) -> frozenset[int]:
    """The keys of modules that stand at several paths, and of those that hold one."""
    times: Counter[int] = Counter()

    def count(node: Node) -> None:
        times[node.key] += 1
        if times[node.key] == 1:
            for _, child in node.children:
                if child is not None:
                    count(child)

    def holds(node: Node) -> bool:
        if node.key not in found:
            inside = [holds(child) for _, child in node.children if child is not None]
            found[node.key] = times[node.key] > 1 or any(inside)
        return found[node.key]

    found: dict[int, bool] = {}
    count(root)
    if any(number > 1 for number in times.values()):
        holds(root)
    return frozenset(key for key, shared in found.items() if shared)


def _repeated(node: Node, path: str, seen: set[int]) -> Iterator[str]:
    for name, child in node.children:
        if child is None or not _has_parameters(child):
            continue
        here = join(path, name)
        if child.key in seen:
            yield here
        else:
            seen.add(child.key)
            yield from _repeated(child, here, seen)


def _has_parameters(node: Node) -> bool:
    own = any(fact is not None for _, fact in node.parameters)
    return own or any(child is not None and _has_parameters(child) for _, child in node.children)


def _names(node: Node) -> dict[str, int]:
    """Every path of a parameter or buffer, second paths of shared modules included, with the tensor's key: what the
    declared keys are matched with."""
    return {path: key for path, key, _ in _slots(node, "", buffers=True)}


def _slots(node: Node, path: str, *, buffers: bool = False) -> list[tuple[str, int, Slot]]:
    found: list[tuple[str, int, Slot]] = []

    def visit(node: Node, path: str) -> None:
        for name, fact in (*node.parameters, *(node.buffers if buffers else ())):
            if fact is not None:
                found.append((join(path, name), fact.key, (node.key, name)))
        for name, child in node.children:
            if child is not None:
                visit(child, join(path, name))

    visit(node, path)
    return found


def untied(root: Node) -> frozenset[int]:
    """The keys of all modules of a tree in which no parameter stands in two slots; of another one, none."""
    seen: set[int] = set()
    tensors: list[int] = []
    pending = [root]
    while pending:
        node = pending.pop()
        if node.key not in seen:
            seen.add(node.key)
            for _, fact in node.parameters:
                if fact is not None:
                    tensors.append(fact.key)
            for _, child in node.children:
                if child is not None:
                    pending.append(child)
    return frozenset(seen) if len(set(tensors)) == len(tensors) else frozenset()


def same_names(one: Node, other: Node, known: set[tuple[int, int]]) -> bool:
    """Whether the tensors of two nodes have the same paths; ``known`` are forms of which that is known."""
    forms = one.form, other.form
    if one.form == other.form or forms in known:
        return True
    if _own_names(one) != _own_names(other):
        return False
    below = dict(other.children)
    for name, child in one.children:
        twin = below.pop(name, None)
        if (child is None) != (twin is None):
            return False
        if child is not None and twin is not None and not same_names(child, twin, known):
            return False
    known.add(forms)
    return not any(below.values())


def _own_names(node: Node) -> set[str]:
    return {name for name, fact in (*node.parameters, *node.buffers) if fact is not None}


def _groups(node: Node) -> frozenset[frozenset[str]]:
    """The paths that hold one tensor in different modules' slots."""
    return frozenset(frozenset(paths) for paths in _tied(node))


def _tied(node: Node) -> Iterator[tuple[str, ...]]:
    by_tensor: dict[int, dict[Slot, str]] = {}
    for path, key, slot in _slots(node, ""):
        by_tensor.setdefault(key, {}).setdefault(slot, path)
    for places in by_tensor.values():
        if len(places) > 1:
            yield tuple(places.values())


def _pairs(reference: Node, live: Node) -> Iterator[tuple[str, str]]:
    """(target, source) for each tie that no model further down declares for itself."""
    models = dict(_models_below(reference, ""))
    below = {
        join(prefix, path)
        for prefix, child in _models_below(live, "")
        for path in _declared(models.get(prefix), child)
    }
    for source, *targets in _tied(live):
        yield from ((target, source) for target in targets if target not in below)


def _declared(reference: Node | None, live: Node) -> Iterator[str]:
    """The targets of ties that a model declares: by its class or, where that says something else, anew."""
    if reference is None or _groups(reference) != _groups(live):
        yield from (path for group in _tied(live) for path in group[1:])
    elif live.ties_active:
        names = _names(live)
        yield from (name for entry in live.ties or () if _holds(entry, names) for name in _matching(entry[0], names))
    for prefix, child in _models_below(live, ""):
        known = dict(_models_below(reference, "")).get(prefix) if reference is not None else None
        yield from (join(prefix, path) for path in _declared(known, child))


def _expanded(keys: Keys, names: dict[str, int]) -> Keys:
    """The names that patterns stand for."""
    found: dict[str, str] = {}
    for target, source in keys:
        sources = _matching(source, names)
        if target in names and source in names:
            found[target] = source
        else:
            found |= {name: sources[i % len(sources)] for i, name in enumerate(_matching(target, names))}
    return tuple(found.items())


def _models_below(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    for name, child in node.children:
        if child is not None:
            if child.ties is not None:
                yield join(path, name), child
            else:
                yield from _models_below(child, join(path, name))


def _matching(pattern: str, names: dict[str, int]) -> list[str]:
    return sorted(name for name in names if re.search(f"^{pattern}", name))


def _holds(entry: tuple[str, str], names: dict[str, int]) -> bool:
    """Whether what a declared entry ties is tied: sources are cycled over the targets, as transformers does."""
    targets, sources = _matching(entry[0], names), _matching(entry[1], names)
    return _fits(entry, names) and all(
        names[target] == names[sources[i % len(sources)]] for i, target in enumerate(targets)
    )


def _fits(entry: tuple[str, str], names: dict[str, int]) -> bool:
    """Whether transformers takes an entry at all."""
    targets, sources = _matching(entry[0], names), _matching(entry[1], names)
    return bool(targets and sources) and len(targets) % len(sources) == 0
