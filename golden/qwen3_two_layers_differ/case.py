"""Qwen3 with two layers that differ from the rest, and from each other."""

import torch
from torch import nn
from transformers import Qwen3Config, Qwen3ForCausalLM


class SquaredReLU(nn.Module):
    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return torch.relu(hidden_states).square()


def build() -> nn.Module:
    config = Qwen3Config(
        vocab_size=61, hidden_size=16, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        head_dim=4, intermediate_size=24,
    )  # fmt: skip
    model = Qwen3ForCausalLM(config)
    layers = model.model.layers
    layers[1].mlp.act_fn = SquaredReLU()
    layers[2].input_layernorm = nn.LayerNorm(config.hidden_size, eps=config.rms_norm_eps)
    return model
