"""Processor time of pieces of work that are done in turns, so that what else the machine does falls on all of them."""

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

Work = Callable[[], object]


@contextmanager
def uncollected() -> Iterator[None]:
    """The collector of garbage runs before what is measured, and not within."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def seconds(work: Work) -> float:
    """Processor seconds of one run."""
    with uncollected():
        start = time.process_time()
        result = work()
        taken = time.process_time() - start
    del result  # after the clock: to free it is no part of the work
    return taken


def in_turns(works: Mapping[str, Work], rounds: int, before: Work | None = None) -> dict[str, list[float]]:
    """Processor seconds of each work in each round; ``before`` is done, unmeasured, before each run of each."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            if before is not None:
                before()
            times[name].append(seconds(work))
    return times


def ratio(times: Sequence[float], base: Sequence[float]) -> float:
    """The median of the ratios of the rounds."""
    return statistics.median(a / b for a, b in zip(times, base, strict=True))


def shares(parts: Mapping[str, float]) -> dict[str, float]:
    """Each part of the sum of all."""
    whole = sum(parts.values())
    return {name: part / whole for name, part in parts.items()}
