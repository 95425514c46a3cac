"""`make heads`: every task on every type of model, and docs/heads.md anew.

``ONLY="bert gpt2"`` for some of them, ``ONLY=missing`` for those that docs/heads.tsv has not yet, ``ONLY=changed`` for
those whose heads are not what they were when they were judged. Rows are written as they come: a run that was broken
off goes on with ``ONLY=changed``.
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.heads.agreement import agreements
from tests.heads.bases import Base, bases
from tests.heads.cells import Cell, cells, fingerprint
from tests.heads.table import RESULTS, read, write, write_document


def main() -> int:
    results = read(RESULTS)
    every = list(bases())
    is_wanted = wanted(os.environ.get("ONLY", "").split(), results)
    for base in every:
        if not is_wanted(base):
            continue
        now = fingerprint(base)
        found = [replace(cell, judged=now) for cell in (*cells(base), *agreements(base))]
        results = [cell for cell in results if cell.model_type != base.model_type] + found
        marks = " ".join(f"{cell.task}:{cell.outcome}" for cell in found if cell.outcome not in ("done", "no base"))
        print(f"{base.model_type}: {sum(cell.outcome == 'done' for cell in found)} done {marks}", flush=True)
        write(results, RESULTS)
        write_document(results, len(every))
    write_document(results, len(every))
    return 0


def wanted(only: Sequence[str], results: Sequence[Cell]) -> Callable[[Base], bool]:
    """Which types of models are to be judged."""
    known = {cell.model_type: cell.judged for cell in results}
    if only == ["missing"]:
        return lambda base: base.model_type not in known
    if only == ["changed"]:
        return lambda base: known.get(base.model_type) != fingerprint(base)
    return lambda base: not only or base.model_type in only


if __name__ == "__main__":
    sys.exit(main())
