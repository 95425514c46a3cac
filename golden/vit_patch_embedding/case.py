"""ViT that sees its patches through a small stack of convolutions."""

import torch
from torch import nn
from transformers import ViTConfig, ViTForImageClassification


class ConvolutionalStem(nn.Module):
    """Two convolutions that end in the grid of the patches they replace."""

    def __init__(self, num_channels: int, hidden_size: int, patch_size: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(num_channels, hidden_size // 2, kernel_size=3, padding=1)
        self.second = nn.Conv2d(hidden_size // 2, hidden_size, kernel_size=patch_size, stride=patch_size)

    @property
    def weight(self) -> nn.Parameter:
        return self.first.weight  # ViT reads the dtype of its projection

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(pixel_values)))


def build() -> nn.Module:
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=3, num_attention_heads=4, intermediate_size=24, image_size=12, patch_size=4
    )
    model = ViTForImageClassification(config)
    stem = ConvolutionalStem(config.num_channels, config.hidden_size, config.patch_size)
    model.vit.embeddings.patch_embeddings.projection = stem
    return model
