"""What heads learnt in `make learn`, as a file of rows and as a part of docs/heads.md."""

from collections.abc import Iterator

from tests.heads.docs import DOCS, write_text

LEARNT = DOCS / "heads-learnt.tsv"


def note_learnt(task: str, before: float, after: float, steps: int) -> None:
    """One task's row anew; the others stay."""
    rows = dict(line.split("\t", 1) for line in lines())
    rows[task] = f"{before:.1%}\t{after:.1%}\t{steps}"
    write_text(LEARNT, "".join(f"{name}\t{row}\n" for name, row in sorted(rows.items())))


def lines() -> list[str]:
    return LEARNT.read_text("utf-8").splitlines() if LEARNT.exists() else []


def learnt() -> Iterator[str]:
    """The part of the document."""
    if not lines():
        return
    yield "\n## What they learn\n"
    yield "An emitted head for each task on a small base model without any training, and a toy problem (`make learn`):"
    yield "the share of what it predicts right on texts that it was not trained on.\n"
    yield "| task | at first | after | steps |\n|---|--:|--:|--:|"
    yield from (f"| {' | '.join(line.split(chr(9)))} |" for line in lines())
