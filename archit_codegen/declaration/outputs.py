"""Runs a model without leaving a trace, and compares what two models give, bit for bit."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import nn

from archit_codegen.declaration.facts import captures_outputs
from archit_codegen.declaration.undisturbed import random_state, untouched

from .walking import all_modules

SEED = 0
EVERYTHING = ("output_hidden_states", "output_attentions")


def run(model: nn.Module, inputs: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors of the output by their place in it, with all hidden states and attentions the model will give."""
    wanted = [name for name in EVERYTHING if name not in inputs and accepts(model, name)]
    for count in range(len(wanted), 0, -1):
        try:
            return run_once(model, {**inputs, **dict.fromkeys(wanted[:count], True)})
        except Exception:  # refused by a part of the model; what the forward itself raises is raised again below
            continue
    return run_once(model, inputs)


def run_once(model: nn.Module, inputs: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    own = {name: copied(value) for name, value in inputs.items()}
    with untouched(model), random_state(SEED), torch.no_grad():
        for module in all_modules(model):
            module.training = False
            forget_captures(module)
        return {place: tensor.detach().clone() for place, tensor in tensors(model(**own))}


def forget_captures(module: nn.Module) -> None:
    """Hooks for hidden states are installed once, by the first run that is asked for them: a module that was put in
    after that has none, and is left out of what the model gives until it is built anew."""
    vars(module).pop("_output_capturing_hooks_installed", None)
    hooks = module._forward_hooks
    for key in [key for key, hook in hooks.items() if captures_outputs(hook)]:
        del hooks[key]


def copied(value: Any) -> Any:
    """Models may write into their inputs: into tensors, and into the containers that hold them."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    return type(value)(map(copied, value)) if type(value) in (list, tuple) else value


def accepts(model: nn.Module, argument: str) -> bool:
    parameters = inspect.signature(model.forward).parameters
    return argument in parameters or any(known.kind is known.VAR_KEYWORD for known in parameters.values())


def tensors(value: object, place: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors of nested outputs. Caches are left out: they hold what the hidden states were computed from."""
    if isinstance(value, torch.Tensor):
        yield place or "output", value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from tensors(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, (tuple, list)):
        for index, item in enumerate(value):
            yield from tensors(item, f"{place}[{index}]")
    elif is_dataclass(value):
        for field in fields(value):
            yield from tensors(getattr(value, field.name), f"{place}.{field.name}".lstrip("."))


def compare(expected: Mapping[str, torch.Tensor], actual: Mapping[str, torch.Tensor]) -> str | None:
    """The first tensor that is not the same, bit for bit (one NaN equals another), or None."""
    if list(expected) != list(actual):
        missing = [name for name in expected if name not in actual]
        return f"{missing[0]} is missing" if missing else f"the tensors are {list(actual)}, should be {list(expected)}"
    return next((reason for name in expected if (reason := difference(name, expected[name], actual[name]))), None)


def difference(name: str, expected: torch.Tensor, actual: torch.Tensor) -> str | None:
    if (expected.shape, expected.dtype) != (actual.shape, actual.dtype):
        found, right = (f"{tensor.dtype} {list(tensor.shape)}" for tensor in (actual, expected))
        return f"{name} is {found}, should be {right}"
    if same_values(expected, actual.to(expected.device)):
        return None
    largest = (expected.double() - actual.to(expected.device).double()).abs().max().item()
    return f"{name} differs by up to {largest:.3g}" if largest == largest else f"{name} differs in what is NaN"


def same_values(expected: torch.Tensor, actual: torch.Tensor) -> bool:
    if torch.equal(expected, actual):
        return True
    if not (expected.is_floating_point() or expected.is_complex()):
        return False
    return torch.equal(expected.isnan(), actual.isnan()) and torch.equal(expected.nan_to_num(), actual.nan_to_num())
