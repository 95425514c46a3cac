"""Surgeries as functions of the config, whose meaning does not depend on its sizes, for any class of transformers."""

import copy
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from tests.zoo import user
from tests.zoo.leaves import eps_names
from tests.zoo.places import CONTAINERS, NotApplicable, is_layers, is_linear, is_norm, walk, width_of

Modify = Callable[[nn.Module, Any], None]


def text(config: Any) -> Any:
    """The config that has the width and the vocabulary."""
    found = config.get_text_config()
    if not isinstance(getattr(found, "hidden_size", None), int):
        raise NotApplicable("no hidden_size in the config")
    return found


def layers(model: nn.Module, least: int = 1) -> nn.ModuleList:
    """The first list of layers in the order of the tree."""
    for module in model.modules():
        if is_layers(module, least):
            return module
    raise NotApplicable(f"no ModuleList of {least} or more modules of one class that have children")


def inside(layer: nn.Module, what: str, wanted: Callable[[Any], bool]) -> Any:
    found = sorted((slot for slot in walk(layer) if wanted(slot)), key=lambda slot: slot.path)
    if not found:
        raise NotApplicable(f"no {what} in a layer")
    return found[0]


def own_width(layer: nn.Module) -> int:
    """A layer of a tower has the width of that, not of the config's text."""
    width = width_of(inside(layer, "norm", is_norm).module)
    assert width is not None
    return width


def plain_linear(slot: Any) -> bool:
    return is_linear(slot) and not isinstance(slot.parent, CONTAINERS)


def lower_rank(layer: nn.Module, factor: int = 4) -> None:
    slot = inside(layer, "nn.Linear", plain_linear)
    linear = slot.module
    slot.put(user.LowRank(linear.in_features, linear.out_features, rank=linear.out_features // factor))


def unit_norm(layer: nn.Module) -> None:
    slot = inside(layer, "norm", is_norm)
    slot.put(user.UnitNorm(width_of(slot.module)))


def embedding_factorised(model: nn.Module, config: Any) -> None:
    try:
        table = model.get_input_embeddings()
    except NotImplementedError:
        table = None
    if type(table) is not nn.Embedding:
        raise NotApplicable("no nn.Embedding for the inputs")
    width = table.embedding_dim
    model.set_input_embeddings(user.Factorised(table.num_embeddings, width, rank=width // 4))


def linear_in_every_layer(model: nn.Module, config: Any) -> None:
    for layer in layers(model):
        lower_rank(layer)


def first_linear_of_first_layer(model: nn.Module, config: Any) -> None:
    lower_rank(layers(model)[0], factor=2)


def norms_of_last_layer(model: nn.Module, config: Any) -> None:
    unit_norm(layers(model)[-1])


def last_layer_dropped(model: nn.Module, config: Any) -> None:
    found = layers(model, 2)
    del found[-1]


def last_layer_repeated(model: nn.Module, config: Any) -> None:
    found = layers(model)
    found.append(copy.deepcopy(found[-1]))


def every_second_layer_wrapped(model: nn.Module, config: Any) -> None:
    found = layers(model, 2)
    width = own_width(found[0])
    for index in range(0, len(found), 2):
        found[index] = user.Bottleneck(found[index], width, bottleneck=width // 4)


def last_three_layers(model: nn.Module, config: Any) -> None:
    for layer in layers(model, 4)[-3:]:
        lower_rank(layer)


def second_half_without_a_norm(model: nn.Module, config: Any) -> None:
    found = layers(model, 2)
    for layer in found[len(found) // 2 :]:
        inside(layer, "norm", is_norm).put(nn.Identity())


def all_but_the_ends(model: nn.Module, config: Any) -> None:
    for layer in layers(model, 3)[1:-1]:
        unit_norm(layer)


def first_and_last_differ(model: nn.Module, config: Any) -> None:
    found = layers(model, 2)
    unit_norm(found[0])
    lower_rank(found[-1])


def first_layer_patched(model: nn.Module, config: Any) -> None:
    linear = inside(layers(model)[0], "nn.Linear", plain_linear).module
    linear.forward = types.MethodType(user.scaled_linear, linear)


def head_added(model: nn.Module, config: Any) -> None:
    model.probe = nn.Linear(text(config).hidden_size, 3)


def vocabulary_linear_added(model: nn.Module, config: Any) -> None:
    own = text(config)
    if not isinstance(getattr(own, "vocab_size", None), int):
        raise NotApplicable("no vocab_size in the config")
    model.second_head = nn.Linear(own.hidden_size, own.vocab_size, bias=False)


def fixed_sizes_added(model: nn.Module, config: Any) -> None:
    """Sizes that must not follow the config, even where they are those of a field."""
    first = layers(model)[0]
    first.side = nn.Linear(own_width(first), 16)
    model.statistics = nn.Linear(4, 768)


def gain_in_every_layer(model: nn.Module, config: Any) -> None:
    for layer in layers(model):
        layer.gain = nn.Parameter(torch.zeros(own_width(layer)))


def norm_eps(model: nn.Module, config: Any) -> None:
    found = [slot.module for slot in walk(model) if eps_names(slot.module)]
    if not found:
        raise NotApplicable("no module with an eps")
    for module in found:
        setattr(module, eps_names(module)[0], 0.03125)


SURGERIES: dict[str, Modify] = {
    function.__name__: function
    for function in (
        embedding_factorised, linear_in_every_layer, first_linear_of_first_layer, norms_of_last_layer,
        last_layer_dropped, last_layer_repeated, every_second_layer_wrapped, last_three_layers,
        second_half_without_a_norm, all_but_the_ends, first_and_last_differ, first_layer_patched, head_added,
        vocabulary_linear_added, fixed_sizes_added, gain_in_every_layer, norm_eps,
    )
}  # fmt: skip


def build(cls: type, surgery: str) -> Callable[[Any], Any]:
    """The surgery as its user would write it: a function of the config."""

    def built(config: Any) -> Any:
        model = cls(config).eval()
        SURGERIES[surgery](model, config)
        return model.eval()

    return built
