"""A Llama base model without its second layer, with heads for causal language modelling and for classification."""

from torch import nn
from transformers import LlamaConfig, LlamaModel


def build() -> nn.Module:
    config = LlamaConfig(
        vocab_size=61,
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=24,
        pad_token_id=1,
    )
    model = LlamaModel(config)
    del model.layers[1]
    return model
