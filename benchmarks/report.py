"""Writes `docs/speed.md` and its pictures from what was measured."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks import pictures, results
from benchmarks.measured import WHAT, measured_on

LIMITS = {"plain": 1.5, "proved": 2.5}
HEAD = """\
# Speed

Written by `make bench`; figures are ratios, so that they mean the same on any machine. Processor time, median of
rounds in which everything is done in turns, in one process that has imported everything.
On {versions}; each part says which commit it was measured on.

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

SAMPLE = """\
Over a spread sample of all classes of transformers and all kinds of modification ({models} models), the medians are
{plain} without validation and {proved} with it.
"""
OTHERS = """\
## Beside it

What else turns a live module into a graph or bytes, on the same models, as multiples of the same floor:
`torch.export` with its module printed, the code that `torch.fx` traces, a deep copy and pickle. None of these is code
that declares a class; an error is named where there is no result.
"""
MEMORY = """\
## Memory

Peak of a process that has imported everything and compiles the model twice, without and with validation; and what it
grew by beyond the imports, as a multiple of what building the model once on `meta` takes. Aimed at: a peak under 1 GiB
and at most 4 x for the largest class. The last column is the time of the first compile in that process, which reads
all sources, as a multiple of the floor.
"""
STARTUP = """\
## Starting

50 models in a spec, all fresh; processor time. With `--jobs 2`, elapsed time beyond one import, which
means something on two idle cores only, and processor time.
"""
STARTUP_LIMITS = {"check": 10, "generate": 10, "--help": 6}
GROWTH = """\
## Growth

Processor time beyond building the declared class (which is watched by the recorder while it is built), each the least
of several rounds, since what else a machine does only adds to it; for the models in a spec, processor time of the
commands, with nothing to do or (`generate all`) everything, beyond the imports. The exponent is that of the last four
points, where what is spent once weighs least. Aimed at: under 1.1 in depth; flat (largest under 1.2 times the
smallest) in parameters and in layers that are changed alike.
"""
KINDS = {"plain": "without validation", "proved": "with validation"}


def write() -> None:
    found = results.read()
    text = "\n".join(section for section in sections(found) if section)
    (results.DOCS / "speed.md").write_text(text, "utf-8")
    pictures.draw(found)


def sections(found: Mapping[str, Any]) -> Iterator[str]:
    yield HEAD.format(versions=found.get("versions", "unknown versions"))
    for section, write_section in SECTIONS.items():
        if section in found:
            yield from write_section(found)
            yield measured_on(found.get("states", {}), section)


def floor_section(found: Mapping[str, Any]) -> Iterator[str]:
    ratios = found["ratios"]
    yield FLOOR.format(**LIMITS)
    yield table(("model", "parameters", "modules", "without", "with", "build : libcst : black"), floor_rows(ratios))
    if sample := found.get("sample"):
        yield SAMPLE.format(models=sample["models"], plain=times(sample["plain"]), proved=times(sample["proved"]))
    yield STAGES
    stages = list(next(iter(ratios.values()))["stages"])
    yield table(
        ("model", *stages),
        ([title, *(percent(row["stages"][name]) for name in stages)] for title, row in ratios.items()),
    )


def others_section(found: Mapping[str, Any]) -> Iterator[str]:
    yield OTHERS
    ratios = found.get("ratios", {})
    yield table(
        ("model", "compile_model", "torch.export", "torch.fx", "copy and pickle"),
        (
            [title, *(cell(value) for value in (ratios.get(title, {}).get("proved", ""), *row.values()))]
            for title, row in found["others"].items()
        ),
    )


def memory_section(found: Mapping[str, Any]) -> Iterator[str]:
    yield MEMORY
    yield table(
        ("model", "peak", "one build", "without", "with", "first compile"),
        (
            [title, mib(row["peak"]), mib(row["built"]), *(times(row[kind]) for kind in ("plain", "proved", "first"))]
            for title, row in found["memory"].items()
        ),
    )


def startup_section(found: Mapping[str, Any]) -> Iterator[str]:
    startup = found["startup"]
    yield STARTUP
    rows = [
        [f"`archit {name}`", times(value), f"at most {STARTUP_LIMITS[name]} x `python -c pass`"]
        for name, value in startup["commands"].items()
    ]
    rows.append(["`archit generate`, one model", times(startup["one"]), "of importing torch and the model's module"])
    elapsed, processor = (times(startup["jobs"][kind]) for kind in ("elapsed", "processor"))
    rows.append(
        [
            f"{startup['jobs']['models']} models, `--jobs 2`",
            elapsed,
            f"shorter; at least 1.7 x (processor time {processor})",
        ]
    )
    yield table(("", "measured", "aimed at, or compared with"), iter(rows))


def growth_section(found: Mapping[str, Any]) -> Iterator[str]:
    yield GROWTH
    rows = (
        [
            f"{WHAT[name]}, {KINDS.get(kind, kind)}",
            f"{min(xs):g} to {max(xs):g}",
            f"{line['exponent']:.2f}",
            times(line["spread"]),
        ]
        for name, lines in found["growth"].items()
        for kind, line in lines.items()
        for xs in [[float(x) for x in line["points"]]]
    )
    yield table(("what grows", "range", "exponent", "largest : smallest"), rows)
    yield from (f"![{WHAT[name]}](growth-{name.replace(' ', '-')}.svg)\n" for name in found["growth"])


SECTIONS = {
    "ratios": floor_section,
    "others": others_section,
    "memory": memory_section,
    "startup": startup_section,
    "growth": growth_section,
}


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


def cell(value: float | str) -> str:
    return times(value) if isinstance(value, float) else value


def mib(value: float) -> str:
    return f"{value:.0f} MiB"


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
