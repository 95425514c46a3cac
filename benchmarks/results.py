"""What was measured, as ratios, kept in `docs/speed.json`; each part of the benchmarks replaces its own section."""

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
MEASURED = ("archit_codegen", "benchmarks")
FILE = DOCS / "speed.json"


def read(path: Path = FILE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def keep(section: str, values: Any, path: Path = FILE, *, part: str = "") -> None:
    """Put values in the place of a section's, rounded to three digits, with the state of the project that they, or a
    part of them, were measured on; nobody reads half a file."""
    found = read(path)
    states = {**found.get("states", {}), f"{section} {part}".strip(): state()}
    whole = dict(sorted({**found, section: rounded(values), "states": dict(sorted(states.items()))}.items()))
    text = json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
    beside = path.with_suffix(".new")
    beside.write_text(text, "utf-8")
    os.replace(beside, path)  # noqa: PTH105  # as one step


@cache
def state() -> str:
    """The commit that the compiler and its benchmarks are of; with "+" where their files differ from it."""
    commit = _git("log", "-1", "--format=%h", "--abbrev=7", "--", *MEASURED)
    return f"{commit}+" if _git("status", "--porcelain", "--", *MEASURED) else commit


def _git(*command: str) -> str:
    return subprocess.run(("git", *command), cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def rounded(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: rounded(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [rounded(value) for value in values]
    return float(f"{values:.3g}") if isinstance(values, float) else values
