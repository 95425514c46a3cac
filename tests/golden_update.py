"""Writes the golden files anew: `make golden`, or `python -m tests.golden_update [CASE ...]`."""

import shutil
import sys

import archit_codegen as archit
from tests.goldens import CASES, GOLDEN, update


def main(cases: list[str]) -> int:
    unknown = sorted(set(cases) - set(CASES))
    if unknown:
        print(f"unknown: {', '.join(unknown)}; known: {', '.join(CASES)}", file=sys.stderr)
        return 2
    failed = False
    for case in cases or CASES:
        try:
            changed = update(case)
        except archit.ArchitError as error:
            print(f"{case}: {error}", file=sys.stderr)
            failed = True
            continue
        print(f"{case}: {', '.join(changed) or 'unchanged'}")
    if not cases:
        remove_orphans()
    return 2 if failed else 0


def remove_orphans() -> None:
    """Expected trees whose case is gone."""
    for folder in sorted(GOLDEN.glob("*/expected")):
        if folder.parent.name not in CASES:
            shutil.rmtree(folder)
            print(f"{folder.parent.name}: removed")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
