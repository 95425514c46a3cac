"""Writes `docs/speed.md` and its pictures from what was measured."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks import pictures, results

LIMITS = {"plain": 1.5, "proved": 2.5}
HEAD = """\
# Speed

Written by `make bench`; figures are ratios, so that they mean the same on any machine. Processor time, median of
rounds in which everything is done in turns, in one process that has imported everything.
On {versions}.

Each model is a class of transformers with its default config, on `meta`, with one embedding swapped for a module of
the user's own.
"""
FLOOR = """\
## Compile time and its floor

The floor is what cannot be avoided: build the declared class once on `meta`, parse the classes that become variants
once with libcst, format the emitted text once with black. A model's files may have been read before, as the files of
transformers are over the models of a run; nothing that was made of an emitted text is kept between rounds.
Aimed at: at most {plain} without validation, {proved} with it.

![Compile time as a multiple of the floor](speed.svg)
"""
STAGES = """\
## Where the time goes

Shares of a compile with validation, in percent; `names` binds the names of the emitted text, `other` is what no stage
takes.
"""


def write() -> None:
    found = results.read()
    text = "\n".join(section for section in sections(found) if section)
    (results.DOCS / "speed.md").write_text(text, "utf-8")
    pictures.draw(found)


def sections(found: Mapping[str, Any]) -> Iterator[str]:
    yield HEAD.format(versions=found.get("versions", "unknown versions"))
    if ratios := found.get("ratios"):
        yield FLOOR.format(**LIMITS)
        yield table(
            ("model", "parameters", "modules", "without", "with", "build : libcst : black"), floor_rows(ratios)
        )
        yield STAGES
        stages = list(next(iter(ratios.values()))["stages"])
        yield table(
            ("model", *stages),
            ([title, *(percent(row["stages"][name]) for name in stages)] for title, row in ratios.items()),
        )


def floor_rows(ratios: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for title, row in ratios.items():
        parts = " : ".join(percent(row["floor"][name]) for name in ("build", "libcst", "black"))
        yield [
            title, large(row["parameters"]), str(row["modules"]), times(row["plain"]), times(row["proved"]), parts
        ]  # fmt: skip
    plain, proved = (statistics.median(row[name] for row in ratios.values()) for name in ("plain", "proved"))
    yield ["**median**", "", "", f"**{times(plain)}**", f"**{times(proved)}**", ""]


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    """Markdown; the first column is text, the others are figures."""
    lines = [head, ["---", *(["--:"] * (len(head) - 1))], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def times(value: float) -> str:
    """ "2.96" or "17.7" or "412", with the sign of a multiple."""
    return f"{value:.3g} x" if value < 100 else f"{value:.0f} x"


def percent(share: float) -> str:
    return f"{100 * share:.0f}"


def large(number: float) -> str:
    """ "125 M", "1.74 T" """
    for name, size in (("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if number >= size:
            return f"{number / size:.3g} {name}"
    return str(number)
