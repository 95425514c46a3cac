"""Llama without its second layer."""

from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM


def build() -> nn.Module:
    config = LlamaConfig(
        vocab_size=61, hidden_size=16, num_hidden_layers=4, num_attention_heads=4, intermediate_size=24
    )
    model = LlamaForCausalLM(config)
    del model.model.layers[1]
    return model
