"""Takes the head of transformers' own class for a task over, where it means the same."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from ..declaration.basefacts import text_inputs
from ..declaration.outputs import run
from ..declaration.relatives import base_of, model_below
from ..errors import ArchitError, InvalidDeclaration
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
    base = base_below(native)
    if type(base).__name__ != rendered.base_name:
        raise Disagreement(f"it stands on another base model, {type(base).__name__}")
    reasons: list[str] = []
    for options in _options(task, config):
        own = copy.deepcopy(config)
        for name, value in options.items():
            setattr(own, name, value)
        try:
            model = on_live_base(rendered, base, own).eval()
            _copy_head(_head_weights(native, base), _head_weights(model, base))
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


def base_below(native: PreTrainedModel) -> PreTrainedModel:
    """The base model that a class of transformers has its head on.

    Raises:
        Disagreement: it holds none.
    """
    try:
        base = base_of(native)
    except InvalidDeclaration as error:
        raise Disagreement(str(error)) from error
    below = model_below(native) if base is native else base
    if below is None:
        raise Disagreement(f"{type(native).__name__} holds no base model under {native.base_model_prefix!r}")
    return below


@dataclass(frozen=True, slots=True)
class _Weight:
    """A weight of a head: its name in its layer, and what kind of layer of torch that is."""

    parameter: nn.Parameter
    name: str
    layer: str


def _copy_head(theirs: dict[str, _Weight], ours: dict[str, _Weight]) -> None:
    """Pairs the weights of one shape, those of the same kind of layer first. A bias that only we have becomes zero."""
    left = dict(ours)
    for key in (lambda w: (w.layer, w.name, w.parameter.shape), lambda w: (w.name, w.parameter.shape)):
        for path, weight in list(left.items()):
            match = next((other for other, found in theirs.items() if key(found) == key(weight)), None)
            if match is not None:
                with torch.no_grad():
                    left.pop(path).parameter.copy_(theirs.pop(match).parameter)
    for path, weight in left.items():
        if weight.name != "bias":
            raise Disagreement(f"its head has no weight like our {path} {list(weight.parameter.shape)}")
        nn.init.zeros_(weight.parameter)
    if theirs:
        raise Disagreement(f"its head has weights that ours has not: {', '.join(theirs)}")


def _head_weights(model: PreTrainedModel, base: PreTrainedModel) -> dict[str, _Weight]:
    below = {id(parameter) for parameter in base.parameters()}
    found = {}
    for path, parameter in model.named_parameters():
        if id(parameter) not in below:
            owner, _, name = path.rpartition(".")
            kind = next(cls for cls in type(model.get_submodule(owner)).__mro__ if cls.__module__.startswith("torch."))
            found[path] = _Weight(parameter, name, kind.__name__)
    return found


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
