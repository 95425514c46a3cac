"""The words for some rounds of a loop."""

from collections.abc import Sequence


def condition(indices: Sequence[int], every: Sequence[int], name: str) -> str:
    """The shortest readable test for some of all values of an index."""
    chosen, rest = sorted(indices), sorted(set(every) - set(indices))
    if len(chosen) == 1:
        return f"{name} == {chosen[0]}"
    if len(rest) == 1:
        return f"{name} != {rest[0]}"
    if not rest or chosen[-1] < rest[0]:
        return f"{name} <= {chosen[-1]}" if chosen[0] else f"{name} < {chosen[-1] + 1}"
    if rest[-1] < chosen[0]:
        return f"{name} >= {chosen[0]}"
    return f"{name} in {{{', '.join(map(str, chosen))}}}"
