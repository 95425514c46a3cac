"""What is registered so that checkpoints of the declared class can be read, seen in the text."""

from pathlib import Path

import pytest
import torch
import transformers as tf
from torch import nn

import archit_codegen as archit
from tests.models import decoder_config
from tests.ship.changed import Adapter

SUFFIX = "X"


def text(live: nn.Module, name: str) -> str:
    return archit.compile_model(live, name=name, suffix=SUFFIX).files[f"{name}/modeling_{name}.py"]


def t5() -> tf.T5ForConditionalGeneration:
    config = tf.T5Config(
        vocab_size=61, d_model=16, d_kv=4, d_ff=24, num_layers=2, num_heads=4, decoder_start_token_id=0
    )
    return tf.T5ForConditionalGeneration(config)


def test_patterns_of_names_follow_a_wrapper() -> None:
    """T5's old checkpoints have a weight in the first block of the decoder that nothing reads."""
    with archit.record():
        live = t5()
        layer = live.decoder.block[0].layer
        layer[1] = Adapter(layer[1], 16, rank=4)
    emitted = text(live, "t5_patterns")
    assert '"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"' in emitted
    assert '"decoder.block.0.layer.1.layer.EncDecAttention.relative_attention_bias.weight"' in emitted


def test_a_model_without_conversions_registers_nothing() -> None:
    live = tf.LlamaForCausalLM(decoder_config(tf.LlamaConfig))
    live.model.norm = nn.LayerNorm(16)
    assert "conversion_mapping" not in text(live, "llama_plain")


def test_a_slot_that_the_wrapper_has_too_is_not_mapped() -> None:
    """``mlp`` of the wrapper and ``mlp`` of the layer would stand under one name."""
    with archit.record():
        live = tf.LlamaForCausalLM(decoder_config(tf.LlamaConfig))
        live.model.layers[1] = Shadow(live.model.layers[1], 16)
    emitted = text(live, "llama_shadow")
    assert "self_attn|input_layernorm|post_attention_layernorm)" in emitted


@pytest.mark.parametrize(("kept", "number"), [([0, 2, 3], 1), ([0, 1, 3, 2], 2), ([0, 1, 2], None)])
def test_layers_that_have_other_numbers_are_told_of(tmp_path: Path, kept: list[int], number: int | None) -> None:
    """Their weights have the names of other layers of the declared class; what the note says is so."""
    config = decoder_config(tf.LlamaConfig)
    config.num_hidden_layers = 4
    declared = tf.LlamaForCausalLM(config)
    declared.save_pretrained(tmp_path)
    live = tf.LlamaForCausalLM(config)
    live.model.layers = nn.ModuleList([live.model.layers[i] for i in kept])
    package = archit.compile_model(live, name="llama_kept", suffix=SUFFIX)
    notes = [note for note in package.notes if note.startswith("model.layers: from_pretrained of a checkpoint of the")]
    said = f"gives member {number} the weights of its member {number}, not {kept[number or 0]}:"
    assert len(notes) == (number is not None) and all(said in note for note in notes)
    loaded = package.load().LlamaForCausalLMX.from_pretrained(tmp_path)
    for layer, other in zip(loaded.model.layers, declared.model.layers, strict=False):
        assert torch.equal(layer.mlp.up_proj.weight, other.mlp.up_proj.weight)


class Shadow(nn.Module):
    """Holds a layer and has a child that is named as one of the layer's."""

    def __init__(self, layer: nn.Module, hidden_size: int) -> None:
        super().__init__()
        self.layer = layer
        self.mlp = nn.Linear(hidden_size, hidden_size)

    def forward(self, hidden_states: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        return self.mlp(self.layer(hidden_states, *args, **kwargs))
