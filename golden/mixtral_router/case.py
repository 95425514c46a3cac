"""Mixtral whose routers choose by a normalised score."""

import torch
from torch import nn
from transformers import MixtralConfig, MixtralForCausalLM
from transformers.models.mixtral.modeling_mixtral import MixtralTopKRouter


class CosineRouter(MixtralTopKRouter):
    """Scores an expert by the angle between its weight and the token."""

    def forward(self, hidden_states: torch.Tensor):
        hidden_states = nn.functional.normalize(hidden_states.reshape(-1, self.hidden_dim), dim=-1)
        scores = nn.functional.linear(hidden_states, nn.functional.normalize(self.weight, dim=-1))
        weights, chosen = torch.topk(scores.softmax(dim=-1), self.top_k, dim=-1)
        return scores, weights / weights.sum(dim=-1, keepdim=True), chosen


def build() -> nn.Module:
    config = MixtralConfig(
        vocab_size=61, hidden_size=16, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=24, num_local_experts=4,
    )  # fmt: skip
    model = MixtralForCausalLM(config)
    for layer in model.model.layers:
        layer.mlp.gate = CosineRouter(config)
        nn.init.normal_(layer.mlp.gate.weight)
    return model
