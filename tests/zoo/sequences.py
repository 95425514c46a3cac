"""Random surgery: one small live model, modified again and again, compiled and judged after each modification."""

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from tests.zoo import numeric, small
from tests.zoo.catalogue import modify
from tests.zoo.discovery import TooSlow, find, time_limit
from tests.zoo.faithful import Expected
from tests.zoo.numeric import NOT_SAVED
from tests.zoo.places import NotApplicable
from tests.zoo.run import CRASH, NOT_APPLICABLE, REFUSED, WRONG

Step = tuple[str, int]
"""A modification, and the number that chooses its places."""
STEP_SECONDS = 120
BAD = (WRONG, CRASH)


@dataclass
class Sequence:
    """A model under way. `steps` are those that were made, `counts` what became of them."""

    cls_name: str
    steps: list[Step] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.files = ExitStack()
        self.ended = False
        self.row = small.read()[self.cls_name]
        self.model, self.inputs = small.build(find(self.cls_name), self.row)

    def step(self, modification: str, choice: int) -> str | None:
        """Modify, compile and judge; what went wrong, where something did. After a refusal the sequence is over."""
        if self.ended:
            return None
        with ExitStack() as undo:
            try:
                with time_limit(STEP_SECONDS):
                    outcome, text = self.made(modification, choice, undo)
            except TooSlow as error:
                outcome, text = CRASH, str(error)
        self.counts[outcome] += 1
        if outcome != NOT_APPLICABLE:
            self.steps.append((modification, choice))
        self.ended = outcome in (REFUSED, *BAD)
        return f"{outcome}: {text}\n{self}" if outcome in BAD else None

    def made(self, modification: str, choice: int, undo: ExitStack) -> tuple[str, str]:
        known = list(self.model.parameters())
        try:
            modify(self.model, f"{self.cls_name} {choice}", modification, undo, self.files)
        except NotApplicable as error:
            return NOT_APPLICABLE, str(error)
        except TooSlow:
            raise
        except Exception as error:  # the model may be changed in part: it is compiled as it is now
            self.counts[f"modification raised {type(error).__name__}"] += 1
        numeric.liven_new(self.model, known)
        try:
            expected = Expected.of(self.model, self.inputs)
        except TooSlow:
            raise
        except Exception:  # it does not compute any more: its structure is judged all the same
            expected = None
        self.counts["with outputs"] += expected is not None
        outcome, text = numeric.compiled(self.model, expected, undo, inputs=self.inputs)
        return numeric.told_apart(find(self.cls_name), self.row, text) if outcome == NOT_SAVED else (outcome, text)

    def close(self) -> None:
        self.files.close()

    def __str__(self) -> str:
        """As a case of `tests/test_fuzz_found.py`."""
        return json.dumps([self.cls_name, self.steps])


def replay(cls_name: str, steps: list[Any]) -> str | None:
    """The first thing that goes wrong in a sequence."""
    sequence = Sequence(cls_name)
    try:
        return next((wrong for name, choice in steps if (wrong := sequence.step(name, choice))), None)
    finally:
        sequence.close()
