"""`python -m tests.zoo.fuzz 500 --seed 1`: random sequences of modifications (hypothesis, stateful), each step judged.

What is found is shrunk to the smallest sequence and printed as a case for `tests/test_fuzz_found.py`. The totals of
every run are added to `docs/fuzz.md`.
"""

import argparse
import gc
import sys
import time
from collections import Counter
from collections.abc import Sequence as Items
from pathlib import Path

import torch
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.zoo import small
from tests.zoo.catalogue import MODIFICATIONS
from tests.zoo.run import CRASH, NOT_APPLICABLE, NOT_NATIVELY, REBUILT, REFUSED, WRONG
from tests.zoo.sequences import Sequence

LEDGER = Path(__file__).parents[2] / "docs" / "fuzz.md"
LONGEST, BATCH = 12, 25
LENGTHS = (1, 1, 2, 2, 2, 3, 3, 3, 4, 5, 6, 8, 10, LONGEST)
HEAD = """# Random surgery

Sequences of 1 to 12 random modifications at random places of random small models, compiled and judged after each. A
sequence ends early at a refusal. Run again with `make fuzz N=... SEED=...`. A row stays as it was measured: what went
wrong or crashed in it, once and again while it was shrunk, is mended (in 204 it was the judge that was wrong).

| seed | sequences | modifications | rebuilt | outputs compared | saved unlike native | refused | crashes | wrong |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|
"""


def machine(classes: Items[str], counts: Counter[str]) -> type[RuleBasedStateMachine]:
    """A state machine over these classes, that adds up what became of its steps."""

    class RandomSurgery(RuleBasedStateMachine):
        sequence: Sequence | None = None

        @initialize(cls_name=st.sampled_from(classes), length=st.sampled_from(LENGTHS))
        def build(self, cls_name: str, length: int) -> None:
            self.sequence, self.left = Sequence(cls_name), length

        @precondition(lambda self: self.left > 0 and not self.sequence.ended)
        @rule(modification=st.sampled_from(sorted(MODIFICATIONS)), choice=st.integers(0, 9))
        def modify(self, modification: str, choice: int) -> None:
            made = len(self.sequence.steps)
            wrong = self.sequence.step(modification, choice)
            self.left -= len(self.sequence.steps) > made or self.sequence.counts[NOT_APPLICABLE] > 3 * LONGEST
            assert wrong is None, wrong

        @precondition(lambda self: self.left <= 0 or self.sequence.ended)
        @rule()
        def rest(self) -> None:
            """The sequence is shorter than the longest."""

        def teardown(self) -> None:
            if self.sequence is not None:
                counts.update(self.sequence.counts)
                counts["sequences"] += 1
                counts["modifications"] += len(self.sequence.steps)
                self.sequence.close()

    return RandomSurgery


def fuzz(classes: Items[str], examples: int, number: int) -> tuple[Counter[str], str | None]:
    """So many sequences from one seed, and the smallest one that goes wrong."""
    counts: Counter[str] = Counter()
    options = settings(
        max_examples=examples, stateful_step_count=2 * LONGEST, deadline=None, database=None, derandomize=False,
        suppress_health_check=list(HealthCheck), phases=(Phase.generate, Phase.shrink), report_multiple_bugs=False,
    )  # fmt: skip
    try:
        run_state_machine_as_test(seed(number)(machine(classes, counts)), settings=options)
    except AssertionError as error:
        return counts, str(error)
    return counts, None


def main(arguments: Items[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.zoo.fuzz", description=__doc__)
    parser.add_argument("number", type=int, help="how many sequences")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    classes = [name for name, row in sorted(small.read().items()) if row.runs]
    gc.collect()
    gc.freeze()  # collections need not look at all of transformers
    totals, found, start = Counter[str](), [], time.monotonic()
    for batch in range(-(-options.number // BATCH)):
        counts, wrong = fuzz(classes, BATCH, options.seed * 100_000 + batch)
        totals += counts
        if wrong is not None:
            found.append(wrong)
            print(f"FOUND {wrong}", flush=True)
        print(f"{time.monotonic() - start:.0f} s {dict(totals)}", flush=True)
        if not options.check:
            record(options.seed, totals)
    return 1 if found else 0


def record(number: int, totals: Counter[str]) -> None:
    """One line for each seed, of what was done so far: nothing of it depends on the machine."""
    names = ("sequences", "modifications", REBUILT, "with outputs", NOT_NATIVELY, REFUSED, CRASH, WRONG)
    known = LEDGER.read_text().removeprefix(HEAD).splitlines() if LEDGER.exists() else []
    lines = {int(line.split("|")[1]): line for line in known}
    lines[number] = "| " + " | ".join(str(value) for value in (number, *(totals[n] for n in names))) + " |"
    LEDGER.write_text(HEAD + "".join(f"{lines[seed]}\n" for seed in sorted(lines)))


if __name__ == "__main__":
    sys.exit(main())
