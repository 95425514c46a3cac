"""Where transformers has the class for a task: its weights in our head, and the same logits and loss, bit for bit."""

import copy
import inspect
from collections.abc import Iterator
from typing import Any

import torch
from transformers import PreTrainedModel

from archit_codegen.declaration.relatives import native_class_for
from archit_codegen.errors import ArchitError
from archit_codegen.instantiation.native import NATIVE, Disagreement, adopt, base_below
from archit_codegen.instantiation.rendering import render_task
from tests.heads.bases import Base, NoSmallModel, inputs_of, small_config, small_model
from tests.heads.cells import Cell
from tests.heads.labels import labelled
from tests.zoo.discovery import TooSlow, reason, time_limit

EQUAL, CLOSE, OTHER, NO_CLASS = "equal", "close", "other", "no class"
SECONDS = 120


def agreements(base: Base) -> Iterator[Cell]:
    """One for each task for which transformers has a class of this type. Never raises."""
    for task in NATIVE:
        try:
            with time_limit(SECONDS):
                config = small_config(base.cls)
                native_class = native_class_for(config, NATIVE[task])
                if native_class is None:
                    continue
                outcome, text = agreement(native_class, config, task)
        except NoSmallModel:
            continue
        except (TooSlow, Exception) as error:
            outcome, text = OTHER, f"cannot be compared: {reason(error)}"
        yield Cell(base.model_type, native_class.__name__, f"= {task}", outcome, text)


def agreement(native_class: type[PreTrainedModel], config: Any, task: str) -> tuple[str, str]:
    if not isinstance(config, native_class.config_class):
        config = config.get_text_config()  # a class for the text alone
    config.problem_type = "single_label_classification"
    if task == "question-answering":
        config.num_labels = 2  # of some classes, the width of their head
    if getattr(config, "pad_token_id", 0) is None:
        config.pad_token_id = 0  # without one, a classifier over the last token takes one text at a time
    if config.is_encoder_decoder and getattr(config, "decoder_start_token_id", None) is None:
        config.decoder_start_token_id = config.pad_token_id  # as the configs of checkpoints have it
    if task == "causal-lm" and getattr(config, "is_decoder", None) is False:
        config.is_decoder = True
    native = small_model(native_class, config)
    try:
        own = copy.deepcopy(config)
        rendered = render_task(task, base_below(native), None)
        rendered.complete(own, task)
        ours = adopt(native, task, rendered, own)
    except Disagreement as error:
        return OTHER, f"{error}{why(native, task) if 'logits are others' in str(error) else ''}"
    except ArchitError as error:
        return OTHER, f"we have no such head: {error}"
    return compared(native, ours, task, inputs_of(config))


MARKERS = {
    "softcap": "it caps its logits",
    "logit_scale": "it scales its logits",
    "logits_scal": "it scales its logits",
    "multiplier": "it scales its logits",
    "mup": "it scales its logits",
    "eos_mask": "it pools at the last end token",
    "global_attention_mask": "it attends globally to the first token",
    "classifier_pooling": "it pools as its config says, on its own way",
    "clf_pooling": "it pools as its config says, on its own way",
}
"""What the source of a native class says, and what that means."""


def why(native: PreTrainedModel, task: str) -> str:
    """What is known of the reason why a head with the same weights computes something else."""
    source = inspect.getsource(type(native))
    for marker, said in MARKERS.items():
        if marker in source:
            return f": {said}"
    below = set(native.base_model.modules())
    head = [module for module in native.modules() if module not in below]
    norms = {module.eps for module in head if isinstance(module, torch.nn.LayerNorm)}
    if task == "masked-lm" and norms:
        return f": its norm has the epsilon {norms.pop():g}, or its activation is another one"
    return ""


@torch.no_grad()
def compared(native: Any, ours: Any, task: str, inputs: dict[str, torch.Tensor]) -> tuple[str, str]:
    given = labelled(task, inputs)
    expected, found = native(**given), ours(**given)
    names = [name for name in ("loss", "logits", "start_logits", "end_logits") if expected.get(name) is not None]
    unequal = [name for name in names if not torch.equal(expected[name], found[name])]
    pooling = getattr(ours.config, "head_pooling", None), getattr(ours.config, "head_activation", None)
    said = f"pooling {pooling[0]}, activation {pooling[1]}" if "head_pooling" in vars(ours.config) else ""
    if not unequal:
        return EQUAL, said
    far = [n for n in unequal if not torch.allclose(expected[n], found[n], rtol=1e-4, atol=1e-5)]
    if far == ["loss"] and task == "causal-lm" and torch.equal(expected.loss, unshifted(expected.logits, given)):
        return OTHER, "logits are equal; its loss is that of the same token, not of the next one"
    return (OTHER, f"{', '.join(far)} are others") if far else (CLOSE, f"{', '.join(unequal)} differ in the last bits")


def unshifted(logits: torch.Tensor, given: dict[str, torch.Tensor]) -> torch.Tensor:
    """The loss of each token's logits for the label in the same place."""
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), given["labels"].flatten())
