"""Llama whose norms after the attention have another epsilon in the first and the last layer."""

from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM


def build() -> nn.Module:
    config = LlamaConfig(
        vocab_size=61, hidden_size=16, num_hidden_layers=4, num_attention_heads=4, intermediate_size=24
    )
    model = LlamaForCausalLM(config)
    for index in (0, 3):
        model.model.layers[index].post_attention_layernorm.variance_epsilon = 1e-5
    return model
