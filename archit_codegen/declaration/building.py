"""Builds an emitted class from the config of the live model: on meta for its structure, and with real weights."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel, initialization

from .walking import all_modules, named_modules

Build = Callable[[type[nn.Module]], nn.Module]


def config_of(config_class: type[PreTrainedConfig], live: PreTrainedConfig) -> PreTrainedConfig:
    """A config of the emitted class with the values of the live one; attention and experts run as they do there."""
    # Not from `to_dict()`: it turns tuples into lists, and gives fields that are computed a value of their own.
    config = copy.deepcopy(live)
    config.__class__ = config_class
    return config


def pass_implementations(live: PreTrainedConfig, config: PreTrainedConfig) -> None:
    """Neither source nor checkpoint holds them. The public names would overwrite those of the inner configs too."""
    config._attn_implementation_internal = live._attn_implementation
    config._experts_implementation_internal = live._experts_implementation
    for name in live.sub_configs:
        source, target = getattr(live, name, None), getattr(config, name, None)
        if isinstance(source, PreTrainedConfig) and isinstance(target, PreTrainedConfig):
            pass_implementations(source, target)


def transformers_build(live: PreTrainedModel) -> Build:
    """How a root class of transformers is built: from its own config class, with the live model's values."""

    def build(root: type[Any]) -> nn.Module:
        config = config_of(root.config_class, live.config)
        if not has_experts(live):
            without_experts(config)
        return tied(root(config))

    return build


def tied(model: nn.Module) -> nn.Module:
    """The model with its ties: transformers before 5.1 ties nothing that it builds on `meta`."""
    if isinstance(model, PreTrainedModel):
        model.tie_weights()
    return model


def has_experts(model: nn.Module) -> bool:
    """Whether a module of the model looks its implementation up; `use_experts_implementation` marks it so."""
    return any("_is_expert_parallel" in vars(module) for module in all_modules(model))


def without_experts(config: PreTrainedConfig) -> None:
    """No experts, no implementation: the emitted file cannot set one that the file of the original could."""
    config._experts_implementation_internal = "eager"
    for name in config.sub_configs:
        inner = getattr(config, name, None)
        if isinstance(inner, PreTrainedConfig):
            without_experts(inner)


@contextmanager
def under(device: str, dtype: torch.dtype) -> Iterator[None]:
    """Modules built inside stand on this device and have this floating dtype, as `from_pretrained` builds them."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def parameters_uninitialised() -> Iterator[None]:
    """Inside, nothing is drawn for parameters, which are loaded anyway. Buffers are computed: not all are loaded."""
    functions = initialization.TORCH_INIT_FUNCTIONS
    originals = dict(functions)
    try:
        functions.update({name: for_buffers(function) for name, function in originals.items()})
        with initialization.guard_torch_init_functions():
            yield
    finally:
        functions.update(originals)


def for_buffers(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def initialise(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        return tensor if isinstance(tensor, nn.Parameter) else function(tensor, *args, **kwargs)

    return initialise


@contextmanager
def poisoned_memory() -> Iterator[None]:
    """Inside, uninitialised memory holds NaN and huge integers, so that garbage never looks right by luck."""
    torch_memory: Any = torch.utils.deterministic  # a module whose attributes are made by its class
    fill = torch_memory.fill_uninitialized_memory
    mode = torch.get_deterministic_debug_mode()
    torch_memory.fill_uninitialized_memory = True
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        torch_memory.fill_uninitialized_memory = fill


def tensors_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """Every parameter, buffer and plain tensor attribute by its path, shared ones under each of theirs."""
    named = dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers(remove_duplicate=False))
    return named | plain_tensors(model)


def plain_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    return {
        f"{path}.{name}".lstrip("."): value
        for path, module in named_modules(model)
        for name, value in vars(module).items()
        if isinstance(value, torch.Tensor) and not name.endswith("_cached")
    }


def unsaved_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Tensors that no checkpoint carries, so that their values are part of the declaration."""
    saved = set(model.state_dict())
    known = tensors_of(model)
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    return {name: tensor for name, tensor in known.items() if name not in saved and name not in parameters}


def cast_like(model: nn.Module, live: nn.Module) -> None:
    """Gives every parameter and buffer the device and dtype of the live one; their values are compared elsewhere."""
    right = tensors_of(live)
    for path, module in named_modules(model):
        for name, parameter in module._parameters.items():
            if parameter is not None:
                parameter.data = moved(parameter.data, right[f"{path}.{name}".lstrip(".")])
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = moved(buffer, right[f"{path}.{name}".lstrip(".")])


def keep(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    return model


def keep_in_float32(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """As `from_pretrained` does in half precision."""
    plan: Callable[[torch.dtype], dict[str, torch.dtype]] = getattr(model, "_get_dtype_plan", lambda _: {})
    for name, parameter in model.named_parameters():
        if any(part in name for part in plan(dtype)):
            parameter.data = parameter.data.to(torch.float32)
    return model


def cast_buffers(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    for module in all_modules(model):
        for name, buffer in module._buffers.items():
            if buffer is not None and buffer.is_floating_point():
                module._buffers[name] = buffer.to(dtype)
    return model


def to_one_dtype(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    return model.to(dtype)


def other_dtypes(model: nn.Module, live: nn.Module) -> list[str]:
    """Names of the tensors that have another dtype than in the live model."""
    right = tensors_of(live)
    return [name for name, tensor in tensors_of(model).items() if tensor.dtype != right[name].dtype]


def freeze_like(model: nn.Module, live: nn.Module) -> list[str]:
    """Makes the parameters trainable that the live model trains, and no others; names those which were different."""
    right = dict(live.named_parameters())
    changed = [(name, own) for name, own in model.named_parameters() if own.requires_grad != right[name].requires_grad]
    for name, parameter in changed:
        parameter.requires_grad_(right[name].requires_grad)
    return [name for name, _ in changed]


def moved(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """With the dtype of another tensor and, where that has values, on its device."""
    return tensor.to(dtype=like.dtype) if like.is_meta else tensor.to(device=like.device, dtype=like.dtype)


def is_real(model: nn.Module) -> bool:
    return not any(tensor.is_meta for tensor in registered(model))


def size_of(model: nn.Module) -> int:
    """Bytes of all weights; a tensor with several paths counts once."""
    return sum(tensor.numel() * tensor.element_size() for tensor in registered(model))


def registered(model: nn.Module) -> list[torch.Tensor]:
    """Every parameter and buffer, once."""
    slots = [slot for module in all_modules(model) for slot in (module._parameters, module._buffers) if slot]
    return list({id(tensor): tensor for slot in slots for tensor in slot.values() if tensor is not None}.values())
