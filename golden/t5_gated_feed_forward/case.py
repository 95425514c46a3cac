"""T5 whose decoder has gated feed-forwards, while its encoder keeps the plain ones."""

from torch import nn
from transformers import T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5DenseGatedActDense


def build() -> nn.Module:
    config = T5Config(vocab_size=61, d_model=16, d_kv=4, d_ff=24, num_layers=3, num_heads=4, decoder_start_token_id=0)
    model = T5ForConditionalGeneration(config)
    for block in model.decoder.block:
        block.layer[-1].DenseReluDense = T5DenseGatedActDense(model.decoder.config)
    return model
