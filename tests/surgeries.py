"""The fourteen modifications of a live model, done as a user does them; every one leaves its forward running."""

import copy
import types
from collections.abc import Callable

import torch
from torch import nn

from tests import user_modules as user
from tests.families import Family, other_width, wider_head
from tests.models import VOCABULARY, WIDTH, liven


def swap_embedding(model: nn.Module, family: Family) -> None:
    if family.name == "vit":
        model.set_submodule(family.embedding, user.FactorisedPatches(3, WIDTH, patch_size=4, rank=6))
        return
    embedding = user.FactorisedEmbedding(VOCABULARY, WIDTH, rank=6)
    if family.name in ("t5", "bart"):
        model.set_input_embeddings(embedding)  # three slots, one module
    else:
        model.set_submodule(family.embedding, embedding)


def swap_layer(model: nn.Module, family: Family) -> None:
    family.layer_list(model)[1] = family.new_layer(model)


def change_inside_one_layer(model: nn.Module, family: Family) -> None:
    family.layer_list(model)[1].set_submodule(family.linear, user.LowRankLinear(WIDTH, WIDTH, rank=5))


def change_two_layers_differently(model: nn.Module, family: Family) -> None:
    layers = family.layer_list(model)
    layers[0].set_submodule(family.linear, user.LowRankLinear(WIDTH, WIDTH))
    layers[2].set_submodule(family.norm, user.UnitNorm(WIDTH))


def child_to_identity(model: nn.Module, family: Family) -> None:
    family.layer_list(model)[1].set_submodule(family.norm, nn.Identity())


def other_out_features(model: nn.Module, family: Family) -> None:
    widen, narrow = family.mlp
    if not widen:
        wider_head(model)
        return
    factor = 2 if family.name == "modernbert" else 1  # value and gate in one linear
    for layer in family.layer_list(model):
        for path in widen:
            layer.set_submodule(path, other_width(layer.get_submodule(path), outputs=40 * factor))
        layer.set_submodule(narrow, other_width(layer.get_submodule(narrow), inputs=40))


def other_parameter_shape(model: nn.Module, family: Family) -> None:
    family.reshape(model, family.layer_list(model)[1])


def norm_eps(model: nn.Module, family: Family) -> None:
    norm = family.layer_list(model)[1].get_submodule(family.norm)
    name = "eps" if hasattr(norm, "eps") else "variance_epsilon"
    assert hasattr(norm, name)
    setattr(norm, name, 0.03125)


def patch_method(model: nn.Module, family: Family) -> None:
    module = family.layer_list(model)[1].get_submodule(family.patched)
    module.forward = types.MethodType(family.patch, module)


def drop_layer(model: nn.Module, family: Family) -> None:
    del family.layer_list(model)[1]


def append_layer(model: nn.Module, family: Family) -> None:
    layers = family.layer_list(model)
    if family.fresh is not None:
        layers.append(family.fresh(model, len(layers)).eval())
        return
    added = copy.deepcopy(layers[-1])
    for module in added.modules():
        if getattr(module, "layer_idx", None) is not None:
            module.layer_idx = len(layers)
    liven(added)
    layers.append(added)


def share_layers(model: nn.Module, family: Family) -> None:
    layers = family.layer_list(model)
    for index in range(1, len(layers)):
        layers[index] = layers[0]


def swap_activations(model: nn.Module, family: Family) -> None:
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child).__module__ == "transformers.activations" or isinstance(child, nn.ReLU):
                setattr(parent, name, nn.GELU() if type(child).__name__ == "SiLUActivation" else nn.SiLU())


def wrap_last_layer(model: nn.Module, family: Family) -> None:
    layers = family.layer_list(model)
    layers[-1] = user.BottleneckAdapter(layers[-1], WIDTH, bottleneck=6)


MODIFICATIONS: dict[str, Callable[[nn.Module, Family], None]] = {
    "embedding swapped": swap_embedding,
    "one layer swapped": swap_layer,
    "inside one layer": change_inside_one_layer,
    "two layers differ": change_two_layers_differently,
    "child to Identity": child_to_identity,
    "other out_features": other_out_features,
    "parameter reshaped": other_parameter_shape,
    "norm eps": norm_eps,
    "method patched": patch_method,
    "layer dropped": drop_layer,
    "layer appended": append_layer,
    "layers shared": share_layers,
    "activations swapped": swap_activations,
    "last layer wrapped": wrap_last_layer,
}

UNCACHED = {"layer appended", "layers shared"}
"""The cache of keys and values has one entry for each declared layer: these are run without it."""


def modify(model: nn.Module, name: str, family: Family) -> None:
    """Do one modification, with weights from a seed."""
    torch.manual_seed(3)
    MODIFICATIONS[name](model, family)
    model.eval()
