"""The user's own module of the measured models; a package that is compiled from one gets a copy of it."""

import torch
from torch import nn


class ScaledEmbedding(nn.Embedding):
    """An embedding whose vectors are multiplied by a fixed factor."""

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, scale: float = 0.5
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx)
        self.scale = scale

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - the name that `nn.Embedding` gives it
        """Vectors of shape (..., embedding_dim) for indices of any shape."""
        return super().forward(input) * self.scale
