"""Modifications of parameters, buffers, attributes and methods."""

import types
from collections.abc import Callable, Iterator

import torch
from peft import LoraConfig, get_peft_model, inject_adapter_in_model
from torch import nn
from transformers import PreTrainedModel

import archit_codegen as archit
from tests.zoo import user
from tests.zoo.places import (
    CONTAINERS,
    NotApplicable,
    Slot,
    Surgery,
    is_attention,
    is_linear,
    is_mlp,
    is_norm,
    size_in,
    walk,
)


def parameter_added(surgery: Surgery) -> None:
    surgery.one("attention-like block", is_attention).module.gain = nn.Parameter(torch.rand(3))


def parameter_reshaped(surgery: Surgery) -> None:
    """One that the module holds itself, whatever it means there."""
    own = lambda slot: any(value is not None for value in slot.module._parameters.values())  # noqa: E731
    bare = lambda slot: own(slot) and not type(slot.module).__module__.startswith("torch.")  # noqa: E731
    module = surgery.one("module of transformers with own parameters", bare).module
    name, value = next((name, value) for name, value in module._parameters.items() if value is not None)
    setattr(module, name, nn.Parameter(torch.rand(*value.shape[:-1], value.shape[-1] + 2)))


def linear_weight_reshaped(surgery: Surgery) -> None:
    linear = surgery.one("nn.Linear", is_linear).module
    linear.weight = nn.Parameter(torch.rand(linear.out_features, linear.in_features + 4))


def layers_frozen(surgery: Surgery) -> None:
    layers = surgery.layers(2)
    for layer in list(layers)[: len(layers) // 2]:
        layer.requires_grad_(False)


def all_frozen_but_norms(surgery: Surgery) -> None:
    norms = surgery.some(1, "norm with a weight", is_norm) and surgery.slots(is_norm)
    surgery.model.requires_grad_(False)
    for slot in norms:
        slot.module.requires_grad_(True)


def buffer_added(surgery: Surgery) -> None:
    surgery.one("attention-like block", is_attention).module.register_buffer("seen", torch.zeros(5))


def hidden_buffer_added(surgery: Surgery) -> None:
    surgery.one("MLP-like block", is_mlp).module.register_buffer("scratch", values(4), persistent=False)


def values(*shape: int, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A buffer that no checkpoint carries has to have values, which a tensor on meta has not."""
    return torch.zeros(*shape, dtype=dtype, device="cpu")


def buffers(model: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    for module in [model, *(slot.module for slot in walk(model))]:
        yield from ((module, name) for name, value in module._buffers.items() if value is not None)


def some_buffer(surgery: Surgery) -> tuple[nn.Module, str]:
    found = list(buffers(surgery.model))
    if not found:
        raise NotApplicable("no buffer")
    return surgery.choices.choice(found)


def buffer_persistence(surgery: Surgery) -> None:
    module, name = some_buffer(surgery)
    persistent = name in module._non_persistent_buffers_set
    module.register_buffer(name, module._buffers[name], persistent=persistent)


def buffer_reshaped(surgery: Surgery) -> None:
    module, name = some_buffer(surgery)
    before = module._buffers[name]
    hidden = name in module._non_persistent_buffers_set
    make = values if hidden else torch.zeros
    setattr(module, name, make(*before.shape, 2, dtype=before.dtype))
    if hidden:
        check_own_initialisation(surgery.model, module)


def check_own_initialisation(model: nn.Module, module: nn.Module) -> None:
    """`from_pretrained` runs this: a class that fills the buffer itself cannot be loaded with one of another shape."""
    try:
        model._init_weights(module)
    except RuntimeError as error:
        raise NotApplicable("the class's own `_init_weights` fills this buffer in its declared shape") from error


def norms_in_double(surgery: Surgery) -> None:
    surgery.one("norm with a weight", is_norm).module.double()


def attribute_changed(surgery: Surgery) -> None:
    """A number that the module keeps about itself."""
    module = surgery.one("module with a float attribute", lambda slot: bool(numbers(slot.module))).module
    name = surgery.choices.choice(numbers(module))
    setattr(module, name, getattr(module, name) + 0.5)


def numbers(module: nn.Module) -> list[str]:
    if type(module).__module__.startswith("torch."):
        return []
    return sorted(name for name, value in vars(module).items() if type(value) is float)


def attribute_added(surgery: Surgery) -> None:
    module = surgery.one("MLP-like block", is_mlp).module
    module.note = {"kind": ["zoo", 1], "scale": 0.1}


def forward_patched(surgery: Surgery) -> None:
    module = surgery.one("attention-like block", is_attention).module
    module.forward = types.MethodType(user.quiet_forward, module)


def linear_forward_patched(surgery: Surgery) -> None:
    module = surgery.one("nn.Linear", is_linear).module
    module.forward = types.MethodType(user.scaled_linear, module)


def forward_calls_class(surgery: Surgery) -> None:
    module = surgery.one("MLP-like block", is_mlp).module
    module.forward = types.MethodType(user.loud_forward, module)


def forward_calls_original(surgery: Surgery) -> None:
    module = surgery.one("attention-like block", is_attention).module
    module.forward = user.calling_original(module.forward)


def class_patched(surgery: Surgery) -> None:
    """Every object of the class, and those built from now on: put back after the judgement."""
    kind = type(surgery.one("attention-like block", is_attention).module)
    if kind.__module__.startswith("torch."):
        raise NotApplicable("the block is of torch's own class")
    if "forward" in kind.__dict__:
        surgery.undo.callback(setattr, kind, "forward", kind.__dict__["forward"])
    else:
        surgery.undo.callback(delattr, kind, "forward")
    kind.forward = user.quiet_forward


def every_forward_of_a_class(surgery: Surgery) -> None:
    kind = type(surgery.one("MLP-like block", is_mlp).module)
    for slot in surgery.slots(lambda slot: type(slot.module) is kind):
        slot.module.forward = types.MethodType(user.quiet_forward, slot.module)


def every_forward_wrapped(surgery: Surgery) -> None:
    """In one of the ways in which people do it."""
    kind = type(surgery.one("MLP-like block", is_mlp).module)
    wrapping = surgery.choices.choice(user.WRAPPINGS)
    for slot in surgery.slots(lambda slot: type(slot.module) is kind):
        slot.module.forward = wrapping(slot.module)


def forward_holds_a_part(surgery: Surgery) -> None:
    slot = surgery.one("MLP-like block with a linear layer", lambda slot: is_mlp(slot) and bool(linears(slot.module)))
    slot.module.forward = user.holding_a_part(slot.module, linears(slot.module)[0])


def linears(module: nn.Module) -> list[nn.Linear]:
    """Those in no list: the judge takes an index for something that is done."""
    found = module.named_modules()
    return [part for path, part in found if type(part) is nn.Linear and not any(map(str.isdigit, path.split(".")))]


def other_method_patched(surgery: Surgery) -> None:
    module = surgery.model
    module.get_extended_note = types.MethodType(user.quiet_forward, module)


def weights_untied(surgery: Surgery) -> None:
    seen: dict[int, tuple[nn.Module, str]] = {}
    for slot in walk(surgery.model):
        for name, value in slot.module._parameters.items():
            if value is not None and id(value) in seen:
                setattr(slot.module, name, nn.Parameter(value.detach().clone()))
                return
            seen[id(value)] = (slot.module, name)
    raise NotApplicable("no tied weights")


def weights_tied(surgery: Surgery) -> None:
    """The switch is turned on in each config where it is off, as the compiler asks for."""
    for model in surgery.model.modules():
        if isinstance(model, PreTrainedModel) and not getattr(model.config, "tie_word_embeddings", False):
            model.config.tie_word_embeddings = True
    by_shape: dict[tuple[int, ...], list[Slot]] = {}
    for slot in surgery.slots(is_linear):
        by_shape.setdefault(tuple(slot.module.weight.shape), []).append(slot)
    pairs = [slots for slots in by_shape.values() if len(slots) > 1]
    if not pairs:
        raise NotApplicable("no two linears of one shape")
    first, second = surgery.choices.sample(surgery.choices.choice(pairs), 2)
    second.module.weight = first.module.weight


def weight_norm(surgery: Surgery) -> None:
    nn.utils.parametrizations.weight_norm(surgery.one("nn.Linear", is_linear).module)


def low_rank_adapters(surgery: Surgery) -> None:
    """PEFT's LoRA on every linear of one name."""
    by_peft(lambda: inject_adapter_in_model(lora(surgery, rank=4), surgery.model))


def low_rank_adapters_around(surgery: Surgery) -> None:
    """PEFT's own model around the model, which it changes and freezes in place; ranks differ by name."""
    by_peft(lambda: get_peft_model(surgery.model, lora(surgery, rank=2, lora_dropout=0.25)))


def lora(surgery: Surgery, rank: int, **more: float) -> LoraConfig:
    slots = surgery.slots(lambda slot: is_linear(slot) and not isinstance(slot.parent, CONTAINERS))
    if not slots:
        raise NotApplicable("no nn.Linear outside a container")
    return LoraConfig(r=rank, lora_alpha=8, target_modules=[surgery.choices.choice(slots).name], **more)


def by_peft(change: Callable[[], object]) -> None:
    """Always recorded: PEFT's layers do not keep the config that they were built from."""
    try:
        with archit.record():
            change()
    except ValueError as error:
        raise NotApplicable(f"PEFT: {str(error).splitlines()[0][:80]}") from error


def token_embeddings_resized(surgery: Surgery) -> None:
    try:
        embeddings = surgery.model.get_input_embeddings()
        size = embeddings.num_embeddings + 8
        surgery.model.resize_token_embeddings(size, mean_resizing=False)
    except (NotImplementedError, AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise NotApplicable("token embeddings cannot be resized") from error


def unused_child_added(surgery: Surgery) -> None:
    surgery.model.probe = nn.Linear(size_in(surgery.model), 2)


MODIFICATIONS = (
    parameter_added, parameter_reshaped, linear_weight_reshaped, layers_frozen, all_frozen_but_norms, buffer_added,
    hidden_buffer_added, buffer_persistence, buffer_reshaped, norms_in_double, attribute_changed, attribute_added,
    forward_patched, linear_forward_patched, forward_calls_class, forward_calls_original, class_patched,
    every_forward_of_a_class, every_forward_wrapped, forward_holds_a_part, other_method_patched, weights_untied,
    weights_tied, weight_norm, low_rank_adapters,
    token_embeddings_resized, unused_child_added, low_rank_adapters_around,
)  # fmt: skip
