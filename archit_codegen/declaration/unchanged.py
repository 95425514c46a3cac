"""What was found out about a class, for as long as its functions and its file stay what they were."""

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from .sourcefile import SourceFile, source_file, this_run

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class _State:
    """The parts of functions that can be exchanged, and what else tells of the class, by identity. They are kept, so
    that no other object gets it."""

    parts: tuple[object, ...]
    file: SourceFile

    def holds(self, functions: Sequence[object]) -> bool:
        now = tuple(_parts(functions))
        same = len(now) == len(self.parts) and all(map(operator.is_, now, self.parts))
        return same and source_file(self.file.name, self.file.flags) is self.file


class Remembered(Generic[Found]):
    """One finding for each class."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[type, tuple[_State, Found]] = WeakKeyDictionary()

    def seen(self, cls: type) -> Found | None:
        """The finding, if it was asked for in this run before."""
        found: Found | None = this_run().get((id(self), cls))
        return found

    def get(self, cls: type, functions: Sequence[object]) -> Found | None:
        known = self._known.get(cls)
        return self._see(cls, known[1]) if known is not None and known[0].holds(functions) else None

    def keep(self, cls: type, functions: Sequence[object], file: SourceFile, found: Found) -> Found:
        self._known[cls] = (_State(tuple(_parts(functions)), file), found)
        return self._see(cls, found)

    def _see(self, cls: type, found: Found) -> Found:
        this_run()[id(self), cls] = found
        return found


def _parts(functions: Sequence[object]) -> Iterator[object]:
    for function in functions:
        if not isinstance(function, FunctionType):
            yield function
            continue
        yield function.__code__
        if function.__defaults__ is not None:
            yield from _leaves(function.__defaults__)
        if function.__kwdefaults__ is not None:
            yield from _leaves(function.__kwdefaults__)


def _leaves(value: object) -> Iterator[object]:
    """A default with all that it holds: lists and dicts can be changed in place."""
    if isinstance(value, dict):
        yield from (dict, len(value))
        for key, item in value.items():
            yield key
            yield from _leaves(item)
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (type(value), len(value))
        for item in value:
            yield from _leaves(item)
    else:
        yield value
