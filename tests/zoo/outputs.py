"""Runs a model of the zoo and compares what two models give, bit for bit: outputs, hidden states and attentions."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tests.judge import leaves, same_bits, unequal

SEED = 11
WANTED = (("output_hidden_states", "output_attentions"), ("output_hidden_states",), ("output_attentions",), ())
Outputs = dict[str, Any]


def run(model: nn.Module, inputs: Mapping[str, Any]) -> Outputs:
    """All that the model gives, by its place in the output; what a part of the model refuses to give is left out.

    Raises:
        Exception: whatever the plain forward raises.
    """
    for flags in WANTED:
        try:
            return run_with(model, inputs, flags)
        except Exception:
            if not flags:
                raise
    raise AssertionError("the last of WANTED returns or raises")


@torch.no_grad()
def run_with(model: nn.Module, inputs: Mapping[str, Any], flags: tuple[str, ...]) -> Outputs:
    """Models that draw noise draw the same each time; inputs are copied, since some models write into them."""
    own = copy.deepcopy(dict(inputs))
    forget_captures(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        found = dict(leaves(model(**own, **dict.fromkeys(flags, True))))
    return {name: value.clone() if isinstance(value, torch.Tensor) else value for name, value in found.items()}


def forget_captures(model: nn.Module) -> None:
    """transformers puts hooks for hidden states on the modules that are there at the first run: what the surgery puts
    in after such a run has to get them as well."""
    for module in model.modules():
        vars(module).pop("_output_capturing_hooks_installed", None)
        hooks = module._forward_hooks
        for key in [key for key, hook in hooks.items() if hook.__module__ == "transformers.utils.output_capturing"]:
            del hooks[key]


def tensors_in(outputs: Outputs) -> list[torch.Tensor]:
    return [value for value in outputs.values() if isinstance(value, torch.Tensor) and value.numel()]


def compare(ours: Outputs, theirs: Outputs, when: str) -> None:
    """One NaN is as good as another of the same bits."""
    assert list(ours) == list(theirs), f"{when}: outputs: {unequal(ours, theirs)}"
    for name, value in ours.items():
        if isinstance(value, torch.Tensor):
            assert same_bits(value, theirs[name]), f"{when}: output {name} differs {by(value, theirs[name])}"
        else:
            assert value == theirs[name], f"{when}: output {name}: {value!r} became {theirs[name]!r}"


def by(ours: torch.Tensor, theirs: torch.Tensor) -> str:
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return f"({ours.dtype} {tuple(ours.shape)} became {theirs.dtype} {tuple(theirs.shape)})"
    return f"by up to {(ours.double() - theirs.double()).abs().max().item():.3g}"
