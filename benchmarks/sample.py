"""The ratio to the floor over a spread sample of all model classes and all kinds of modification."""

import statistics
from collections.abc import Iterator
from contextlib import ExitStack, suppress

from torch import nn

from archit_codegen import ArchitError, compile_model
from benchmarks import results
from benchmarks.caches import forget_texts
from benchmarks.clock import in_turns, ratio
from benchmarks.floor import floor_of
from benchmarks.models import NAME, SUFFIX
from tests.zoo.catalogue import modify
from tests.zoo.discovery import NotBuilt, build, discover, named
from tests.zoo.places import NotApplicable
from tests.zoo.plan import sample

SECTION = "sample"
SIZE, ROUNDS = 48, 3


def one(live: nn.Module) -> tuple[float, float]:
    """Without and with validation."""
    works = {
        "floor": floor_of(live).run,
        "plain": lambda: compile_model(live, name=NAME, suffix=SUFFIX, validation=False),
        "proved": lambda: compile_model(live, name=NAME, suffix=SUFFIX),
    }
    times = in_turns(works, ROUNDS, forget_texts)
    return ratio(times["plain"], times["floor"]), ratio(times["proved"], times["floor"])


def models(size: int) -> Iterator[tuple[str, nn.Module]]:
    """Those that can be built and modified, each by its name and while it is modified."""
    for cls, modification in sample(discover().classes, size):
        with ExitStack() as undo, suppress(NotBuilt, NotApplicable):
            live = build(cls)
            modify(live, named(cls), modification, undo)
            yield f"{named(cls)} {modification}", live


def measure() -> None:
    """The medians over the models that can be compiled."""
    found: list[tuple[float, float]] = []
    for name, live in models(SIZE):
        with suppress(ArchitError):  # refused: the zoo's ledger tells
            found.append(one(live))
            print(f"{name:70} {found[-1][0]:5.2f} {found[-1][1]:5.2f}", flush=True)
    plain, proved = (statistics.median(values) for values in zip(*found, strict=True))
    results.keep(SECTION, {"models": len(found), "plain": plain, "proved": proved})
