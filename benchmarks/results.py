"""What was measured, as ratios, kept in `docs/speed.json`; each part of the benchmarks replaces its own section."""

import json
import os
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent / "docs"
FILE = DOCS / "speed.json"


def read(path: Path = FILE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def keep(section: str, values: Any, path: Path = FILE) -> None:
    """Put values in the place of a section's, rounded to three digits; nobody reads half a file."""
    whole = dict(sorted({**read(path), section: rounded(values)}.items()))
    text = json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
    beside = path.with_suffix(".new")
    beside.write_text(text, "utf-8")
    os.replace(beside, path)  # noqa: PTH105  # as one step


def rounded(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: rounded(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [rounded(value) for value in values]
    return float(f"{values:.3g}") if isinstance(values, float) else values
