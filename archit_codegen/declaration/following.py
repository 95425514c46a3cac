"""One plan for any depth, from the plans for several: tests on the rounds of loops in place of lists of them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .edits import Alternative, Constructs, LoopEdit, Plan, SiteEdit, SourceEdit, Variant
from .ir import ClassRef
from .rules import Rounds, rule


def follow(plan: Plan, others: Sequence[Plan]) -> Plan:
    """The plan with what the others, for the same surgery at other configs, say about the rounds that it means."""
    variants = tuple(_variant(variant, [_named(other, variant) for other in others]) for variant in plan.variants)
    if not others or variants == plan.variants:
        return plan
    return replace(plan, variants=variants, present=_present(plan, others))


def _named(plan: Plan, like: Variant) -> Variant | None:
    found = (variant for variant in plan.variants if (variant.name, variant.origin) == (like.name, like.origin))
    return next(found, None)


def _present(plan: Plan, others: Sequence[Plan]) -> Mapping[ClassRef, tuple[str, ...]]:
    """A declared class that is gone here may be there at another depth."""
    return {
        cls: (cls.name, *names)
        if cls.name not in names and any(cls.name in other.present.get(cls, ()) for other in others)
        else names
        for cls, names in plan.present.items()
    }


def _variant(variant: Variant, theirs: Sequence[Variant | None]) -> Variant:
    found = [other for other in theirs if other is not None]
    if not found or len(found) < len(theirs):
        return variant
    return replace(variant, edits=tuple(_edit(edit, [variant, *found]) for edit in variant.edits))


def _edit(edit: SourceEdit, samples: Sequence[Variant]) -> SourceEdit:
    """An edit of the first sample, as all of them have it."""
    if isinstance(edit, Constructs):
        same = all(edit in sample.edits for sample in samples)
        return edit if same else Constructs(edit.old, edit.old)
    if isinstance(edit, SiteEdit):
        sites = [_alive(site, sample) for sample in samples for site in _at(edit, sample)]
        return _site(sites) if len(sites) == len(samples) else edit
    return edit


def _at(edit: SiteEdit, variant: Variant) -> Sequence[SiteEdit]:
    return [other for other in variant.edits if isinstance(other, SiteEdit) and other.site == edit.site]


def _alive(edit: SiteEdit, variant: Variant) -> SiteEdit:
    """Without the rounds that the loop leaves out: what they would build does not matter."""
    loop = next((e for e in variant.edits if isinstance(e, LoopEdit) and e.site == edit.site), None)
    if loop is None or edit.count is None:
        return edit
    every = edit.indices or range(edit.count[1])
    return replace(edit, indices=tuple(index for index in every if index in loop.order))


def _site(samples: Sequence[SiteEdit]) -> SiteEdit:
    edit = samples[0]
    if all(not sample.choices[0][0] for sample in samples) or any(sample.count is None for sample in samples):
        return edit
    alternatives = [alternative for _, alternative in edit.choices]
    if any(alternative not in alternatives for sample in samples for _, alternative in sample.choices):
        return edit
    rounds = {alternative: [_rounds(sample, alternative) for sample in samples] for alternative in alternatives}
    tests = [_test(rounds[alternative]) for alternative in alternatives]
    if len(tests) > 1 and all(
        sum(len(r.chosen) for r in one) == len(one[0].every) for one in zip(*rounds.values(), strict=True)
    ):
        tests[-1] = ""
    if None in tests:
        return edit
    choices = tuple((tuple(sorted(rounds[alternative][0].chosen)), alternative) for alternative in alternatives)
    every = rounds[alternatives[0]][0].every
    return replace(edit, choices=choices, indices=every, tests=tuple(test or "" for test in tests))


def _rounds(edit: SiteEdit, alternative: Alternative) -> Rounds:
    assert edit.count is not None
    every = edit.indices or tuple(range(edit.count[1]))
    chosen = {index for indices, taken in edit.choices if taken == alternative for index in indices or every}
    return Rounds(frozenset(chosen), every, edit.count[1])


def _test(rounds: Sequence[Rounds]) -> str | None:
    return "" if all(len(one.chosen) == len(one.every) for one in rounds) else rule(rounds)
