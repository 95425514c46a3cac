"""The results of `make heads` as a file of rows and as a document."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import transformers

from archit_codegen.declaration.tasks import TASKS
from tests.heads.cells import DONE, NO_BASE, Cell
from tests.heads.docs import DOCS, write_text
from tests.heads.learnt import learnt

RESULTS, DOCUMENT = DOCS / "heads.tsv", DOCS / "heads.md"
MARKS = {DONE: "✓", "refused": "·", "failed": "✗"}
NATIVE_MARKS = {"equal": "=", "close": "≈", "other": "≠"}
SHORT = {
    "token-classification": "token", "sequence-classification": "sequence", "question-answering": "question",
    "answerable-question-answering": "answerable", "multiple-choice": "choice", "masked-lm": "masked",
    "causal-lm": "causal", "dependency-parsing": "parser", "multi-task": "multi",
}  # fmt: skip
HEAD = """# Heads on every base model

Written by `make heads`, with transformers {version}. Every type of model whose base model takes `input_ids`, on a
small config. A mark ✓ means: the head is emitted, imports, runs, every weight of it has a gradient, and it predicts
the same after it was saved and loaded. · is a refusal, ✗ a failure; both have their reason below.

Where transformers has a class for the task, a second mark tells what came of its weights in our head: = logits and
loss are equal bit for bit, ≈ they differ in the last bits, ≠ they differ, or the heads have other weights.

{summary}
"""


def read(path: Path) -> list[Cell]:
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [Cell(*line.split("\t")) for line in lines]


def write(cells: Sequence[Cell], path: Path) -> None:
    rows = (
        "\t".join((c.model_type, c.cls, c.task, c.outcome, " ".join(c.text.split()), c.judged)) for c in ordered(cells)
    )
    write_text(path, "".join(f"{row}\n" for row in rows))


def ordered(cells: Sequence[Cell]) -> list[Cell]:
    return sorted(cells, key=lambda cell: (cell.model_type, cell.task))


def write_document(cells: Sequence[Cell], types: int) -> None:
    """``types`` is the number of types of models that there are; some may not have been tried yet."""
    write_text(DOCUMENT, "\n".join(document(ordered(cells), types)) + "\n")


def document(cells: Sequence[Cell], types: int) -> Iterator[str]:
    own = [cell for cell in cells if not cell.task.startswith("= ")]
    native = [cell for cell in cells if cell.task.startswith("= ")]
    yield HEAD.format(version=transformers.__version__, summary=summary(own, native, types))
    yield from table(own, native)
    yield from learnt()
    yield from listed("Tasks that a type of model has not", [c for c in own if c.outcome not in (DONE, NO_BASE)])
    notes = [cell for cell in own if cell.outcome == DONE and cell.text]
    yield from listed("What was not compared", notes)
    yield from listed("Heads of transformers that are others", [c for c in native if c.outcome != "equal"])
    yield from listed("Types of models without hidden states of a text", [c for c in own if c.outcome == NO_BASE])


def summary(own: Sequence[Cell], native: Sequence[Cell], types: int) -> str:
    tried = {cell.model_type for cell in own}
    usable = {cell.model_type for cell in own if cell.outcome != NO_BASE}
    done = sum(cell.outcome == DONE for cell in own)
    whole = sum(all(c.outcome == DONE for c in own if c.model_type == name) for name in usable)
    equal = sum(cell.outcome == "equal" for cell in native)
    return (
        f"{len(tried)} of {types} types of models were tried; {len(usable)} of them give hidden states of a text on a "
        f"small config. "
        f"{done} of {len(usable) * len(TASKS)} heads on these are done, all {len(TASKS)} on {whole} types. "
        f"Of {len(native)} classes of transformers, {equal} are equal bit for bit."
    )


def table(own: Sequence[Cell], native: Sequence[Cell]) -> Iterator[str]:
    yield f"| | {' | '.join(SHORT[task] for task in TASKS)} |"
    yield f"|---|{':-:|' * len(TASKS)}"
    outcomes = {(cell.model_type, cell.task): cell.outcome for cell in own}
    natives = {(cell.model_type, cell.task.removeprefix("= ")): cell.outcome for cell in native}
    for name in dict.fromkeys(cell.model_type for cell in own if cell.outcome != NO_BASE):
        marks = (
            f"{MARKS[outcomes[name, task]]} {NATIVE_MARKS.get(natives.get((name, task), ''), '')}".strip()
            for task in TASKS
        )
        yield f"| {name} | {' | '.join(marks)} |"


def listed(title: str, cells: Sequence[Cell]) -> Iterator[str]:
    """Each reason once, with all that it holds for."""
    if not cells:
        return
    yield f"\n## {title}\n"
    reasons: dict[str, dict[str, list[str]]] = {}
    for cell in cells:
        task = SHORT[cell.task.removeprefix("= ")]
        text = cell.text.replace(cell.cls, "the class").replace("|", "/")
        reasons.setdefault(text, {}).setdefault(cell.model_type, []).append(task)
    for text, by_type in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0])):
        whole = all(len(tasks) == len(TASKS) for tasks in by_type.values())
        shown = ", ".join(by_type) if whole else ", ".join(f"{n} ({', '.join(ts)})" for n, ts in by_type.items())
        yield f"- {text}: {shown}"
