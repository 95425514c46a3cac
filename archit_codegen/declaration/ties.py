"""Ties from the identity of the live tensors, never from the declared keys alone. Pure."""

import re
from collections import Counter
from collections.abc import Iterator

from ..errors import UnsupportedChange
from .ir import Node, join

Slot = tuple[int, str]  # a parameter's place: key of its module, name
Keys = tuple[tuple[str, str], ...]


def needed_ties(reference: Node, live: Node, path: str = "") -> Keys | None:
    """The ``_tied_weights_keys`` that a transformers model needs; None if the declared ones are right.

    Raises:
        UnsupportedChange: weights are tied, but the config switches all ties off.
    """
    if live.ties is None or reference.ties is None or _groups(reference) == _groups(live):
        return None
    before, after = _names(reference), _names(live)
    active = live.ties_active
    kept = [entry for entry in reference.ties if _holds(entry, after) or not (active and _holds(entry, before))]
    covered = {name for entry in kept if active for name in _matching(entry[0], after) if _holds(entry, after)}
    added = [pair for pair in _pairs(live) if pair[0] not in covered]
    if added and not active:
        raise UnsupportedChange(
            join(path, added[0][0]),
            f"is tied to {join(path, added[0][1])}, while {join(path, 'config')}.tie_word_embeddings is off, which "
            "switches all ties off",
            f"Set `{join('model', join(path, 'config'))}.tie_word_embeddings = True` in the surgery.",
        )
    needed = (*kept, *added)
    return needed if needed != reference.ties else None


def second_paths(reference: Node, live: Node) -> tuple[str, ...]:
    """The paths, below a transformers model, of modules that stand at a path before as well, unlike the reference's;
    those inside a model further down are that model's."""
    if live.ties is None or reference.ties is None or not sharing(live):
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
        inside = [holds(child) for _, child in node.children if child is not None]
        if times[node.key] > 1 or any(inside):
            found.add(node.key)
        return node.key in found

    found: set[int] = set()
    count(root)
    if any(number > 1 for number in times.values()):
        holds(root)
    return frozenset(found)


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
    """Every parameter path, second paths of shared modules included, with the tensor's key."""
    return {path: key for path, key, _ in _slots(node, "")}


def _slots(node: Node, path: str) -> list[tuple[str, int, Slot]]:
    found: list[tuple[str, int, Slot]] = []

    def visit(node: Node, path: str) -> None:
        for name, fact in node.parameters:
            if fact is not None:
                found.append((join(path, name), fact.key, (node.key, name)))
        for name, child in node.children:
            if child is not None:
                visit(child, join(path, name))

    visit(node, path)
    return found


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


def _pairs(live: Node) -> Iterator[tuple[str, str]]:
    """(target, source) for each tie that no model further down declares for itself."""
    below = {
        path for prefix, child in _models_below(live, "") for group in _tied(child) for path in _in(prefix, group)
    }
    for source, *targets in _tied(live):
        yield from ((target, source) for target in targets if target not in below)


def _in(prefix: str, paths: tuple[str, ...]) -> Iterator[str]:
    return (join(prefix, path) for path in paths[1:])


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
    if not targets or not sources or len(targets) % len(sources):
        return False
    return all(names[target] == names[sources[i % len(sources)]] for i, target in enumerate(targets))
