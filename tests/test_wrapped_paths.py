"""Paths that a wrapper moves: the plan for tensor parallelism names weights by path."""

import torch
from torch import nn

import archit_codegen as archit
from tests.models import build


class Scaled(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, hidden_states: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        return 2 * self.inner(hidden_states, *args, **kwargs)


def plan_of(live: nn.Module) -> dict[str, str]:
    package = archit.compile_model(live, name="scaled", suffix="Scaled")
    root = getattr(package.load(), package.root_class)
    return dict(root.config_class.base_model_tp_plan)


def test_the_plan_follows_a_wrapped_layer() -> None:
    live = build("llama")
    declared = live.config.base_model_tp_plan
    live.model.layers[1] = Scaled(live.model.layers[1])
    plan = plan_of(live)
    assert plan["layers.*.inner.mlp.up_proj"] == declared["layers.*.mlp.up_proj"]
    assert declared.items() <= plan.items()
    assert len(plan) == len(declared) + sum(key.startswith("layers.*.") for key in declared)


def test_the_plan_follows_a_wrapped_linear() -> None:
    live = build("llama")
    declared = live.config.base_model_tp_plan
    live.model.layers[0].mlp.up_proj = Scaled(live.model.layers[0].mlp.up_proj)
    assert plan_of(live) == {**declared, "layers.*.mlp.up_proj.inner": declared["layers.*.mlp.up_proj"]}


def test_without_a_wrapper_the_plan_is_inherited() -> None:
    live = build("llama")
    live.model.norm = nn.Identity()
    assert plan_of(live) == live.config.base_model_tp_plan
