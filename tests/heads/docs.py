"""Where the results stand."""

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def write_text(path: Path, text: str) -> None:
    """At once: a run that is broken off leaves the old file or the new one."""
    beside = path.with_suffix(".new")
    beside.write_text(text, "utf-8")
    beside.replace(path)
