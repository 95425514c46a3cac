"""DeBERTa-v2 without the dropout of its convolution, and without the norm of its relative embeddings."""

from torch import nn
from transformers import DebertaV2Config, DebertaV2ForMaskedLM


def build() -> nn.Module:
    config = DebertaV2Config(
        vocab_size=61, hidden_size=16, num_hidden_layers=3, num_attention_heads=4, intermediate_size=24,
        relative_attention=True, position_buckets=8, pos_att_type=["p2c", "c2p"], norm_rel_ebd="layer_norm",
        conv_kernel_size=3,
    )  # fmt: skip
    model = DebertaV2ForMaskedLM(config)
    model.deberta.encoder.conv.dropout = nn.Identity()
    model.deberta.encoder.LayerNorm = nn.Identity()
    return model
