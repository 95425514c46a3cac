"""Imports, reads and compiles what nearly every model needs, once, for processes that are forked afterwards."""

import contextlib
import gc

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from ..declaration.compiler import compile_model


def warm_up() -> None:
    """A small model of transformers is compiled, and forgotten: nothing of the user's has run."""
    torch.set_num_threads(1)  # a process with more of them cannot be forked
    with contextlib.suppress(Exception), torch.device("meta"):  # it saves time, and is good for nothing else
        shape = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
        live = LlamaForCausalLM(LlamaConfig(vocab_size=8, **shape)).eval()
        live.model.norm = nn.LayerNorm(8)
        compile_model(live, name="warm", suffix="Warm")
    gc.collect()
    gc.freeze()  # what the collector does not touch stays shared with the processes
