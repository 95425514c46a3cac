"""What a user brings: a module that reports, and a head of their own."""

import torch
from torch import nn


class Gate(nn.Module):
    """Scales the states, and has a loss and a value for the log."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.scale = nn.Parameter(torch.ones(size))
        self.auxiliary_losses: list[torch.Tensor] = []
        self.diagnostics: dict[str, float] = {}

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        self.auxiliary_losses.append((self.scale**2).sum())
        self.diagnostics["mean"] = self.scale.detach().mean().item()
        return hidden_states * self.scale


class DeepHead(nn.Module):
    """Logits `(batch_size, sequence_length, num_labels)` by two layers."""

    def __init__(self, config) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.inner = nn.Linear(config.hidden_size, config.hidden_size)
        self.outer = nn.Linear(config.hidden_size, config.num_labels)
        self.factor = nn.Parameter(torch.full((1,), 2.0))

    def reset_parameters(self) -> None:
        nn.init.constant_(self.factor, 2.0)

    def forward(self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.factor * self.outer(torch.tanh(self.inner(hidden_states)))
