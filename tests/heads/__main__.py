"""`make heads`: every task on every type of model, and docs/heads.md anew.

``ONLY="bert gpt2"`` for some of them, ``ONLY=missing`` for those that docs/heads.tsv has not yet.
"""

import os
import sys

from tests.heads.agreement import agreements
from tests.heads.bases import bases
from tests.heads.cells import cells
from tests.heads.table import RESULTS, read, write, write_document


def main() -> int:
    only = os.environ.get("ONLY", "").split()
    results = read(RESULTS)
    known = {cell.model_type for cell in results}
    every = list(bases())
    for base in every:
        if (base.model_type in known) if only == ["missing"] else (only and base.model_type not in only):
            continue
        found = [*cells(base), *agreements(base)]
        results = [cell for cell in results if cell.model_type != base.model_type] + found
        marks = " ".join(f"{cell.task}:{cell.outcome}" for cell in found if cell.outcome not in ("done", "no base"))
        print(f"{base.model_type}: {sum(cell.outcome == 'done' for cell in found)} done {marks}", flush=True)
        write(results, RESULTS)
    write_document(results, len(every))
    return 0


if __name__ == "__main__":
    sys.exit(main())
