"""The results of `make heads` as a file of rows and as a document."""

from pathlib import Path

from tests.heads.cells import Cell

DOCS = Path(__file__).parents[2] / "docs"
RESULTS, DOCUMENT = DOCS / "heads.tsv", DOCS / "heads.md"


def read(path: Path) -> list[Cell]:
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [Cell(*line.split("\t")) for line in lines]


def write(cells: list[Cell], path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    ordered = sorted(cells, key=lambda cell: (cell.model_type, cell.task))
    rows = ("\t".join((c.model_type, c.cls, c.task, c.outcome, " ".join(c.text.split()))) for c in ordered)
    path.write_text("".join(f"{row}\n" for row in rows), "utf-8")


def write_document(cells: list[Cell]) -> None:
    DOCUMENT.write_text(f"{len(cells)}\n", "utf-8")
