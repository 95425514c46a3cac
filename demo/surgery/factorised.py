"""RoBERTa whose word embedding is a product of two thin matrices."""

from pathlib import Path

import torch
from torch import nn
from transformers import RobertaConfig, RobertaForMaskedLM

CONFIG = Path(__file__).parent.parent / "configs" / "roberta-small"


class FactorisedEmbedding(nn.Module):
    """Token embedding of low rank."""

    def __init__(self, vocab_size: int, hidden_size: int, rank: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, rank)
        self.expand = nn.Linear(rank, hidden_size, bias=False)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.expand(self.tokens(input_ids))


def build() -> nn.Module:
    config = RobertaConfig.from_pretrained(CONFIG)
    model = RobertaForMaskedLM(config)
    model.roberta.embeddings.word_embeddings = FactorisedEmbedding(config.vocab_size, config.hidden_size, rank=16)
    return model
