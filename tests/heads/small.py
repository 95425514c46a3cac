"""The smallest models with heads, and texts for them."""

import sys
from types import ModuleType
from typing import Any

import torch
import transformers as tf

from archit_codegen.instantiation import tasks
from tests.heads.labels import HEADS
from tests.models import liven

VOCABULARY = 31
SHAPE = {"vocab_size": VOCABULARY, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
KINDS = [getattr(tasks, name) for name in tasks.__all__ if name != "Task"]
TASKS = {kind.name: kind for kind in KINDS if not kind.fixed}


def roberta(**more: Any) -> Any:
    """In evaluation mode, each weight with a value of its own."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = tf.RobertaConfig(**{**SHAPE, "intermediate_size": 12, "max_position_embeddings": 40, **more})
    base = tf.RobertaModel(config).eval()
    liven(base)
    return base


def llama(**more: Any) -> Any:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = tf.LlamaConfig(**{**SHAPE, "intermediate_size": 12, "num_key_value_heads": 1, "pad_token_id": 0, **more})
    base = tf.LlamaModel(config).eval()
    liven(base)
    return base


def headed(task: str, base: Any = None, **options: Any) -> Any:
    """A model for a task, with three labels, in evaluation mode; its head has values of its own as well."""
    kind = TASKS[task]
    known = kind.head_config.__dataclass_fields__
    given = {"num_labels": 3, **({"heads": HEADS} if task == "multi-task" else {}), **options}
    small = {"arc_size": 6, "relation_size": 5} if "arc_size" in known else {}
    config = kind.head_config(**{name: value for name, value in {**small, **given}.items() if name in known})
    model = kind.from_model_and_head_config(roberta() if base is None else base, config).eval()
    liven(model)
    return model


def module_of(model: Any) -> ModuleType:
    """The module in which the class of the model stands."""
    return sys.modules[type(model).__module__]


def text(*lengths: int, length: int | None = None, seed: int = 0) -> dict[str, torch.Tensor]:
    """Texts of these lengths, padded on the right to the longest or to `length`."""
    generator = torch.Generator().manual_seed(seed)
    width = length or max(lengths)
    mask = (torch.arange(width) < torch.tensor(lengths).unsqueeze(1)).long()
    drawn = torch.randint(4, VOCABULARY, (len(lengths), 64), generator=generator)[:, :width]
    return {"input_ids": drawn * mask + (1 - mask), "attention_mask": mask}
