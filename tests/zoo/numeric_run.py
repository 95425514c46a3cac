"""`python -m tests.zoo.numeric_run`: small models of every class, modified, compiled, and compared by what they give.

`docs/zoo-numeric.tsv` has the totals and one row for each class and modification that was refused, and for each class
without outputs to compare; `docs/zoo-numeric-hashes.txt` has what was rebuilt, as `zoo-hashes.txt` has.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from tests.zoo import ledger, numeric, small
from tests.zoo.__main__ import STATE, finished, line
from tests.zoo.catalogue import MODIFICATIONS
from tests.zoo.discovery import discover, named, shard
from tests.zoo.plan import rotation
from tests.zoo.run import NOT_APPLICABLE, REBUILT, Row

TABLE, HASHES = ledger.DOCS / "zoo-numeric.tsv", ledger.DOCS / "zoo-numeric-hashes.txt"
EACH = 2


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    torch.set_num_threads(1)
    classes = [
        cls for cls in shard(discover().classes, options.shard) if not options.only or options.only in named(cls)
    ]
    if options.search:
        small.write(small.read() | dict(searched(classes)))
    known = ledger.read(TABLE, HASHES)
    rows = list(progress(chosen(classes, known, options), options))
    worse = [row for row in rows if ledger.worse(known.get(ledger.key(row)), row)]
    for row in worse:
        print(f"WORSE {row.cls} {row.modification}: {row.outcome}: {row.text}")
    kept = ledger.merged(ledger.read(TABLE, HASHES), listed(rows))
    heads = numeric.tally(kept)
    print(*heads, sep="\n")
    if not options.check:
        ledger.write(kept, MODIFICATIONS, TABLE, HASHES, heads)
    return 1 if worse else 0


def chosen(classes: Sequence[type], known: ledger.Rows, options: argparse.Namespace) -> list[type]:
    """Those with a small config that runs; or so many of them that the ledger does not have yet, spread over all."""
    new: int | None = options.new
    table = small.read()
    runs = [cls for cls in classes if named(cls) in table and table[named(cls)].runs]
    if options.again:
        failed = {cls for (cls, _), row in known.items() if row.outcome not in (REBUILT, NOT_APPLICABLE)}
        return [cls for cls in runs if named(cls) in failed]
    if new is None:
        return runs
    listed = {cls for cls, _ in known}
    unknown = [cls for cls in runs if named(cls) not in listed]
    return unknown[:: max(1, len(unknown) // new)][:new]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m tests.zoo.numeric_run", description=__doc__)
    made.add_argument("--each", type=int, default=EACH, help="modifications with outputs compared for each class")
    made.add_argument("--every", action="store_true", help="all modifications for each class: days")
    made.add_argument("--round", type=int, default=0, help="start so many modifications later in each class's order")
    made.add_argument("--new", type=int, metavar="N", help="N classes that the ledger does not have yet")
    made.add_argument("--again", action="store_true", help="only classes of which something was not rebuilt")
    made.add_argument("--shard", metavar="3/16", help="the third of sixteen parts; default: $SHARD")
    made.add_argument("--only", metavar="TEXT", help="classes whose name (`bert.BertModel`) contains this")
    made.add_argument("--modification", choices=list(MODIFICATIONS), help="this one alone")
    made.add_argument("--search", action="store_true", help="search small configs and inputs anew first")
    made.add_argument("--check", action="store_true", help="write no ledger; exit code 1 if worse than it")
    made.add_argument("--fresh", action="store_true", help="forget what a run that broke off had done")
    return made


def searched(classes: Sequence[type]) -> Iterator[tuple[str, small.Small]]:
    for index, cls in enumerate(classes, 1):
        row = small.search(cls)
        print(
            f"{index}/{len(classes)} {row.cls}: {row.rung or 'no small config'} {row.inputs} {row.remark}", flush=True
        )
        yield row.cls, row


def progress(runs: Sequence[type], options: argparse.Namespace) -> Iterator[Row]:
    table = small.read()
    state = state_file(options)
    done = {} if options.fresh else finished(state)
    state.parent.mkdir(parents=True, exist_ok=True)
    start, before = time.monotonic(), {cls for cls, _ in done}
    with state.open("w" if options.fresh else "a") as log:
        for index, cls in enumerate(runs, 1):
            if named(cls) in before:
                yield from (row for (name, _), row in done.items() if name == named(cls))
                continue
            rows = list(judged(cls, table[named(cls)], options))
            log.write("".join(json.dumps(asdict(row)) + "\n" for row in rows))
            log.flush()
            for row in rows:
                if row.outcome != NOT_APPLICABLE:
                    print(line(row, index, len(runs), time.monotonic() - start), flush=True)
            yield from rows
    state.unlink()  # all of it was done: the next run starts anew


def judged(cls: type, row: small.Small, options: argparse.Namespace) -> Iterator[Row]:
    if options.modification:
        return iter([numeric.cell(cls, row, options.modification)])
    if options.every:
        return (numeric.cell(cls, row, name) for name in rotation(cls))
    return numeric.judged(cls, row, options.each, options.round)


def state_file(options: argparse.Namespace) -> Path:
    """Where this very run keeps what it has done, so that it can go on after it broke off."""
    values = {name: value for name, value in sorted(vars(options).items()) if name not in ("fresh", "check", "search")}
    values["shard"] = options.shard or os.environ.get("SHARD")
    name = "-".join(f"{name}_{value}".replace("/", "of") for name, value in values.items() if value)
    return STATE / f"numeric-{name}.jsonl"


def listed(rows: Sequence[Row]) -> Iterator[Row]:
    """Without what does not apply, unless it leaves a class with nothing compared: then its last reason."""
    compared = {row.cls for row in rows if row.outcome != NOT_APPLICABLE}
    last = {row.cls: row for row in rows if row.cls not in compared}
    return (row for row in rows if row.outcome != NOT_APPLICABLE or row is last.get(row.cls))


if __name__ == "__main__":
    sys.exit(main())
