"""Which values follow the config: learnt from the same surgery at several configs. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any

from .arithmetic import arithmetic, config_fields, config_paths, is_size
from .changes import Arranged, Change, Delta, Inside, flatten
from .occurrences import Learnt, Occurrence, occurrences, with_learnt
from .rules import Rounds, order_rule, rule

DECLARED = "_declared_"
UNTOLD = (None, True, False)  # values that many fields have: a name alone does not tell which one was meant
Values = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """What a surgery changed on the model of one config; the first of several is the one that is compiled.

    A ``deeper`` one has other layers, so that a path need not mean the same module.
    """

    config: Any
    delta: Delta
    deeper: bool = False


def learnt(samples: Sequence[Sample]) -> tuple[Delta, ...]:
    """The changes of each sample, with what was learnt about their values."""
    learner = _Learner(samples)
    rules = _rules(samples)
    return tuple(with_learnt(_ruled(s.delta, rules), partial(learner.of, place)) for place, s in enumerate(samples))


def _rules(samples: Sequence[Sample]) -> Mapping[str, str]:
    """For each list, by its path, which of its members stay."""
    kept = [{change.path: change for change in flatten(s.delta) if isinstance(change, Arranged)} for s in samples]
    found = {}
    for path in kept[0]:
        changes = [one[path] for one in kept if path in one]
        if len(changes) < len(kept):
            continue
        if all(list(one.order) == sorted(set(one.order)) for one in changes):
            rounds = [Rounds(frozenset(one.order), tuple(range(one.size)), one.size) for one in changes]
            found[path] = rule(rounds)
        else:
            found[path] = order_rule([(one.order, one.size) for one in changes])
    return {path: test for path, test in found.items() if test is not None}


def _ruled(delta: Delta, rules: Mapping[str, str]) -> Delta:
    edits: list[Change] = []
    for edit in delta.edits:
        if isinstance(edit, Arranged):
            edit = replace(edit, test=rules.get(edit.path))
        elif isinstance(edit, Inside):
            edit = replace(edit, delta=_ruled(edit.delta, rules))
        edits.append(edit)
    return replace(delta, edits=tuple(edits))


@dataclass(slots=True)
class _Learner:
    samples: Sequence[Sample]
    roles: list[dict[str, list[Occurrence]]] = field(init=False)
    found: dict[tuple[str, str], Learnt] = field(init=False)

    def __post_init__(self) -> None:
        self.roles = []
        for sample in self.samples:
            by_role: dict[str, list[Occurrence]] = {}
            for occurrence in occurrences(sample.delta):
                by_role.setdefault(occurrence.role, []).append(occurrence)
            self.roles.append(by_role)
        first = [occurrence for group in self.roles[0].values() for occurrence in group]
        self.found = {(one.path, one.role): self.expressions(one) for one in first}

    def of(self, place: int, occurrence: Occurrence) -> Learnt:
        """What was learnt for the compiled sample holds for its like in another."""
        at = (occurrence.path, occurrence.role)
        if at in self.found and not (self.samples[place].deeper and place and self.repeated(occurrence)):
            return self.found[at]
        for one in self.roles[0].get(occurrence.role, ()):
            known = self.found[one.path, one.role]
            same = known is not None and not known and one.value == occurrence.value
            if same or any(self.gives(text, place, occurrence) for text in known or ()):
                return known
        return None

    def repeated(self, occurrence: Occurrence) -> bool:
        return " " in occurrence.role and "*" in occurrence.role.partition(" ")[0]

    def matching(self, occurrence: Occurrence, place: int) -> list[Occurrence]:
        """What stands in another sample for a value of the first: at the same path, if that means the same."""
        group = self.roles[place].get(occurrence.role, [])
        there = [one for one in group if one.path == occurrence.path]
        return there if there and not (self.samples[place].deeper and self.repeated(occurrence)) else group

    def gives(self, text: str, place: int, occurrence: Occurrence) -> bool:
        names = dict(occurrence.owner) | {f"{DECLARED}{name}": value for name, value in occurrence.originals}
        try:
            config = self.samples[place].config
            value = eval(text.replace("@", DECLARED), {"__builtins__": {}}, {**names, "config": config})
        except Exception:  # an expression that does not evaluate does not hold
            return False
        return type(value) is type(occurrence.value) and bool(value == occurrence.value)

    def expressions(self, occurrence: Occurrence) -> Learnt:
        matches = [[occurrence], *(self.matching(occurrence, place) for place in range(1, len(self.samples)))]
        known = [place for place, group in enumerate(matches) if group]
        if len(known) < 2:
            return None

        def holds(text: str) -> bool:
            return all(any(self.gives(text, place, one) for one in matches[place]) for place in known)

        told = list(filter(holds, self.provenance(occurrence)))
        if all(any(one.value == occurrence.value for one in matches[place]) for place in known):
            return tuple(told)
        if isinstance(occurrence.value, tuple | list):
            return (*told, *self.by_members(occurrence, [matches[place] for place in known], known))
        groups = (list(filter(holds, group)) for group in self.candidates(occurrence))
        return tuple(dict.fromkeys((*told, *next(filter(None, groups), []))))

    def provenance(self, occurrence: Occurrence) -> Iterator[str]:
        """Where the value is known, or by its name supposed, to come from."""
        text, paths = occurrence.text, list(config_paths(self.samples[0].config))
        if text is not None and not text.startswith("?"):
            yield from (text.replace("config.", f"config.{path}.") if path else text for path in paths)
        elif text is not None:
            hints = [hint for hint in (text[1:], occurrence.name) if hint]
            yield from (f"@{hint}" for hint in hints)
            if occurrence.value not in UNTOLD:
                yield from (".".join(filter(None, ("config", path, hint))) for hint in hints for path in paths)

    def candidates(self, occurrence: Occurrence) -> Iterator[Iterable[str]]:
        """Expressions that have the value in the first sample, in groups, simple ones first: where none of a group can
        be written at some place, one of a later group would be a coincidence."""
        declared = [(f"@{name}", value) for name, value in occurrence.originals]
        fields = [*occurrence.owner, *config_fields(self.samples[0].config), *declared]
        hints = (occurrence.name, (occurrence.text or "?")[1:])
        fields.sort(key=lambda entry: entry[0].rpartition(".")[2] not in hints)
        value = occurrence.value
        yield [text for text, found in fields if type(found) is type(value) and found == value]
        if type(value) is int and value > 0:
            yield from arithmetic(value, [entry for entry in fields if is_size(*entry)])

    def by_members(
        self, occurrence: Occurrence, matches: Sequence[Sequence[Occurrence]], known: Sequence[int]
    ) -> Iterator[str]:
        """A tuple or list whose members follow the config each for itself."""
        lengths = {len(one.value) if isinstance(one.value, tuple | list) else -1 for group in matches for one in group}
        if any(len(group) > 1 for group in matches) or lengths != {len(occurrence.value)}:
            return
        texts = []
        for index, member in enumerate(occurrence.value):
            parts = [(place, _member(group[0], index)) for place, group in zip(known, matches, strict=True)]
            candidates = [repr(member), *chain.from_iterable(self.candidates(parts[0][1]))]
            fits: Callable[[str], bool] = lambda text, parts=parts: all(self.gives(text, *part) for part in parts)  # type: ignore[misc]  # noqa: E731
            text = next(filter(fits, candidates), None)
            if text is None:
                return
            texts.append(text)
        comma = "," if len(texts) == 1 and isinstance(occurrence.value, tuple) else ""
        yield f"({', '.join(texts)}{comma})" if isinstance(occurrence.value, tuple) else f"[{', '.join(texts)}]"


def _member(occurrence: Occurrence, index: int) -> Occurrence:
    return Occurrence(
        occurrence.path, occurrence.role, occurrence.value[index], None, "", occurrence.originals, occurrence.owner
    )
