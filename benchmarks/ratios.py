"""Compile time as a multiple of the floor, and how it is shared out."""

import statistics
from collections.abc import Callable
from typing import Any

from torch import nn

from archit_codegen import Package, compile_model
from benchmarks import results
from benchmarks.caches import forget_texts
from benchmarks.clock import in_turns, ratio, shares
from benchmarks.floor import floor_of
from benchmarks.models import CASES, NAME, SUFFIX, Case
from benchmarks.stages import stage_seconds

ROUNDS = 15
SECTION = "ratios"


def compiling(live: nn.Module, *, validation: bool) -> Callable[[], Package]:
    return lambda: compile_model(live, name=NAME, suffix=SUFFIX, validation=validation)


def ratios(live: nn.Module, rounds: int = ROUNDS) -> dict[str, Any]:
    """Ratios to the floor of a compile ("plain"), one with validation ("proved") and of the floor's own parts, and
    the shares of the stages of the second."""
    floor = floor_of(live)
    plain, proved = compiling(live, validation=False), compiling(live, validation=True)
    works = {"floor": floor.run, "plain": plain, "proved": proved}
    times = in_turns(works, rounds, forget_texts)
    parts = in_turns(floor.parts, rounds, forget_texts)
    forget_texts()
    return {
        "plain": ratio(times["plain"], times["floor"]),
        "proved": ratio(times["proved"], times["floor"]),
        "floor": shares({name: statistics.median(found) for name, found in parts.items()}),
        "stages": shares(stage_seconds(proved)),
        "modules": sum(1 for _ in live.modules()),
        "parameters": sum(parameter.numel() for parameter in live.parameters()),
    }


def measure(cases: tuple[Case, ...] = CASES) -> None:
    found = results.read().get(SECTION, {})
    for case in cases:
        found[case.title] = ratios(case.live())
        results.keep(SECTION, found)
        print(f"{case.title:16} {found[case.title]['plain']:5.2f} {found[case.title]['proved']:5.2f}", flush=True)
