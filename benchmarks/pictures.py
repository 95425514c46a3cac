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


def save(figure: Figure, name: str) -> None:
    figure.savefig(results.DOCS / name, format="svg", bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
    # Matplotlib leaves spaces at the ends of lines, which linters of repositories take away.
    path = results.DOCS / name
    path.write_text("\n".join(line.rstrip() for line in path.read_text("utf-8").splitlines()) + "\n", "utf-8")
