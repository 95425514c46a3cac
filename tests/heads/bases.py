"""Every base model of transformers that takes text, small: what heads are tried on."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import transformers
from transformers import PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

from archit_codegen.declaration.basefacts import run_on_text
from tests.heads.care import default_config, small_by
from tests.models import liven
from tests.zoo.discovery import TooSlow, reason, time_limit
from tests.zoo.shrink import Rung, rungs

LENGTH = 7
SEED = 3
MOST_PARAMETERS = 40_000_000
SEARCH_SECONDS, MOST_TRIES = 60, 4


class NoSmallModel(Exception):
    """There is no small model of this class."""


@dataclass(frozen=True, slots=True)
class Base:
    """A base model class and the type of model that it stands for."""

    model_type: str
    cls: type[PreTrainedModel]


def bases() -> Iterator[Base]:
    """Those of the base-model mapping whose forward takes ``input_ids``, by type."""
    transformers.utils.logging.set_verbosity_error()
    torch.set_num_threads(1)  # matrices this small are multiplied faster by one
    for model_type, names in sorted(MODEL_MAPPING_NAMES.items()):
        cls = getattr(transformers, names if isinstance(names, str) else names[0], None)
        if is_dummy(cls):
            continue  # it needs a library that is not installed
        if isinstance(cls, type) and "input_ids" in inspect.signature(cls.forward).parameters:
            yield Base(model_type, cls)


def is_dummy(cls: Any) -> bool:
    return type(cls).__name__ == "DummyObject"


@cache
def _rung(cls: type[PreTrainedModel]) -> Rung:
    """The smallest on which the class gives hidden states of a text; else the smallest that can be built."""
    try:
        steps = list(rungs(default_config(cls)))
    except Exception as error:
        raise NoSmallModel(f"no default config: {reason(error)}") from error
    built, why, tries = None, "nothing was tried", 0
    try:
        with time_limit(SEARCH_SECONDS):
            for rung in steps:
                try:
                    config = small_by(cls, rung)
                    with torch.device("meta"):
                        size = sum(parameter.numel() for parameter in cls(config).parameters())
                    if size > MOST_PARAMETERS:
                        why = f"{size} parameters"
                        continue
                    why = no_states(small_model(cls, config))
                except TooSlow:
                    raise
                except Exception as error:
                    why = reason(error)
                    continue
                if not why:
                    return rung
                built, tries = built or rung, tries + 1
                if tries == MOST_TRIES:  # it is not the size that is in the way
                    return built
    except TooSlow as error:
        why = str(error)
    if built is None:
        raise NoSmallModel(why)
    return built


def small_config(cls: type[PreTrainedModel]) -> Any:
    """The default config with its numbers shrunk as far as that goes.

    Raises:
        NoSmallModel: no small config builds.
    """
    config = small_by(cls, _rung(cls))
    config.id2label = {index: f"LABEL_{index}" for index in range(3)}
    config.label2id = {f"LABEL_{index}": index for index in range(3)}
    return config


def no_states(model: PreTrainedModel) -> str:
    """Why the model gives no hidden states from a text; empty if it does."""
    try:
        outputs, _ = run_on_text(model, {"input_ids": inputs_of(model.config)["input_ids"]})
    except Exception as error:
        return f"does not run on input_ids alone: {reason(error)}"
    states = getattr(outputs, "last_hidden_state", None)
    if states is None or states.ndim != 3:
        return f"gives no last_hidden_state of three dimensions, but {type(outputs).__name__}"
    return ""


def small_model(cls: type[PreTrainedModel], config: Any) -> PreTrainedModel:
    """The same weights each time."""
    torch.manual_seed(SEED)
    model = cls(config).eval()
    liven(model)
    return model


def inputs_of(config: Any) -> dict[str, torch.Tensor]:
    """Two texts without padding, and without tokens that mean something to the model."""
    generator = torch.Generator().manual_seed(2)
    texts = config.get_text_config()
    vocabulary = getattr(texts, "vocab_size", None) or getattr(config, "vocab_size", None) or 100
    special = {value for name, value in vars(texts).items() if name.endswith("_token_id") and isinstance(value, int)}
    special |= {v for n, v in vars(config).items() if n.endswith(("_token_id", "_token_index")) and isinstance(v, int)}
    ordinary = torch.tensor([token for token in range(vocabulary) if token not in special])
    chosen = torch.randint(0, len(ordinary), (2, LENGTH), generator=generator)
    return {"input_ids": ordinary[chosen], "attention_mask": torch.ones(2, LENGTH, dtype=torch.long)}
