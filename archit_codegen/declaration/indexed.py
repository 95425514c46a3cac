"""What a site builds in several rounds of its loop, as one expression over the loop's index. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from .edits import INDEX, Alternative, Arguments, Expression
from .looping import following

Groups = Mapping[Alternative, list[int]]  # the rounds of each alternative


def over_index(groups: Groups) -> Groups:
    """Alternatives that differ in what follows the index as one, in which `INDEX` stands for it."""
    kinds: dict[object, dict[Alternative, list[int]]] = {}
    for alternative, chosen in groups.items():
        kinds.setdefault(_kind(alternative), {})[alternative] = chosen
    found: dict[Alternative, list[int]] = {}
    for each in kinds.values():
        rounds = {k: alternative for alternative, chosen in each.items() for k in chosen}
        common = _common(rounds) if len(each) > 1 else None
        if common is None:
            found |= each
        else:
            found[common] = sorted(rounds)
    return found


def _kind(alternative: Alternative) -> tuple[type, object]:
    match alternative:
        case Expression(held=held):
            return Expression, held
        case Arguments(changes=changes):
            return Arguments, tuple((key, text is None) for key, text in changes)
    return type(alternative), alternative


def _common(alternatives: Mapping[int, Alternative]) -> Alternative | None:
    first = next(iter(alternatives.values()))
    if isinstance(first, Expression):
        said = {k: one.text for k, one in alternatives.items() if isinstance(one, Expression)}
        text = following(said, INDEX)
        return None if text is None else replace(first, text=text)
    if not isinstance(first, Arguments):
        return None
    changes: list[tuple[int | str, str | None]] = []
    for place, (key, old) in enumerate(first.changes):
        said = {k: one.changes[place][1] or "" for k, one in alternatives.items() if isinstance(one, Arguments)}
        text = None if old is None else following(said, INDEX)
        if text is None and old is not None:
            return None
        changes.append((key, text))
    return Arguments(tuple(changes))
