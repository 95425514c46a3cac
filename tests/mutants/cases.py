"""Packages to plant mistakes in: the golden ones, and some that hold what those do not."""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import nn

import archit_codegen as archit
from archit_codegen.declaration import compiler
from archit_codegen.declaration.changes import Delta
from archit_codegen.declaration.emission import Emitted, Options
from archit_codegen.declaration.workbench import Workbench
from tests import goldens, small
from tests.models import inputs_for

SCALES = {"thin": 0.5, "wide": 2.0}
LIMIT = 1.5 + math.pi


def squashed(hidden_states: torch.Tensor, limit: float = LIMIT, *, kind: str = "thin") -> torch.Tensor:
    """The states within a limit."""
    if limit is None:
        return hidden_states
    return torch.clamp(hidden_states, -limit, limit) * SCALES[kind]


def doubled(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return 2 * function(*args, **kwargs)

    return wrapper


class Base(nn.Module):
    """What both have in common."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.register_buffer("steps", torch.arange(hidden_size).float(), persistent=False)


class Squashing(Base):
    """Never more than a limit."""

    kinds = ("thin", "wide")

    @doubled
    def forward(self, hidden_states: torch.Tensor, *args: Any, kind: str = "thin", **kwargs: Any) -> torch.Tensor:
        if kind not in self.kinds:
            raise ValueError(f"{kind} is none of {self.kinds}")
        return squashed(hidden_states, kind=kind) + 0 * self.steps


class Tower(nn.Module):
    """A root of no library's."""

    def __init__(self, width: int, depth: int = 2) -> None:
        super().__init__()
        self.width, self.depth = width, depth
        self.layers = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x


def user_code() -> nn.Module:
    model = small.llama()
    model.model.layers[1].mlp = Squashing(8)
    model.config.limits = [1, 2.5, None]
    model.config.temperature = math.inf
    return model


def own_root() -> nn.Module:
    model = Tower(4, depth=3)
    model.layers[1] = nn.Sequential(nn.Linear(4, 4, bias=False), nn.GELU(approximate="tanh"))
    return model


def statements() -> nn.Module:
    model = small.bert()
    layers = model.bert.encoder.layer
    layers[1].attention.self.query.weight.requires_grad_(False)
    layers[2].output.LayerNorm.eps = 1e-3
    layers.append(layers[0])
    model.bert.embeddings.surplus = nn.Parameter(torch.zeros(3, 2))
    model.bert.embeddings.register_buffer("counts", torch.zeros(4))
    model.cls.predictions.decoder.weight = nn.Parameter(model.cls.predictions.decoder.weight.detach().clone())
    return model


def patched() -> nn.Module:
    model = small.llama()
    factor = 0.25

    def forward(self, x):
        if self.training and factor > 1:
            return original(x)
        return factor * self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))

    mlp = model.model.layers[0].mlp
    original = mlp.forward
    mlp.forward = forward.__get__(mlp)
    return model


EXTRA: Mapping[str, Callable[[], nn.Module]] = {
    "own_root": own_root,
    "patched": patched,
    "statements": statements,
    "user_code": user_code,
    "vendored": user_code,
}
VENDOR = {"vendored": "all"}
CASES = (*goldens.CASES, *EXTRA)


@dataclass(frozen=True, slots=True)
class Case:
    """What `compile_model` has in hand when it validates."""

    bench: Workbench
    delta: Delta
    emitted: Emitted
    options: Options
    inputs: Mapping[str, Any] | None

    def validate(self, files: Mapping[str, str]) -> None:
        """As `compile_model` does; raises `ArchitError`."""
        emitted = replace(self.emitted, files=files)
        compiler._proved(self.bench, self.delta, emitted, self.options, self.inputs)


@cache
def case(name: str) -> Case:
    if name in EXTRA:
        torch.manual_seed(0)
        with archit.record():
            live = EXTRA[name]().eval()
        options = Options(f"tiny_{name}", "WithMutants", vendor=VENDOR.get(name, "changed"))
        inputs = {"x": torch.ones(2, 4)} if name == "own_root" else small.inputs_of(live)
    else:
        live, model = goldens.live_model(name), goldens.MODELS[name]
        options, inputs = Options(model.name, model.suffix), inputs_for(live)
    bench = compiler._bench(live, None)
    delta = compiler.diff_trees(bench.reference_node, bench.live_node, bench)
    emitted, _ = compiler._validated(bench, delta, options, inputs)
    return Case(bench, delta, emitted, options, inputs)
