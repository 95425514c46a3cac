"""Conversions of the declared class that would lose weights of the changed one when it is saved and loaded."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from transformers import conversion_mapping

from .ir import Node, join
from .ties import same_names

Patterns = tuple[str, ...]


def lossy(key: str, reference: Node | None, live: Node | None, apart: Collection[str]) -> tuple[Patterns, ...]:
    """The source patterns of those conversions, registered under ``key``, that would not give the weights back whose
    names are new, or that need the weights that are gone. Names that start with one of ``apart`` have their own."""
    if reference is None or live is None or same_names(reference, live, set()):
        return ()
    transforms = [each for each in conversion_mapping.get_checkpoint_conversion_mapping(key) or () if _stays(each)]
    before, after = set(_names(reference, "")), set(_names(live, ""))
    new = [name for name in sorted(after - before) if not name.startswith(tuple(apart))]
    alike = {re.sub(r"\d+", "0", name): name for name in new}  # what is done to one layer's is done to all
    found = [*_in_part(transforms, before - after, after), *_mistaken(transforms, alike.values())]
    return tuple(dict.fromkeys(found))


def _stays(transform: Any) -> bool:
    """What adds or takes a prefix is left out when a model is saved that was not loaded."""
    return type(transform).__name__ != "PrefixChange"


def _names(node: Node, path: str) -> Iterator[str]:
    """Those of a state dict."""
    yield from (join(path, name) for name, fact in node.parameters if fact is not None)
    yield from (join(path, name) for name, fact in node.buffers if fact is not None and fact.persistent)
    for name, child in node.children:
        if child is not None:
            yield from _names(child, join(path, name))


def _in_part(transforms: Sequence[Any], gone: Iterable[str], after: Iterable[str]) -> Iterator[Patterns]:
    """Several weights are saved as one, and only some of them are there."""
    for transform in transforms:
        if len(transform.target_patterns) > 1:
            back = transform.reverse_transform()
            missing = set(_together(back, gone))
            if missing and not missing.isdisjoint(_together(back, after)):
                yield tuple(transform.source_patterns)


def _together(transform: Any, names: Iterable[str]) -> Iterator[str]:
    converted = ((name, transform.rename_source_key(name)[0]) for name in names)
    yield from (new for name, new in converted if new != name)


def _mistaken(transforms: Sequence[Any], names: Iterable[str]) -> Iterator[Patterns]:
    """A new name is taken for one of those that are converted."""
    for name in names:
        if _there_and_back(transforms, name) != name:
            for transform in transforms:
                rest = [each for each in transforms if each.source_patterns != transform.source_patterns]
                if _there_and_back(rest, name) == name:
                    yield tuple(transform.source_patterns)
                    break


def _there_and_back(transforms: Sequence[Any], name: str) -> str:
    """The name that a weight has when it was saved, and loaded again."""
    for transform in reversed(transforms):
        name = transform.reverse_transform().rename_source_key(name)[0]
    for transform in transforms:
        name = transform.rename_source_key(name)[0]
    return name
