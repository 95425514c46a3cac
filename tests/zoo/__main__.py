"""`python -m tests.zoo`: compile what was modified in every class of transformers, judge it, keep the ledger."""

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from fcntl import LOCK_EX, flock
from functools import partial
from pathlib import Path

import torch

from tests.readme import write_block
from tests.zoo import ledger
from tests.zoo.catalogue import MODIFICATIONS
from tests.zoo.discovery import Zoo, discover, named, shard
from tests.zoo.plan import FULL, QUICK, Cell, cells, sample
from tests.zoo.run import CRASH, NOT_BUILT, WRONG, Row, run

STATE = Path(__file__).parents[2] / "build" / "zoo"
KEPT_AT_ONCE = 100
COLLECTED_AT_ONCE = 20


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    torch.set_num_threads(1)
    zoo, known = discover(), ledger.read()
    gc.freeze()  # all of transformers is imported by now: a collection that looks at it takes as long as a cell
    gc.disable()
    for module, why in zoo.skipped.items():
        print(f"skipped {module}: {why}")
    keep = None if options.check or options.modification or options.every else partial(kept, zoo)
    rows = list(progress(chosen(options, zoo, known), known, state_file(options), keep, fresh=options.fresh))
    report(rows)
    worse = [row for row in rows if ledger.worse(known.get(ledger.key(row)), row)]
    for row in worse:
        print(f"WORSE {row.cls} {row.modification}: {row.outcome}: {row.text}")
    return 1 if worse else 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m tests.zoo", description=__doc__)
    made.add_argument("--quick", action="store_true", help=f"{QUICK} modifications for each class instead of {FULL}")
    made.add_argument("--every", action="store_true", help="all modifications for each class: days")
    made.add_argument("--round", type=int, default=0, help="go on in the order of each class: other modifications")
    made.add_argument("--sample", type=int, metavar="N", help="N pairs spread over classes and modifications")
    made.add_argument("--shard", metavar="3/16", help="the third of sixteen parts; default: $SHARD")
    made.add_argument("--only", metavar="TEXT", help="classes whose name (`bert.BertModel`) contains this")
    made.add_argument("--modification", choices=list(MODIFICATIONS), help="this one alone")
    made.add_argument("--again", metavar="OUTCOME", help="what the ledger has as `refused`, `WRONG`, ...")
    made.add_argument("--new", action="store_true", help="what the ledger does not have")
    made.add_argument("--check", action="store_true", help="write nothing; exit code 1 if worse than the ledger")
    made.add_argument("--fresh", action="store_true", help="forget what a run that broke off had done")
    return made


def chosen(options: argparse.Namespace, zoo: Zoo, known: ledger.Rows) -> list[Cell]:
    classes = [cls for cls in shard(zoo.classes, options.shard) if not options.only or options.only in named(cls)]
    if options.modification:
        return [(cls, options.modification) for cls in classes]
    if options.sample:
        return sample(classes, options.sample)
    each = len(MODIFICATIONS) if options.every else QUICK if options.quick else FULL
    found = cells(classes, each, options.round * each)
    if options.again:
        wanted = {at for at, row in known.items() if row.outcome == options.again}
        return [cell for cell in found if (named(cell[0]), cell[1]) in wanted]
    if options.new:
        return [
            cell for cell in found if not {(named(cell[0]), cell[1]), (named(cell[0]), ledger.EVERY)} & known.keys()
        ]
    return found


def state_file(options: argparse.Namespace) -> Path:
    """Where this very run keeps what it has done, so that it can go on after it broke off."""
    said = vars(options) | {"shard": options.shard or os.environ.get("SHARD")}
    values = {name: value for name, value in sorted(said.items()) if value and name not in ("fresh", "check")}
    name = "-".join(f"{name}_{value}".replace("/", "of") for name, value in values.items())
    return STATE / f"{name or 'full'}.jsonl"


def progress(
    wanted: list[Cell], known: ledger.Rows, state: Path, keep: Callable[[list[Row]], None] | None, *, fresh: bool
) -> Iterator[Row]:
    """`keep` gets what was found now, time and again: a run that breaks off leaves a ledger."""
    done = {} if fresh else finished(state)
    state.parent.mkdir(parents=True, exist_ok=True)
    start, unbuilt = time.monotonic(), {row.cls: row for row in done.values() if row.outcome == NOT_BUILT}
    pending = [row for row in done.values() if ledger.key(row) not in known]
    with state.open("w" if fresh else "a") as log:
        for index, (cls, modification) in enumerate(wanted, 1):
            at = (named(cls), modification)
            row = done.get(at) or unbuilt.get(named(cls))
            if row is None:
                if not index % COLLECTED_AT_ONCE:
                    gc.collect()
                row = run(cls, modification, judged=known.get(at))
                log.write(json.dumps(asdict(row)) + "\n")
                log.flush()
                pending.append(row)
                print(line(row, index, len(wanted), time.monotonic() - start), flush=True)
            if row.outcome == NOT_BUILT:
                unbuilt[row.cls] = row
            if keep and (len(pending) >= KEPT_AT_ONCE or index == len(wanted)):
                keep(pending)
                pending = []
            yield row
    state.unlink(missing_ok=True)  # all of it was done: the next run starts anew


def kept(zoo: Zoo, rows: list[Row]) -> None:
    """Into the ledger and the README, whatever another shard wrote there meanwhile."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        flock(lock, LOCK_EX)
        known = ledger.merged(ledger.read(), rows)
        heads = [covered(zoo, known), *ledger.totals(known.values())]
        ledger.write(known, MODIFICATIONS, heads=heads)
        write_block("zoo", "make zoo", "\n".join(f"- {head}" for head in heads))


def covered(zoo: Zoo, known: ledger.Rows) -> str:
    """How much is judged, without the classes that cannot be built: more than is planned where the plan changed."""
    unbuilt = {cls for cls, modification in known if modification == ledger.EVERY}
    planned = {(named(cls), name) for cls, name in cells([c for c in zoo.classes if named(c) not in unbuilt], FULL)}
    judged, left = len(known) - len(unbuilt), len(planned - known.keys())
    return f"{judged} cells judged, {left} to come: at least {FULL} modifications of each class"


def finished(state: Path) -> dict[tuple[str, str], Row]:
    rows = [Row(**json.loads(text)) for text in state.read_text().splitlines()] if state.exists() else []
    return {(row.cls, row.modification): row for row in rows}


def line(row: Row, index: int, count: int, seconds: float) -> str:
    what = f"{index}/{count} {seconds:.0f} s  {row.outcome:9} {row.cls} {row.modification} {row.seconds:.1f} s"
    return what if row.outcome == "rebuilt" else f"{what}  {row.text[:200]}"


def report(rows: list[Row]) -> None:
    for text in ledger.totals({ledger.key(row): row for row in rows}.values()):
        print(text)
    for row in rows:
        if row.outcome in (CRASH, WRONG):
            print(f"{row.outcome} {row.cls} {row.modification}: {row.text}")


if __name__ == "__main__":
    sys.exit(main())
