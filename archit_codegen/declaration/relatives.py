"""How the models of one family are built: the base model below a head, its pooler, its embedding, its relatives."""

import copy
import inspect
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto import modeling_auto

from ..errors import InvalidDeclaration


def base_of(live: nn.Module) -> PreTrainedModel:
    """The base model below the live one, or the live one itself.

    Raises:
        InvalidDeclaration: there is none.
    """
    if not isinstance(live, PreTrainedModel):
        raise InvalidDeclaration(f"Heads need a model of transformers, and {type(live).__name__} is none.")
    base = live.base_model
    if not isinstance(base, PreTrainedModel):
        raise InvalidDeclaration(f"{type(live).__name__} holds no base model of transformers below its head.")
    # Some models hold theirs under another name than that of their family, or inside a wrapper.
    while base.get_output_embeddings() is not None or not _takes_text(base):
        below = model_below(base)
        if below is None:
            break
        base = below
    if not _takes_text(base):
        raise InvalidDeclaration(f"Heads are for models of text, and {type(base).__name__} takes no input_ids.")
    return base


def _takes_text(model: PreTrainedModel) -> bool:
    return "input_ids" in inspect.signature(type(model).forward).parameters


def model_below(model: PreTrainedModel) -> PreTrainedModel | None:
    """The one child that is a model of transformers itself."""
    found = [child for child in model.children() if isinstance(child, PreTrainedModel)]
    return found[0] if len(found) == 1 else None


def family_of(cls: Any) -> Any:
    """The class from which the models of one family inherit: it initialises weights and knows the config."""
    below = [parent for parent in cls.__mro__ if issubclass(parent, PreTrainedModel) and parent is not PreTrainedModel]
    if below[-1] is cls:
        raise InvalidDeclaration(
            f"{cls.__name__} inherits from PreTrainedModel itself: nothing initialises its heads."
        )
    return below[-1]


def with_pooler(live: Any) -> Any:
    """A base model that was built without its pooler, under a root of its own that has one: heads can do without."""
    if not isinstance(live, PreTrainedModel) or live.base_model is not live:
        return live
    optional = optional_parts(live)
    default = _on_meta(live)._modules if optional else {}
    parts = {name: default[name] for name in optional if default.get(name) and vars(live).get(name, live) is None}
    if not parts:
        return live
    whole, like = copy.copy(live), next(live.parameters())
    for name, part in parts.items():
        whole.__dict__.pop(name)
        assert part is not None
        part.to(like.dtype).to_empty(device=like.device)
        for parameter in part.parameters():
            nn.init.zeros_(parameter)
    # In the order of the class, as its state dict has it.
    order = [name for name in default if name in live._modules or name in parts]
    whole.__dict__["_modules"] = {name: parts.get(name, live._modules.get(name)) for name in order}
    whole.__dict__["_modules"].update({n: m for n, m in live._modules.items() if n not in order})
    whole.train(live.training)
    return whole


def optional_parts(base: PreTrainedModel) -> tuple[str, ...]:
    """The children of the class that it has with its pooler only."""
    parameters = dict(list(inspect.signature(type(base).__init__).parameters.items())[2:])
    needed = [
        name for name, found in parameters.items() if found.default is found.empty and found.kind.value in (1, 3)
    ]
    if needed:
        raise InvalidDeclaration(f"{type(base).__name__} is not built from its config alone: {', '.join(needed)}.")
    if "add_pooling_layer" not in parameters:
        return ()
    whole, without = _on_meta(base, add_pooling_layer=True), _on_meta(base, add_pooling_layer=False)
    return tuple(
        name for name, child in whole._modules.items() if child is not None and not without._modules.get(name)
    )


def _on_meta(base: PreTrainedModel, **arguments: Any) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return type(base)(copy.deepcopy(base.config), **arguments)


def fills_below(base: PreTrainedModel) -> bool:
    """Whether a module without tensors of its own fills buffers of those below it when weights are initialised: one
    that transformers passes over in code that is not its own."""
    probe = _on_meta(base)
    unsaved = [module._buffers[name] for module in probe.modules() for name in module._non_persistent_buffers_set]
    before = [None if buffer is None else buffer._version for buffer in unsaved]
    try:
        for module in probe.modules():
            if not any(tensor is not None for tensor in (*module._parameters.values(), *module._buffers.values())):
                probe._init_weights(module)
    except Exception:  # on meta it cannot be told; heads that were loaded are compared, wherever they have weights
        return False
    return before != [None if buffer is None else buffer._version for buffer in unsaved]


def input_embedding(base: PreTrainedModel) -> tuple[str, nn.Parameter] | None:
    try:
        weight = getattr(base.get_input_embeddings(), "weight", None)
    except (NotImplementedError, AttributeError):
        return None
    if not isinstance(weight, nn.Parameter) or weight.ndim != 2:
        return None
    found = [name for name, parameter in base.named_parameters(remove_duplicate=False) if parameter is weight]
    return (found[0], weight) if found else None


def default_pooling(base: PreTrainedModel) -> tuple[str, str | None]:
    """How the sequence classifier of transformers pools over this model, and the activation of its hidden layer."""
    native = native_class_for(base.config, "SEQUENCE_CLASSIFICATION")
    if native is None:
        return ("pooler" if getattr(base, "pooler", None) is not None else "mean"), None
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            model = native(base.config.__class__.from_dict(base.config.to_dict()))
    except Exception:  # whatever stops transformers' own class, the heads have a default without it
        return "mean", None
    below = set(model.base_model.modules())
    linears = [module for module in model.modules() if isinstance(module, nn.Linear) and module not in below]
    if hasattr(model, "score"):
        return "last", None
    if getattr(model.base_model, "pooler", None) is not None and len(linears) == 1:
        return "pooler", None
    return "first", ("tanh" if len(linears) == 2 else None)


def native_class_for(config: PreTrainedConfig, task: str) -> Any:
    """The class of transformers for a task (``"SEQUENCE_CLASSIFICATION"``) and a type of config."""
    mapping = getattr(modeling_auto, f"MODEL_FOR_{task}_MAPPING")
    for cls in type(config).__mro__:
        found = mapping.get(cls, None) if cls in mapping else None
        if found is not None:
            return found[0] if isinstance(found, tuple | list) else found
    return None
