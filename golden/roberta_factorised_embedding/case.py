"""RoBERTa whose word embedding, tied to the head before, is a product of two thin matrices."""

import torch
from torch import nn
from transformers import RobertaConfig, RobertaForMaskedLM


class FactorisedEmbedding(nn.Module):
    """Token embedding of low rank."""

    def __init__(self, vocab_size: int, hidden_size: int, rank: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, rank)
        self.expand = nn.Linear(rank, hidden_size, bias=False)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.expand(self.tokens(input_ids))


def build() -> nn.Module:
    config = RobertaConfig(
        vocab_size=61, hidden_size=16, num_hidden_layers=3, num_attention_heads=4, intermediate_size=24
    )
    model = RobertaForMaskedLM(config)
    embeddings = model.roberta.embeddings
    embeddings.word_embeddings = FactorisedEmbedding(config.vocab_size, config.hidden_size, rank=6)
    return model
