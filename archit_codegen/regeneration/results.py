"""What became of a model that was compiled: facts that travel between processes, and nothing of torch."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Outcome(StrEnum):
    """What compiling, and perhaps writing, came to."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    DIFFERENT = "different"
    REFUSED = "refused"
    FAILED = "failed"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Result:
    """One model. ``text`` is the root class, or what went wrong; ``diff`` goes from what stands on disk to what is
    emitted; ``files`` are those in the way of writing."""

    name: str
    package: Path
    outcome: Outcome
    text: str
    notes: tuple[str, ...] = ()
    diff: str = ""
    files: tuple[str, ...] = ()

    @property
    def bad(self) -> bool:
        """Whether the model could not be compiled, or its package not be written for lack of a disk that works."""
        return self.outcome in (Outcome.FAILED, Outcome.BROKEN)
