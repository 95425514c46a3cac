"""BART whose last decoder layer listens to the encoder at half the volume: a method patched on one object."""

import types

from torch import nn
from transformers import BartConfig, BartForConditionalGeneration


def quiet(self, hidden_states):
    """The output projection of an attention, halved."""
    return 0.5 * nn.functional.linear(hidden_states, self.weight, self.bias)


def build() -> nn.Module:
    config = BartConfig(
        vocab_size=61, d_model=16, encoder_layers=3, decoder_layers=3, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=24, decoder_ffn_dim=24,
    )  # fmt: skip
    model = BartForConditionalGeneration(config)
    projection = model.model.decoder.layers[-1].encoder_attn.out_proj
    projection.forward = types.MethodType(quiet, projection)
    return model
