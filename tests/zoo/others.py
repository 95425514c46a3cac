"""`python -m tests.zoo.others`: root classes of other libraries, with the same modifications and the same judge.

A plain root has no config and no checkpoint of its own: its package is modules alone, and is built from the arguments
that the live model was built from. `docs/others.tsv` has the totals and what was not rebuilt.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

import archit_codegen as archit
from tests.judge import poisoned_memory
from tests.models import liven
from tests.zoo import ledger, numeric
from tests.zoo.catalogue import MODIFICATIONS, modify
from tests.zoo.discovery import TooSlow, reason, time_limit
from tests.zoo.faithful import Expected, Judgement
from tests.zoo.outputs import compare, run
from tests.zoo.places import NotApplicable
from tests.zoo.roots import ROOTS, SEED, Root
from tests.zoo.run import CRASH, NOT_APPLICABLE, NOT_BUILT, REBUILT, REFUSED, WRONG, Row, one_line

TABLE, HASHES = ledger.DOCS / "others.tsv", ledger.DOCS / "others-hashes.txt"
CELL_SECONDS = 120
EACH = 8


class PlainJudgement(Judgement):
    """Without a config: the package's root is called as the original's was."""

    arguments: dict[str, Any]

    def judge(self) -> None:
        with poisoned_memory(), torch.random.fork_rng(devices=[]):
            built = self.loaded(self.root(**self.arguments).train(self.live.training))
        self.compare_trees(built, "built")
        if self.expected is not None:
            compare(self.expected.outputs, run(built, self.expected.inputs), "built")


def cell(root: Root, modification: str) -> Row:
    """Never raises. Without outputs, where the modified model does not compute any more, the structure is judged."""
    start = time.perf_counter()
    with ExitStack() as undo:
        try:
            with time_limit(CELL_SECONDS):
                outcome, text = judged(root, modification, undo)
        except TooSlow as error:
            outcome, text = CRASH, str(error)
    return Row(root.name, modification, outcome, one_line(text), round(time.perf_counter() - start, 2))


def judged(root: Root, modification: str, undo: ExitStack) -> tuple[str, str]:
    try:
        expected = expected_of(root, modification)
        model = modified(root, modification, undo)
    except ImportError as error:
        return NOT_BUILT, reason(error)
    except NotApplicable as error:
        return NOT_APPLICABLE, str(error)
    except TooSlow:
        raise
    except Exception as error:  # a modification that the model itself does not survive
        return NOT_APPLICABLE, f"the modification fails: {reason(error)}"

    def judgement(*facts: Any) -> PlainJudgement:
        made = PlainJudgement(*facts)
        made.arguments = root.arguments()
        return made

    return numeric.compiled(model, expected, undo, judgement, inputs=root.inputs())


def build(root: Root) -> nn.Module:
    """Recorded, as whoever builds a root for a surgery is asked to do."""
    torch.manual_seed(SEED)
    cls = root.cls()
    with archit.record():
        model = cls(**root.arguments())
    liven(model.eval())
    return model


def modified(root: Root, modification: str | None, undo: ExitStack) -> nn.Module:
    """Raises what building or modifying it raises."""
    model = build(root)
    known = list(model.parameters())
    torch.manual_seed(SEED)  # new modules draw their weights
    if modification is not None:
        modify(model, root.name, modification, undo)
    numeric.liven_new(model, known)
    return model


def expected_of(root: Root, modification: str | None = None) -> Expected | None:
    """What a twin gives: some models keep what they computed once, and are compiled as they were built. None where it
    does not compute."""
    with ExitStack() as undo:
        twin = modified(root, modification, undo)
        try:
            return Expected.of(twin, root.inputs())
        except TooSlow:
            raise
        except Exception:
            return None


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    torch.set_num_threads(1)
    known = ledger.read(TABLE, HASHES)
    rows: list[Row] = []
    for found in progress(options):
        rows += found
        if not options.check:  # after each root: a run that breaks off leaves a ledger
            kept = ledger.merged(known, rows)
            ledger.write(kept, MODIFICATIONS, TABLE, HASHES, totals(list(kept.values())))
    worse = [row for row in rows if ledger.worse(known.get(ledger.key(row)), row)]
    for row in worse:
        print(f"WORSE {row.cls} {row.modification}: {row.outcome}: {row.text}")
    print(*totals(rows), sep="\n")
    return 1 if worse else 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m tests.zoo.others", description=__doc__)
    made.add_argument("--each", type=int, default=EACH, help="modifications that apply for each root")
    made.add_argument("--only", metavar="TEXT", default="", help="roots whose name contains this")
    made.add_argument("--modification", choices=list(MODIFICATIONS), help="this one alone")
    made.add_argument("--check", action="store_true", help="write no ledger; exit code 1 if worse than it")
    return made


def progress(options: argparse.Namespace) -> Iterator[list[Row]]:
    """What became of each root."""
    for root in ROOTS:
        if options.only in root.name:
            yield list(of_root(root, [options.modification] if options.modification else order(root), options.each))


def of_root(root: Root, modifications: Sequence[str], each: int) -> Iterator[Row]:
    applied = 0
    for name in modifications:
        row = cell(root, name)
        print(f"{row.outcome:9} {row.cls} {name} {row.seconds:.1f} s {row.text[:200]}", flush=True)
        yield row
        applied += row.outcome != NOT_APPLICABLE
        if row.outcome == NOT_BUILT or applied == each:
            break


def order(root: Root) -> list[str]:
    """All modifications, in an order of its own for each root."""
    return sorted(MODIFICATIONS, key=lambda name: (random.Random(f"{root.name} {name}").random(), name))


def totals(rows: Sequence[Row]) -> list[str]:
    count = Counter(row.outcome for row in rows)
    applied = sum(count[outcome] for outcome in (REBUILT, REFUSED, CRASH, WRONG))
    roots = {row.cls for row in rows if row.outcome != NOT_BUILT}
    return [
        f"{len(roots)} root classes, {applied} modifications applied, {count[NOT_APPLICABLE]} not applicable",
        f"{count[REBUILT]} rebuilt ({100 * count[REBUILT] / max(applied, 1):.2f} %), {count[REFUSED]} refused, "
        f"{count[CRASH]} crashes, {count[WRONG]} silently wrong",
    ]


if __name__ == "__main__":
    sys.exit(main())
