"""How compile time grows: with depth, with changed layers, with parameters."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from archit_codegen import compile_model
from benchmarks import results
from benchmarks.caches import forget_texts
from benchmarks.clock import uncollected
from benchmarks.models import NAME, SUFFIX, built, swap
from benchmarks.ratios import compiling
from benchmarks.stages import BUILD, stage_seconds

SECTION = "growth"
DEPTHS = (4, 8, 16, 32, 64, 128, 256, 512)
CHANGED = (1, 4, 16, 64, 256, 512)
PARAMETERS = (1e7, 1e8, 1e9, 1e10, 1e11, 1.7e12)
DEEPEST = 512
ROUNDS = 9
Point = dict[str, float]


def llama(depth: int, width: int = 64) -> nn.Module:
    """On `meta`; each layer has about 16 width^2 parameters."""
    sizes = {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": depth}
    return built(LlamaForCausalLM, LlamaConfig(vocab_size=128, num_attention_heads=8, num_key_value_heads=8, **sizes))


def swapped(depth: int, width: int = 64) -> nn.Module:
    live = llama(depth, width)
    swap(live, "model.embed_tokens")
    return live.eval()


def changed(count: int, *, alike: bool) -> nn.Module:
    """A deep model, ``count`` of whose layers have another norm: the same one, or each another."""
    live: Any = llama(DEEPEST)
    for number in range(count):
        eps = 1e-4 if alike else 1e-4 + number * 1e-6
        live.model.layers[number].input_layernorm = nn.LayerNorm(64, eps=eps, device="meta")
    model: nn.Module = live.eval()
    return model


def of_parameters(parameters: float) -> nn.Module:
    width = math.isqrt(int(parameters / 64)) // 16 * 16
    return swapped(4, width)


SERIES: dict[str, tuple[Sequence[float], Callable[[Any], nn.Module]]] = {
    "depth": (DEPTHS, swapped),
    "changed alike": (CHANGED, partial(changed, alike=True)),
    "changed apart": (CHANGED, partial(changed, alike=False)),
    "parameters": (PARAMETERS, of_parameters),
}
"""What is varied, and the model for each of its values."""


def beyond_the_build(live: nn.Module, *, validation: bool) -> float:
    """Processor seconds of one compile without those of building the declared class. To take the build's own time,
    measured apart, from the whole would leave what the two differ by, which is mostly noise."""
    forget_texts()
    with uncollected():
        return stage_seconds(compiling(live, validation=validation), BUILD)["other"]


def point(rounds: Sequence[Point]) -> Point:
    """The least of the rounds: what else the machine does only adds to them, by another amount each second."""
    return {kind: min(found[kind] for found in rounds) for kind in rounds[0]}


def exponent(points: Mapping[float, float], last: int = 4) -> float:
    """The slope of the line through the logarithms of the last points, where what is spent once weighs least."""
    pairs = [(math.log(x), math.log(y)) for x, y in sorted(points.items())][-last:]
    return statistics.linear_regression(*zip(*pairs, strict=True)).slope


def spread(points: Mapping[float, float]) -> float:
    """The largest as a multiple of the smallest."""
    return max(points.values()) / min(points.values())


def summary(points: Mapping[float, Point]) -> dict[str, Any]:
    """Each kind of compile: times as multiples of the first, their exponent and their spread."""
    return {kind: _summary({x: found[kind] for x, found in points.items()}) for kind in next(iter(points.values()))}


def _summary(points: Mapping[float, float]) -> dict[str, Any]:
    first = points[min(points)]
    return {
        "points": {f"{x:g}": y / first for x, y in points.items()},
        "exponent": exponent(points),
        "spread": spread(points),
    }


def measured(name: str) -> dict[float, Point]:
    """The points of a series, from rounds in each of which every point is measured once."""
    values, make = SERIES[name]
    models = {value: make(value) for value in values}
    compile_model(models[values[0]], name=NAME, suffix=SUFFIX)  # source files are read, not counted
    rounds: dict[float, list[Point]] = {value: [] for value in values}
    for _ in range(ROUNDS):
        for value, live in models.items():
            rounds[value].append(
                {kind: beyond_the_build(live, validation=kind == "proved") for kind in ("plain", "proved")}
            )
        points = {value: point(found) for value, found in rounds.items()}
        print(name, *(f"{value:g}: {found['plain']:.3f} {found['proved']:.3f}," for value, found in points.items()))
    return points


def measure(names: Sequence[str] = tuple(SERIES)) -> None:
    for name in names:
        found = summary(measured(name))
        results.keep(SECTION, {**results.read().get(SECTION, {}), name: found}, part=name)
