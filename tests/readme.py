"""Blocks of README.md that make targets write."""

from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def write_block(name: str, target: str, block: str, readme: Path = README) -> None:
    readme.write_text(replace_block(readme.read_text("utf-8"), name, target, block), "utf-8")


def replace_block(text: str, name: str, target: str, block: str) -> str:
    """The text with what stands between the markers replaced.

    Raises:
        ValueError: it has no such markers.
    """
    begin, end = f"<!-- {name}: begin ({target}) -->", f"<!-- {name}: end -->"
    before, opened, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (opened and closed):
        raise ValueError(f"no {begin} ... {end}")
    return f"{before}{begin}\n{block}\n{end}{after}"
