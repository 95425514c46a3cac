"""Modifications of single modules: swapped, wrapped, emptied, their hyper-parameters changed in place."""

import copy

import torch
from torch import nn

from tests.zoo import user
from tests.zoo.places import (
    CONTAINERS,
    NotApplicable,
    Slot,
    Surgery,
    is_activation,
    is_attention,
    is_dropout,
    is_embedding,
    is_linear,
    is_mlp,
    is_norm,
    made,
    size_in,
    walk,
    width_of,
)


def embedding_swapped(surgery: Surgery) -> None:
    slot = surgery.one("nn.Embedding", is_embedding)
    slot.put(factorised(slot.module))


def input_embeddings_set(surgery: Surgery) -> None:
    try:
        before = surgery.model.get_input_embeddings()
        assert isinstance(before, nn.Embedding)
        surgery.model.set_input_embeddings(factorised(before))
    except (NotImplementedError, AttributeError, AssertionError) as error:
        raise NotApplicable("no nn.Embedding as input embeddings") from error


def factorised(embedding: nn.Module) -> nn.Module:
    return made(lambda: user.Factorised(embedding.num_embeddings, embedding.embedding_dim, 4))


def low_rank(linear: nn.Module, rank: int = 4) -> nn.Module:
    return made(lambda: user.LowRank(linear.in_features, linear.out_features, rank))


def linear_swapped(surgery: Surgery) -> None:
    slot = surgery.one("nn.Linear", is_linear)
    slot.put(low_rank(slot.module))


def all_linears_of_a_name_swapped(surgery: Surgery) -> None:
    name = surgery.one("nn.Linear", is_linear).name
    for slot in surgery.slots(lambda slot: is_linear(slot) and slot.name == name):
        slot.put(low_rank(slot.module))


def norm_swapped(surgery: Surgery) -> None:
    slot = surgery.one("norm with a weight", is_norm)
    slot.put(made(lambda: user.UnitNorm(width_of(slot.module))))


def all_norms_of_torch(surgery: Surgery) -> None:
    slots = surgery.some(1, "norm with a weight", is_norm) and surgery.slots(is_norm)
    for slot in slots:
        slot.put(made(lambda slot=slot: nn.RMSNorm(width_of(slot.module), eps=1e-5)))


def activation_swapped(surgery: Surgery) -> None:
    surgery.one("activation module", is_activation).put(user.LeakySquare())


def all_activations_swapped(surgery: Surgery) -> None:
    slots = surgery.some(1, "activation module", is_activation) and surgery.slots(is_activation)
    for slot in slots:
        slot.put(nn.GELU() if type(slot.module).__name__ == "SiLUActivation" else nn.SiLU())


def attention_swapped(surgery: Surgery) -> None:
    slot = surgery.one("attention-like block", is_attention)
    slot.put(made(lambda: user.Mixer(size_in(slot.module))))


def mlp_swapped_everywhere(surgery: Surgery) -> None:
    kind = type(surgery.one("MLP-like block", is_mlp).module)
    for slot in surgery.slots(lambda slot: type(slot.module) is kind):
        slot.put(made(lambda slot=slot: user.Mixer(size_in(slot.module), depth=2)))


def linear_wrapped(surgery: Surgery) -> None:
    slot = surgery.one("nn.Linear", is_linear)
    slot.put(made(lambda: user.Scaled(slot.module, scale=0.25)))


def wraps_nested(surgery: Surgery) -> None:
    slot = surgery.one("nn.Linear or norm", lambda slot: is_linear(slot) or is_norm(slot))
    slot.put(made(lambda: user.Scaled(user.Scaled(slot.module), scale=2.0)))


def embedding_wrapped(surgery: Surgery) -> None:
    slot = surgery.one("nn.Embedding", is_embedding)
    slot.put(made(lambda: user.Scaled(slot.module)))


def attention_wrapped(surgery: Surgery) -> None:
    slot = surgery.one("attention-like block", is_attention)
    slot.put(made(lambda: user.Scaled(slot.module)))


def linear_to_sequential(surgery: Surgery) -> None:
    slot = surgery.one("nn.Linear", is_linear)
    size = slot.module.out_features
    slot.put(made(lambda: nn.Sequential(slot.module, nn.Dropout(0.1), nn.Linear(size, size, bias=False))))


def module_dict_added(surgery: Surgery) -> None:
    slot = surgery.one("attention-like block", is_attention)
    size = size_in(slot.module)
    slot.module.extras = made(lambda: nn.ModuleDict({"gate": nn.Linear(size, 1), "norm": nn.LayerNorm(size)}))


def nested_lists_added(surgery: Surgery) -> None:
    slot = surgery.one("MLP-like block", is_mlp)
    size = size_in(slot.module)
    rows = lambda: nn.ModuleList([nn.ModuleList([nn.Linear(size, 4) for _ in range(2)]) for _ in range(2)])  # noqa: E731
    slot.module.branches = made(rows)


def inside_a_container(surgery: Surgery) -> None:
    """A linear, norm, activation or dropout that is an item of a Sequential, a ModuleDict or a list in a list."""
    held = {id(child) for slot in walk(surgery.model) if is_deep(slot) for child in slot.module.children()}
    slot = surgery.one(
        "leaf in a Sequential, ModuleDict or nested list", lambda slot: id(slot.module) in held and is_leaf(slot)
    )
    slot.put(made(lambda: user.Scaled(slot.module)))


def is_deep(slot: Slot) -> bool:
    container = type(slot.module) in (nn.Sequential, nn.ModuleDict)
    return container or (isinstance(slot.module, CONTAINERS) and isinstance(slot.parent, CONTAINERS))


def is_leaf(slot: Slot) -> bool:
    return not any(True for _ in slot.module.children())


def norm_to_identity(surgery: Surgery) -> None:
    surgery.one("norm with a weight", is_norm).put(nn.Identity())


def dropout_to_none(surgery: Surgery) -> None:
    outside = lambda slot: is_dropout(slot) and not isinstance(slot.parent, CONTAINERS)  # noqa: E731
    surgery.one("dropout outside a container", outside).put(None)


def norm_deleted(surgery: Surgery) -> None:
    outside = lambda slot: is_norm(slot) and not isinstance(slot.parent, CONTAINERS)  # noqa: E731
    slot = surgery.one("norm outside a container", outside)
    delattr(slot.parent, slot.name)


def norm_eps(surgery: Surgery) -> None:
    has_eps = lambda slot: bool(eps_names(slot.module))  # noqa: E731
    module = surgery.one("module with an eps", has_eps).module
    setattr(module, eps_names(module)[0], 0.03125)


def eps_names(module: nn.Module) -> list[str]:
    return [name for name in ("eps", "variance_epsilon", "epsilon") if isinstance(vars(module).get(name), float)]


def all_dropouts(surgery: Surgery) -> None:
    for slot in surgery.some(1, "dropout", is_dropout) and surgery.slots(is_dropout):
        slot.module.p = 0.375


def bias_removed(surgery: Surgery) -> None:
    biased = lambda slot: is_linear(slot) and slot.module.bias is not None  # noqa: E731
    surgery.one("nn.Linear with a bias", biased).module.register_parameter("bias", None)


def bias_added(surgery: Surgery) -> None:
    unbiased = lambda slot: is_linear(slot) and slot.module.bias is None  # noqa: E731
    linear = surgery.one("nn.Linear without a bias", unbiased).module
    linear.bias = nn.Parameter(torch.rand(linear.out_features))


def other_out_features(surgery: Surgery) -> None:
    slot = surgery.one("nn.Linear", is_linear)
    linear = slot.module
    bias = linear.bias is not None
    slot.put(made(lambda: nn.Linear(linear.in_features, linear.out_features + 8, bias=bias)))


def linear_copied_elsewhere(surgery: Surgery) -> None:
    """Two variants at once in one place each: a copy of one linear takes the slot of another."""
    first, second = surgery.some(2, "nn.Linear", is_linear)
    second.put(copy.deepcopy(first.module))


MODIFICATIONS = (
    embedding_swapped, input_embeddings_set, linear_swapped, all_linears_of_a_name_swapped, norm_swapped,
    all_norms_of_torch, activation_swapped, all_activations_swapped, attention_swapped, mlp_swapped_everywhere,
    linear_wrapped, wraps_nested, embedding_wrapped, attention_wrapped, linear_to_sequential, module_dict_added,
    nested_lists_added, inside_a_container, norm_to_identity, dropout_to_none, norm_deleted, norm_eps, all_dropouts,
    bias_removed, bias_added, other_out_features, linear_copied_elsewhere,
)  # fmt: skip
