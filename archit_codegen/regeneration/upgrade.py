"""What the installed versions make of packages that were generated with others."""

import re
from dataclasses import dataclass

from ..disk.lock import read_lock
from ..errors import LockUnreadable
from ..installed import differing, versions
from .results import Outcome, Result

HEADER = re.compile(r"[-+]# \w+ of \w+( [\d.]+)?, modified\.")
"""The line of an emitted file that names a version, in a diff."""


@dataclass(frozen=True, slots=True)
class Line:
    """One model of the report: "same", "changed source" or "refused"."""

    name: str
    verdict: str
    why: str = ""
    diff: str = ""


def judged(result: Result) -> Line:
    """What a preview on the installed versions says of an upgrade."""
    if result.bad:
        return Line(result.name, "refused", " ".join(result.text.split()))
    if result.outcome is Outcome.UNCHANGED:
        return Line(result.name, "same")
    if all(HEADER.fullmatch(line) for line in changed_lines(result.diff)):
        return Line(result.name, "same", "but for the version in the headers")
    return Line(result.name, "changed source", ", ".join(_versions(result)), result.diff)


def changed_lines(diff: str) -> list[str]:
    """The lines that a unified diff takes away or adds."""
    return [line for line in diff.splitlines() if line[:1] in {"-", "+"} and line[:4] not in {"--- ", "+++ "}]


def _versions(result: Result) -> list[str]:
    try:
        lock = read_lock(result.package)
    except LockUnreadable as error:
        return [error.reason]
    return differing(lock.origin.versions, versions()) if lock else ["it is not generated yet"]
