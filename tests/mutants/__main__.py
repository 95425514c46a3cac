"""`make mutants`: plants them all, and writes what came of it to docs/mutants.md."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from archit_codegen.declaration import compiler
from archit_codegen.declaration.textcheck import check_files
from tests.mutants.cases import CASES, Case, case
from tests.mutants.plant import Mutant, mutants, refusal

DOC = Path(__file__).parent.parent.parent / "docs" / "mutants.md"
EACH = 4
RUN_EVERY = 16
HEAD = """# Planted mistakes, and how many the validator refuses

Written by `make mutants`. Each mutant is an emitted package with one mistake, in code that runs or in code that does
not; `compile_model`'s own validation has to refuse it. `tests/mutants/operators.py` says what the kinds are, and which
changes are not planted because they mean the same. The last column shows why the text is judged at all: of a sample,
how many are refused when the package is only built, run, saved and loaded.

| kind | planted | refused | refused without the text |
|---|--:|--:|--:|
"""


@dataclass(frozen=True, slots=True)
class Result:
    """``run``: whether building and running alone refuses it; None where that was not tried."""

    mutant: Mutant
    refused: bool
    run: bool | None


def results(each: int) -> Iterator[Result]:
    count = 0
    for name in CASES:
        found = case(name)
        for mutant in mutants(name, found, each):
            count += 1
            tried = count % RUN_EVERY == 0
            yield Result(mutant, refusal(found, mutant.files) is not None, _runs(found, mutant) if tried else None)


def _runs(found: Case, mutant: Mutant) -> bool:
    compiler.check_files = lambda files, draft: None
    try:
        return refusal(found, mutant.files) is not None
    except Exception:  # without the check of the text, a package may raise anything
        return True
    finally:
        compiler.check_files = check_files


def table(found: list[Result]) -> str:
    kinds = Counter(result.mutant.kind for result in found)
    lines = [_line(kind, [r for r in found if r.mutant.kind == kind]) for kind in sorted(kinds)]
    return HEAD + "\n".join([*lines, _line("all", found)]) + "\n"


def _line(kind: str, found: list[Result]) -> str:
    tried = [result.run for result in found if result.run is not None]
    return f"| {kind} | {len(found)} | {sum(r.refused for r in found)} | {sum(tried)} of {len(tried)} |"


def main() -> int:
    found = list(results(EACH))
    survivors = [result.mutant.place for result in found if not result.refused]
    DOC.parent.mkdir(exist_ok=True)
    DOC.write_text(table(found), encoding="utf-8")
    print(f"{len(found)} planted, {len(survivors)} not refused", *survivors, sep="\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
