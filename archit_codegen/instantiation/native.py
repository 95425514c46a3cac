"""Takes the head of transformers' own class for a task over, where it means the same."""

import copy
from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from ..declaration.basefacts import text_inputs
from ..declaration.outputs import run
from ..errors import ArchitError
from .rendering import Rendered, on_live_base

NATIVE = {
    "token-classification": "TOKEN_CLASSIFICATION",
    "sequence-classification": "SEQUENCE_CLASSIFICATION",
    "question-answering": "QUESTION_ANSWERING",
    "multiple-choice": "MULTIPLE_CHOICE",
    "masked-lm": "MASKED_LM",
    "causal-lm": "CAUSAL_LM",
}
"""The mapping of transformers that has its classes for a task."""

POOLED = ("sequence-classification", "multiple-choice")
POOLINGS = ("pooler", "first", "last", "mean")
ACTIVATIONS = (None, "tanh", "gelu", "relu")
LOGITS = ("logits", "start_logits", "end_logits", "prediction_logits")


class Disagreement(ArchitError):
    """The head of transformers' own class is another one than ours."""


def adopt(native: PreTrainedModel, task: str, rendered: Rendered, config: PreTrainedConfig) -> Any:
    """Our task model with all the weights of transformers' own: its base model is the native one's.

    Raises:
        Disagreement: the heads have other weights, or compute something else; says what.
    """
    native.eval()
    reasons: list[str] = []
    for options in _options(task, config):
        own = copy.deepcopy(config)
        for name, value in options.items():
            setattr(own, name, value)
        try:
            model = on_live_base(rendered, _base_of(native), own).eval()
            _copy_head(native, model)
            _compare(native, model, task)
        except Disagreement as error:
            reasons.append(str(error))
            continue
        model.newly_initialised = ()
        return model
    raise Disagreement(next((reason for reason in reversed(reasons) if "logits" in reason), reasons[0]))


def _options(task: str, config: PreTrainedConfig) -> Iterator[dict[str, Any]]:
    """What a config leaves open, the likeliest first."""
    yield {}
    if task in POOLED:
        activations = dict.fromkeys((*ACTIVATIONS, getattr(config, "hidden_act", None)))
        for pooling, activation in product(POOLINGS, activations):
            yield {"head_pooling": pooling, "head_activation": activation}


def _base_of(native: PreTrainedModel) -> PreTrainedModel:
    base = native.base_model
    if base is native or not isinstance(base, PreTrainedModel):
        raise Disagreement(f"{type(native).__name__} holds no base model under {native.base_model_prefix!r}")
    return base


def _copy_head(native: PreTrainedModel, model: PreTrainedModel) -> None:
    """Pairs the weights by shape, those of one shape in order. A bias that only we have becomes zero."""
    theirs, ours = _head_weights(native), _head_weights(model)
    for name, weight in ours.items():
        match = next((key for key, other in theirs.items() if other.shape == weight.shape), None)
        with torch.no_grad():
            if match is not None:
                weight.copy_(theirs.pop(match))
            elif name.endswith("bias"):
                weight.zero_()
            else:
                raise Disagreement(f"its head has no weight like our {name} {list(weight.shape)}")
    if theirs:
        raise Disagreement(f"its head has weights that ours has not: {', '.join(theirs)}")


def _head_weights(model: PreTrainedModel) -> dict[str, nn.Parameter]:
    below = {id(parameter) for parameter in model.base_model.parameters()}
    return {name: parameter for name, parameter in model.named_parameters() if id(parameter) not in below}


def _compare(native: PreTrainedModel, model: PreTrainedModel, task: str) -> None:
    try:
        inputs = text_inputs(native)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        if task == "multiple-choice":
            inputs = {name: value.unsqueeze(1) for name, value in inputs.items()}
        expected, found = run(native, inputs), run(model, inputs)
    except Exception as error:
        raise Disagreement(f"they cannot be compared: {type(error).__name__}: {error}") from error
    for name in LOGITS:
        if name in expected and not torch.allclose(
            expected[name], found.get(name, expected[name] + 1), rtol=1e-4, atol=1e-5
        ):
            raise Disagreement(f"with the same weights, {name} are others")
    if not set(LOGITS) & set(expected):
        raise Disagreement("it gives no logits")
