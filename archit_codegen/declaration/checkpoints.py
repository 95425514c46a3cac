"""Checkpoints of the declared class: how they are converted, and where their weights stand in the new class."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from torch import nn
from transformers import PreTrainedModel, conversion_mapping

from .changes import Delta, Replaced, flatten
from .conversions import Conversion, Move, together
from .edits import ClassAttribute, Plan
from .ir import Node
from .literal import write_literal
from .lossy import Patterns, lossy
from .walking import named_modules


def moves_of(delta: Delta) -> Iterator[Move]:
    """Every module that a wrapper holds now, with those of its slots whose names the wrapper does not use itself."""
    for path, inner, wrapper, held in wrapped(delta):
        slots = tuple(name for name, taken in names_below(held, wrapper) if not taken)
        if slots:
            yield Move(path, inner, slots)


def wrapped(delta: Delta) -> Iterator[tuple[str, str, Node, Node]]:
    """The path of each wrapper, that of the module inside it, and both."""
    for change in flatten(delta):
        if isinstance(change, Replaced) and change.inner is not None:
            wrapper, held = _at(delta.live, change.path), _at(delta.live, f"{change.path}.{change.inner}")
            if wrapper is not None and held is not None:
                yield change.path, change.inner, wrapper, held


def names_below(held: Node, wrapper: Node | None) -> Iterator[tuple[str, bool]]:
    """Patterns of the starts of names that a module has in a state dict, as short as the names of the wrapper allow;
    and whether that is the whole name of a weight of either."""
    own = set() if wrapper is None else set(_slots(wrapper))
    children, others = dict(held.children), {} if wrapper is None else dict(wrapper.children)
    for name in _slots(held):
        child = children.get(name)
        if child is None or name not in own:
            yield name, name in own and others.get(name) is None
        else:
            yield from ((rf"{name}\.{below}", taken) for below, taken in names_below(child, others.get(name)))


def moved_patterns(live: nn.Module, moves: Iterable[Move]) -> Iterator[tuple[str, list[str]]]:
    """Class attributes of the root that say which names may be missing or surplus: those with paths that moved, with
    the new paths added."""
    known = tuple(moves)
    for name in ("_keys_to_ignore_on_load_missing", "_keys_to_ignore_on_load_unexpected"):
        patterns = list(getattr(type(live), name, None) or ())
        added = [new for pattern in patterns for move in known for new in _moved_pattern(pattern, move)]
        if added:
            yield name, [*patterns, *added]


def _moved_pattern(pattern: str, move: Move) -> Iterator[str]:
    for dot in (r"\.", "."):
        path, new = (text.replace(".", dot) for text in (f"{move.path}.", f"{move.path}.{move.inner}."))
        if path in pattern:
            yield pattern.replace(path, new)
            return


def _at(node: Node | None, path: str) -> Node | None:
    for name in path.split("."):
        node = None if node is None else dict(node.children).get(name)
    return node


def _slots(node: Node | None) -> Iterator[str]:
    """Names under which a state dict has something."""
    if node is None:
        return
    yield from (name for name, fact in node.parameters if fact is not None)
    yield from (name for name, fact in node.buffers if fact is not None and fact.persistent)
    yield from (name for name, child in node.children if child is not None and has_weights(child))


def has_weights(node: Node) -> bool:
    return any(True for _ in _slots(node))


def conversions(
    live: nn.Module, model_type: str, emitted: Mapping[str, str], moves: Iterable[Move], delta: Delta
) -> Iterator[Conversion]:
    """What has to be registered so that checkpoints of the declared class can be read.

    transformers converts what belongs to a model type or to the name of a class, and skips classes that are not its
    own. ``emitted`` has the new name of each declared model class; ``model_type`` is the new one of the root.
    """
    if not isinstance(live, PreTrainedModel):
        return
    moves = tuple(moves)
    here = named_modules(live)
    moved = tuple(together(moves, [path for path, _ in here]))
    claimed: list[tuple[str, str]] = []
    prefix = live.base_model_prefix
    own, around = (prefix, "") if prefix in live._modules else ("", prefix)
    for path, model in here:
        if not isinstance(model, PreTrainedModel):
            continue
        name = type(model).__name__
        found = next((key for key in (name, model.config.model_type) if _known(key)), None)
        if (found is None and (path or not moved)) or (found is not None and _below((found, path), claimed)):
            continue
        if found is not None:
            claimed.append((found, path))
        lost = () if found is None else _lost(found, path, delta, moves)
        by_class = found == name and name in emitted
        if by_class or (path and found != live.config.model_type):
            if name in emitted:  # else it is a class of transformers' own, which is imported
                yield Conversion(emitted[name], found, () if path else moved, own, around, lost)
        else:
            yield Conversion(model_type, found, () if path else moved, own, around, lost)


def _lost(key: str, path: str, delta: Delta, moves: Iterable[Move]) -> tuple[Patterns, ...]:
    """What would lose weights of the model at a path."""
    apart = [f"{move.path}.{move.inner}." for move in moves]
    start = f"{path}." if path else ""
    here = [prefix.removeprefix(start) for prefix in apart if prefix.startswith(start)]
    declared, changed = (_at(node, path) if path else node for node in (delta.reference, delta.live))
    return lossy(key, declared, changed, here)


def _known(key: str | None) -> bool:
    return bool(key) and conversion_mapping.get_checkpoint_conversion_mapping(key) is not None


def _below(claim: tuple[str, str], claimed: Iterable[tuple[str, str]]) -> bool:
    """Whether the same conversions were claimed by a model further up."""
    key, path = claim
    return any(key == known and (not above or path.startswith(f"{above}.")) for known, above in claimed)


def conversion_statements(
    live: nn.Module, model_type: str, emitted: Mapping[str, str] | None, moves: Iterable[Move], delta: Delta
) -> Iterator[str]:
    """Statements by which checkpoints of the declared class can be read; none without a config of transformers."""
    for found in conversions(live, model_type, emitted, moves, delta) if emitted is not None else ():
        known = found.understood()
        if known.moves or known.declared is not None:
            yield known.statement()


def with_moved_patterns(plan: Plan, live: nn.Module, moves: Iterable[Move]) -> Plan:
    """Names that a checkpoint may have or lack follow the weights that moved."""
    edits = tuple(ClassAttribute(name, write_literal(patterns)) for name, patterns in moved_patterns(live, moves))
    variants = (replace(v, edits=(*v.edits, *edits)) if v.name == plan.root else v for v in plan.variants)
    return replace(plan, variants=tuple(variants)) if edits else plan
