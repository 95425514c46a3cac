"""Saves a model of transformers and loads it again, as its users will."""

import tempfile
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from archit_codegen.declaration.building import (
    cast_like,
    config_of,
    pass_implementations,
    poisoned_memory,
    tensors_of,
)
from archit_codegen.declaration.differences import config_difference
from archit_codegen.declaration.facts import default_dtype
from archit_codegen.declaration.loading import one_line
from archit_codegen.declaration.outputs import compare, run
from archit_codegen.errors import ValidationFailed


def reload(model: PreTrainedModel, directory: str) -> PreTrainedModel:
    """The model after a way over the disk; a weight that the checkpoint lacks or has in vain is a failure."""
    model.save_pretrained(directory)
    config = type(model).config_class.from_pretrained(directory)
    pass_implementations(model.config, config)
    with poisoned_memory():
        loaded, report = type(model).from_pretrained(directory, config=config, output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if keys := sorted(map(str, report[kind])):
            raise ValidationFailed("", f"from_pretrained reports {kind.replace('_', ' ')}: {', '.join(keys[:5])}")
    assert isinstance(loaded, PreTrainedModel)
    align(loaded)
    return loaded


def align(model: nn.Module) -> None:
    """Gives every tensor memory of its own. What is read from a file lies at odd addresses, where the kernels of a
    processor may sum up in another order: the last bits of outputs would differ for the same weights."""
    for tensor in [*model.parameters(), *model.buffers()]:
        tensor.data = tensor.data.clone()


def survives_natively(live: nn.Module, inputs: Mapping[str, Any] | None) -> str | None:
    """None where the native class of the live model survives its own save and load; else what went wrong."""
    native = native_class(live)
    if native is None:
        return None
    try:
        model = native(config_of(native.config_class, live.config)).to(default_dtype(live.modules()))
        stir(model)
        with tempfile.TemporaryDirectory(prefix="archit_codegen_") as directory:
            loaded = reload(model, directory)
        cast_like(loaded, model)
        reason = compare(tensors_of(model), tensors_of(loaded))
        reason = reason or config_difference(model.config, loaded.config)
        if reason is None and inputs is not None:
            reason = compare(run(model, inputs), run(loaded, inputs))
    except Exception as error:
        reason = one_line(error)
    return None if reason is None else f"{native.__name__} itself does not survive its own save and load: {reason}"


def stir(model: nn.Module) -> None:
    """Fresh weights hide what is set anew on loading: zeros, and the rows of padding."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point():
                parameter.add_(torch.randn_like(parameter) * 0.01)


def native_class(live: nn.Module) -> Any:
    """The class of transformers that the live model is of."""
    native = (cls for cls in type(live).__mro__ if cls.__module__.startswith("transformers.models."))
    return next((cls for cls in native if issubclass(cls, PreTrainedModel)), None)
