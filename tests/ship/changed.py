"""Six models with one small change each, as somebody would make it. Tiny, from configs, weights from a seed."""

from collections.abc import Callable

import torch
import transformers as tf
from torch import nn

VOCABULARY, WIDTH = 61, 16
SPECIAL = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
TEXT = {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_attention_heads": 4, "intermediate_size": 24, **SPECIAL}


class Adapter(nn.Module):
    """Holds a layer and adds what a bottleneck makes of its output."""

    def __init__(self, layer: nn.Module, hidden_size: int, rank: int) -> None:
        super().__init__()
        self.layer = layer
        self.down = nn.Linear(hidden_size, rank)
        self.up = nn.Linear(rank, hidden_size)

    def forward(self, hidden_states: torch.Tensor, *args, **kwargs):
        output = self.layer(hidden_states, *args, **kwargs)
        hidden_states = output[0] if isinstance(output, tuple) else output
        hidden_states = hidden_states + self.up(nn.functional.gelu(self.down(hidden_states)))
        return (hidden_states, *output[1:]) if isinstance(output, tuple) else hidden_states


class ScaledPositions(nn.Module):
    """Scales each dimension by a fixed wave: a buffer that no checkpoint carries."""

    def __init__(self, hidden_size: int, period: float) -> None:
        super().__init__()
        self.hidden_size, self.period = hidden_size, period
        self.gain = nn.Parameter(torch.ones(hidden_size))
        self.register_buffer("wave", torch.cos(torch.arange(hidden_size) / period), persistent=False)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return hidden_states * (1 + 0.1 * self.gain * self.wave)


class GatedFeedForward(nn.Module):
    """A feed-forward whose inner activation is gated."""

    def __init__(self, config) -> None:
        super().__init__()
        self.gate = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.wi = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.wo = nn.Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.wo(nn.functional.silu(self.gate(hidden_states)) * self.wi(hidden_states))


class FactorisedEmbedding(nn.Module):
    """Token embedding of low rank."""

    def __init__(self, vocab_size: int, hidden_size: int, rank: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, rank)
        self.expand = nn.Linear(rank, hidden_size, bias=False)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.expand(self.tokens(input_ids))


def roberta() -> nn.Module:
    """The last layer held by an adapter, whose rank is a field of the config."""
    config = tf.RobertaConfig(**TEXT, num_hidden_layers=3, max_position_embeddings=40, type_vocab_size=2, rank=6)
    model = tf.RobertaForMaskedLM(config)
    layers = model.roberta.encoder.layer
    layers[2] = Adapter(layers[2], config.hidden_size, config.rank)
    return model


def llama() -> nn.Module:
    """A layer between, one held by an adapter, and a norm with a buffer of its own."""
    config = tf.LlamaConfig(
        **TEXT, num_hidden_layers=3, num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=True
    )
    model = tf.LlamaForCausalLM(config)
    model.model.layers[1] = Adapter(model.model.layers[1], config.hidden_size, rank=4)
    model.model.norm = ScaledPositions(config.hidden_size, period=3.0)
    return model


def t5() -> nn.Module:
    """Gated feed-forwards in the decoder."""
    config = tf.T5Config(
        vocab_size=VOCABULARY, d_model=WIDTH, d_kv=4, d_ff=24, num_layers=2, num_heads=4, decoder_start_token_id=0,
        relative_attention_num_buckets=8, relative_attention_max_distance=16, pad_token_id=1, eos_token_id=2,
    )  # fmt: skip
    model = tf.T5ForConditionalGeneration(config)
    for block in model.decoder.block:
        block.layer[-1].DenseReluDense = GatedFeedForward(config)
    return model


def mixtral() -> nn.Module:
    """The experts of one layer held by an adapter."""
    config = tf.MixtralConfig(
        **TEXT, num_hidden_layers=3, num_key_value_heads=2, max_position_embeddings=64, num_local_experts=4
    )
    model = tf.MixtralForCausalLM(config)
    layer = model.model.layers[1]
    layer.mlp = Adapter(layer.mlp, config.hidden_size, rank=4)
    return model


def clip() -> nn.Module:
    """A text tower with a factorised embedding, an image tower with a layer held by an adapter."""
    tower = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24}
    text = dict(tower, vocab_size=VOCABULARY, max_position_embeddings=40, rank=6, **SPECIAL)
    vision = dict(tower, image_size=12, patch_size=4)
    model = tf.CLIPModel(tf.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
    text_config = model.config.text_config
    model.text_model.embeddings.token_embedding = FactorisedEmbedding(
        text_config.vocab_size, text_config.hidden_size, text_config.rank
    )
    layers = model.vision_model.encoder.layers
    layers[1] = Adapter(layers[1], model.config.vision_config.hidden_size, rank=4)
    return model


def whisper() -> nn.Module:
    """The last layer of the encoder held by an adapter, another activation in the decoder."""
    config = tf.WhisperConfig(
        vocab_size=VOCABULARY, num_mel_bins=8, d_model=WIDTH, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=24, decoder_ffn_dim=24,
        max_source_positions=50, max_target_positions=40, decoder_start_token_id=3, **SPECIAL,
    )  # fmt: skip
    model = tf.WhisperForConditionalGeneration(config)
    layers = model.model.encoder.layers
    layers[1] = Adapter(layers[1], config.d_model, rank=4)
    for layer in model.model.decoder.layers:
        layer.activation_fn = nn.SiLU()
    return model


MODELS: dict[str, Callable[[], nn.Module]] = {
    function.__name__: function for function in (roberta, llama, t5, mixtral, clip, whisper)
}
