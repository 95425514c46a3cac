"""Which rounds of a loop are meant, whatever their number: learnt from several numbers. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from types import CodeType

from .edits import COUNT, INDEX

LARGEST_PERIOD = 8
MIXED = 4  # of so many indices each may count from either end
PARTS = ("{n} // 2", "({n} + 1) // 2", "{n} // 3", "{n} * 2 // 3", "{n} // 4", "{n} * 3 // 4")


@dataclass(frozen=True, slots=True)
class Rounds:
    """The rounds that were chosen, of those that come to a site, in a loop of ``count`` rounds."""

    chosen: frozenset[int]
    every: tuple[int, ...]
    count: int


def rule(samples: Sequence[Rounds]) -> str | None:
    """The simplest test over `INDEX` and `COUNT` that chooses the rounds of all samples; None if there is none."""
    for test in _tests(samples[0]):
        code = compile(test, "<rule>", "eval")
        if all(_chosen(code, rounds) == rounds.chosen for rounds in samples):
            return test
    return None


def _chosen(code: CodeType, rounds: Rounds) -> frozenset[int]:
    names = {"__builtins__": {}, COUNT: rounds.count}
    return frozenset(index for index in rounds.every if eval(code, names, {INDEX: index}))


def _tests(rounds: Rounds) -> Iterator[str]:
    """Those first that a reader expects: from the start, from the end, every so many, parts, lists of rounds."""
    chosen, rest = sorted(rounds.chosen), [index for index in rounds.every if index not in rounds.chosen]
    if not chosen:
        return
    for text in (_from_start, _from_end(rounds.count)):
        if len(chosen) == 1:
            yield f"{INDEX} == {text(chosen[0])}"
        if len(rest) == 1:
            yield f"{INDEX} != {text(rest[0])}"
        yield f"{INDEX} < {text(chosen[-1] + 1)}"
        yield f"{INDEX} >= {text(chosen[0])}"
    yield from _periodic(chosen[0], rest, rounds.count)
    parts = [part.format(n=COUNT) for part in PARTS]
    yield from (f"{INDEX} {sign} {part}" for part in parts for sign in ("<", ">=", "=="))
    yield from _from_both_ends(chosen, rest, rounds.count)


def _periodic(first: int, rest: Sequence[int], count: int) -> Iterator[str]:
    for period in range(2, LARGEST_PERIOD + 1):
        yield f"{INDEX} % {period} == {first % period}"
        if rest:
            yield f"{INDEX} % {period} != {rest[0] % period}"
        yield f"({COUNT} - {INDEX}) % {period} == {(count - first) % period}"


def _from_both_ends(chosen: Sequence[int], rest: Sequence[int], count: int) -> Iterator[str]:
    end = _from_end(count)
    yield f"{chosen[0]} <= {INDEX} < {end(chosen[-1] + 1)}"
    gaps = [index for index in rest if chosen[0] < index < chosen[-1]]
    if gaps:
        yield f"{INDEX} < {gaps[0]} or {INDEX} >= {end(gaps[-1] + 1)}"
    for word, members in (("in", chosen), ("not in", rest)):
        ends = (_from_start, end) if len(members) <= MIXED else (_from_start,)
        for texts in product(ends, repeat=len(members)) if len(ends) > 1 else [ends * len(members)]:
            if members:
                inside = [text(member) for text, member in zip(texts, members, strict=True)]
                yield f"{INDEX} {word} {{{', '.join(inside)}}}"


def _from_start(index: int) -> str:
    return str(index)


def _from_end(count: int) -> Callable[[int], str]:
    return lambda index: COUNT if index == count else f"{COUNT} - {count - index}"


def order_rule(samples: Sequence[tuple[Sequence[int], int]]) -> str | None:
    """The simplest sequence over `COUNT` that gives the order of all samples, each with the number of rounds."""
    for text in _orders(*samples[0]):
        code = compile(text, "<rule>", "eval")
        if all(tuple(eval(code, {COUNT: size})) == tuple(order) for order, size in samples):
            return text
    return None


def _orders(order: Sequence[int], size: int) -> Iterator[str]:
    yield f"reversed(range({COUNT}))"
    whole, tail = f"range({COUNT})", order[size:]
    if list(order[:size]) == list(range(size)) and 0 < len(tail) <= MIXED:
        for texts in product((_from_start, _from_end(size)), repeat=len(tail)):
            added = [text(index) for text, index in zip(texts, tail, strict=True)]
            yield f"(*{whole}, {', '.join(added)})"
    yield f"(*{whole}, *{whole})"
    yield f"sorted((*{whole}, *{whole}))"
