"""What else turns a live module into code, a graph or bytes, on the same models and beside the same floor."""

import copy
import pickle
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

import torch
from torch import nn

from archit_codegen.declaration.inputs import InputsUnknown, make_inputs
from benchmarks import results
from benchmarks.caches import forget_texts
from benchmarks.clock import seconds
from benchmarks.floor import floor_of
from benchmarks.models import CASES, Case

SECTION = "others"
LONGEST = 600
"""Seconds after which one of them is stopped."""


class TookTooLong(Exception):
    """It was stopped."""


def exported(live: nn.Module) -> str:
    """The graph of `torch.export`, printed; one that is specialised on the sizes of the inputs."""
    program = torch.export.export(live, (), inputs(live), strict=False)
    text: str = program.module().print_readable(print_output=False)
    return text


class OfOneInput(nn.Module):
    """A model as a function of its first input: `torch.fx` can follow no wrapped `forward` with `**kwargs`."""

    def __init__(self, live: nn.Module) -> None:
        super().__init__()
        self.live, self.given = live, inputs(live)

    def forward(self, first: torch.Tensor) -> Any:
        return self.live(**{**self.given, next(iter(self.given)): first})


def traced(live: nn.Module) -> str:
    """The code of `torch.fx`."""
    return str(torch.fx.symbolic_trace(OfOneInput(live)).code)


def inputs(live: nn.Module) -> dict[str, Any]:
    found: dict[str, Any] = {name: tensor.to("meta") for name, tensor in make_inputs(live).items()}
    if "use_cache" in signature(live.forward).parameters:
        found["use_cache"] = False  # a cache is no type that can be exported
    return found


def copied(live: nn.Module) -> bytes:
    """A deep copy, pickled: no code, and of no use where the classes of the modules are not known."""
    return pickle.dumps(copy.deepcopy(live))


WAYS: dict[str, Callable[[nn.Module], object]] = {"export": exported, "fx": traced, "copy": copied}


def others(live: nn.Module) -> dict[str, float | str]:
    """Processor time of each as a multiple of the floor, or the kind of error that it ends with; run once each."""
    floor = floor_of(live)
    forget_texts()
    base = min(seconds(floor.run) for _ in range(3))
    return {name: _multiple(way, live, base) for name, way in WAYS.items()}


def _multiple(way: Callable[[nn.Module], object], live: nn.Module, base: float) -> float | str:
    try:
        with warnings.catch_warnings(), time_limit(LONGEST):
            warnings.simplefilter("ignore")
            return seconds(lambda: way(live)) / base
    except (TookTooLong, InputsUnknown) as error:
        return type(error).__name__
    except Exception as error:  # a tracer runs the code of the model, and may end with anything
        return type(error).__name__


@contextmanager
def time_limit(limit: float) -> Iterator[None]:
    """In the main thread: signals arrive nowhere else."""

    def stop(*_: Any) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def measure(cases: tuple[Case, ...] = CASES) -> None:
    found = results.read().get(SECTION, {})
    for case in cases:
        found[case.title] = others(case.live())
        results.keep(SECTION, found)
        print(f"{case.title:16} {found[case.title]}", flush=True)
