"""The pictures of `docs/speed.md`; the same figures give the same bytes."""

from collections.abc import Mapping
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot
from matplotlib.figure import Figure

from benchmarks import results

WIDTH = 8.0
COLOURS = {"plain": "#4c78a8", "proved": "#a0bcd8", "limit": "#b03a2e"}
matplotlib.rcParams.update({"svg.hashsalt": "archit_codegen", "svg.fonttype": "none", "font.size": 9})


def draw(found: Mapping[str, Any]) -> None:
    if ratios := found.get("ratios"):
        save(bars(ratios), "speed.svg")
    for name, lines in found.get("growth", {}).items():
        save(curves(name, lines), f"growth-{name.replace(' ', '-')}.svg")


def bars(ratios: Mapping[str, Any]) -> Figure:
    """Two bars for each model, the floor as a line at 1."""
    figure, axes = pyplot.subplots(figsize=(WIDTH, 0.38 * len(ratios) + 1.2))
    titles = list(ratios)
    for shift, (kind, label) in enumerate((("plain", "without validation"), ("proved", "with validation"))):
        places = [index + 0.36 * (shift - 0.5) for index in range(len(titles))]
        values = [ratios[title][kind] for title in titles]
        drawn = axes.barh(places, values, 0.34, label=label, color=COLOURS[kind])
        axes.bar_label(drawn, fmt="%.1f", padding=2, fontsize=7)
    axes.axvline(1, color=COLOURS["limit"], linewidth=1, label="the floor")
    axes.set_yticks(range(len(titles)), titles)
    axes.invert_yaxis()
    axes.set_xlabel("processor time as a multiple of the floor")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def curves(name: str, lines: Mapping[str, Any]) -> Figure:
    """Time as a multiple of that of the first point, both axes logarithmic, with a line of exponent 1 beside it."""
    figure, axes = pyplot.subplots(figsize=(WIDTH / 2, WIDTH / 3))
    for kind, line in lines.items():
        points = [(float(x), y) for x, y in line["points"].items()]
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=f"{kind} ({line['exponent']:.2f})")
    ends = [min(x for x, _ in points), max(x for x, _ in points)]
    axes.plot(ends, [1, ends[1] / ends[0]], color=COLOURS["limit"], linewidth=0.7, linestyle=":", label="linear")
    axes.set(xscale="log", yscale="log", xlabel=name, ylabel="time, first point = 1")
    axes.set_ylim(0.5, 2 * max(y for line in lines.values() for y in line["points"].values()))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=7)
    return figure


def save(figure: Figure, name: str) -> None:
    figure.savefig(results.DOCS / name, format="svg", bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
    # Matplotlib leaves spaces at the ends of lines, which linters of repositories take away.
    path = results.DOCS / name
    path.write_text("\n".join(line.rstrip() for line in path.read_text("utf-8").splitlines()) + "\n", "utf-8")
