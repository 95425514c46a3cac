"""Modifications of lists of layers, and of several places at once."""

import copy
import inspect

from torch import nn
from transformers import PreTrainedModel

from tests.zoo import user
from tests.zoo.generated import subclass_of
from tests.zoo.leaves import low_rank
from tests.zoo.places import NotApplicable, Slot, Surgery, is_linear, is_norm, made, size_in, walk, width_of


def layer_dropped(surgery: Surgery) -> None:
    layers = surgery.layers(2)
    del layers[surgery.choices.randrange(len(layers))]


def layers_truncated(surgery: Surgery) -> None:
    layers = surgery.layers(3)
    del layers[len(layers) // 2 :]


def layer_appended(surgery: Surgery) -> None:
    layers = surgery.layers(1)
    layers.append(copy.deepcopy(layers[-1]))


def layer_duplicated(surgery: Surgery) -> None:
    layers = surgery.layers(2)
    at = surgery.choices.randrange(len(layers))
    layers.insert(at + 1, copy.deepcopy(layers[at]))


def layers_reversed(surgery: Surgery) -> None:
    layers = surgery.layers(2)
    for index, layer in enumerate(reversed(list(layers))):
        layers[index] = layer


def two_layers_swap_places(surgery: Surgery) -> None:
    layers = surgery.layers(3)
    layers[0], layers[2] = layers[2], layers[0]


def one_layer_shared(surgery: Surgery) -> None:
    layers = surgery.layers(2)
    layers[-1] = layers[0]


def all_layers_shared(surgery: Surgery) -> None:
    layers = surgery.layers(2)
    for index in range(1, len(layers)):
        layers[index] = layers[0]


def layer_replaced(surgery: Surgery) -> None:
    layers = surgery.layers(1)
    at = surgery.choices.randrange(len(layers))
    layers[at] = made(lambda: user.Mixer(size_in(layers[at])))


def layer_of_a_subclass(surgery: Surgery) -> None:
    """Built anew, as the original is: from the config and the index."""
    layers = surgery.layers(1)
    at = surgery.choices.randrange(len(layers))
    quiet = subclass_of(type(layers[at]), surgery.files)
    layers[at] = made(lambda: quiet(**arguments_of(layers[at], at, surgery.model.config)))


def arguments_of(layer: nn.Module, index: int, config: object) -> dict[str, object]:
    """The arguments of a layer that takes a config and its index; others need a default."""
    values = {"config": getattr(layer, "config", config)}
    values |= dict.fromkeys(("layer_idx", "layer_id", "idx", "layer_index", "block_idx"), index)
    parameters = inspect.signature(type(layer).__init__).parameters.values()
    named = [parameter for parameter in list(parameters)[1:] if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    unknown = [one.name for one in named if one.name not in values and one.default is one.empty]
    if unknown:
        raise NotApplicable(f"layers need arguments that nothing tells: {', '.join(unknown)}")
    return {one.name: values[one.name] for one in named if one.name in values}


def layer_class_changed(surgery: Surgery) -> None:
    layers = surgery.layers(1)
    layer = layers[surgery.choices.randrange(len(layers))]
    layer.__class__ = subclass_of(type(layer), surgery.files)


def all_layer_classes_changed(surgery: Surgery) -> None:
    layers = surgery.layers(1)
    quiet = subclass_of(type(layers[0]), surgery.files)
    for layer in layers:
        layer.__class__ = quiet


def last_layer_wrapped(surgery: Surgery) -> None:
    layers = surgery.layers(1)
    layers[-1] = made(lambda: user.Bottleneck(layers[-1], size_in(layers[-1])))


def every_layer_wrapped(surgery: Surgery) -> None:
    layers = surgery.layers(2)
    for index, layer in enumerate(layers):
        layers[index] = made(lambda layer=layer: user.Bottleneck(layer, size_in(layer), bottleneck=4))


def inside_one_layer(surgery: Surgery) -> None:
    layers = surgery.layers(2)
    slot = surgery.one("nn.Linear in a layer", is_linear, layers[surgery.choices.randrange(len(layers))])
    slot.put(low_rank(slot.module))


def inside_every_second_layer(surgery: Surgery) -> None:
    layers = surgery.layers(4)
    name = surgery.one("nn.Linear in a layer", is_linear, layers[0]).path
    for layer in list(layers)[::2]:
        slot = next((slot for slot in walk(layer) if slot.path == name and is_linear(slot)), None)
        if slot is not None:
            slot.put(low_rank(slot.module, rank=2))


def growing_through_the_layers(surgery: Surgery) -> None:
    """Another argument in each layer."""
    layers = surgery.layers(2)
    name = surgery.one("nn.Linear in a layer", is_linear, layers[0]).path
    for index, layer in enumerate(layers):
        slot = next((slot for slot in walk(layer) if slot.path == name and is_linear(slot)), None)
        if slot is not None:
            slot.put(low_rank(slot.module, rank=index + 1))


def two_layers_differently(surgery: Surgery) -> None:
    layers = surgery.layers(2)
    linear = surgery.one("nn.Linear in a layer", is_linear, layers[0])
    linear.put(low_rank(linear.module))
    norm = surgery.one("norm in a layer", is_norm, layers[-1])
    norm.put(made(lambda: user.UnitNorm(width_of(norm.module))))


def two_towers(surgery: Surgery) -> None:
    """One linear in each of two branches of the model that hold layers."""
    towers = branches(surgery.model)
    for tower in towers[:2]:
        slot = surgery.one("nn.Linear in a tower", is_linear, tower)
        slot.put(low_rank(slot.module))


def branches(model: nn.Module) -> list[nn.Module]:
    """Going down from the root, the first module with two or more children that have layers below them."""
    while True:
        towers = [child for child in model.children() if any(is_list(slot) for slot in walk(child))]
        if not towers:
            raise NotApplicable("no two towers")
        if len(towers) > 1:
            return towers
        model = towers[0]


def is_list(slot: Slot) -> bool:
    return isinstance(slot.module, nn.ModuleList)


def inside_a_sub_model(surgery: Surgery) -> None:
    """In the innermost of the models inside the model: what AutoModel or `_from_config` may have built."""
    inner = surgery.one("PreTrainedModel inside the model", lambda slot: isinstance(slot.module, PreTrainedModel))
    slot = surgery.one("nn.Linear or norm", lambda slot: is_linear(slot) or is_norm(slot), inner.module)
    slot.put(made(lambda: user.Scaled(slot.module)))


def last_layer_of_a_sub_model_dropped(surgery: Surgery) -> None:
    inner = surgery.one("PreTrainedModel inside the model", lambda slot: isinstance(slot.module, PreTrainedModel))
    lists = [slot.module for slot in walk(inner.module) if is_list(slot) and len(slot.module) > 1]
    if not lists:
        raise NotApplicable("no list of two modules in the inner model")
    del surgery.choices.choice(lists)[-1]


MODIFICATIONS = (
    layer_dropped, layers_truncated, layer_appended, layer_duplicated, layers_reversed, two_layers_swap_places,
    one_layer_shared, all_layers_shared, layer_replaced, layer_of_a_subclass, layer_class_changed,
    all_layer_classes_changed, last_layer_wrapped, every_layer_wrapped, inside_one_layer, inside_every_second_layer,
    growing_through_the_layers, two_layers_differently, two_towers, inside_a_sub_model,
    last_layer_of_a_sub_model_dropped,
)  # fmt: skip
