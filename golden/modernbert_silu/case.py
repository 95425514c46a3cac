"""ModernBERT whose gated feed-forwards use SiLU, in layers of local and of global attention alike."""

from torch import nn
from transformers import ModernBertConfig, ModernBertForMaskedLM


def build() -> nn.Module:
    config = ModernBertConfig(
        vocab_size=61, hidden_size=16, num_hidden_layers=4, num_attention_heads=4, intermediate_size=24,
        pad_token_id=1, bos_token_id=0, eos_token_id=2, cls_token_id=0, sep_token_id=2,
    )  # fmt: skip
    model = ModernBertForMaskedLM(config)
    for layer in model.model.layers:
        layer.mlp.act = nn.SiLU()
    return model
