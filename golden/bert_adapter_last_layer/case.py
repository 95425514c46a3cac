"""BERT whose last layer is held by a bottleneck adapter."""

import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification


class BottleneckAdapter(nn.Module):
    """Holds a layer and adds a bottleneck to what it returns."""

    def __init__(self, layer: nn.Module, hidden_size: int, bottleneck: int) -> None:
        super().__init__()
        self.layer = layer
        self.down = nn.Linear(hidden_size, bottleneck)
        self.up = nn.Linear(bottleneck, hidden_size)

    def forward(self, hidden_states: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        hidden_states = self.layer(hidden_states, *args, **kwargs)
        return hidden_states + self.up(torch.relu(self.down(hidden_states)))


def build() -> nn.Module:
    config = BertConfig(
        vocab_size=61, hidden_size=16, num_hidden_layers=3, num_attention_heads=4, intermediate_size=24
    )
    model = BertForSequenceClassification(config)
    layers = model.bert.encoder.layer
    layers[-1] = BottleneckAdapter(layers[-1], config.hidden_size, bottleneck=6)
    return model
