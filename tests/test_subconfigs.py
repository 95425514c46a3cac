"""Configs within a config: which of them get a class of their own, and under which name."""

import pytest
import torch
import transformers as tf
from torch import nn

import archit_codegen as archit
from tests.small import TEXT
from tests.zoo.discovery import build as on_meta

MODULE = {**TEXT, "num_key_value_heads": 1, "head_dim": 4}


def t5gemma() -> nn.Module:
    config = tf.T5GemmaConfig(
        encoder=tf.T5GemmaModuleConfig(**MODULE), decoder=tf.T5GemmaModuleConfig(**MODULE), vocab_size=23
    )
    with torch.device("meta"):
        live = tf.T5GemmaModel(config)
    live.encoder.layers[1].mlp = nn.Identity()
    return live


def configuration(live: nn.Module) -> str:
    return archit.compile_model(live, name="pair", suffix="X").files["pair/configuration_pair.py"]


def test_what_the_outer_config_gives_an_inner_one_is_no_addition() -> None:
    live = t5gemma()
    assert live.config.decoder.cross_attention_hidden_size == 8  # no field of its class
    assert "class T5GemmaModuleConfig" not in configuration(live)


def test_one_class_for_equal_additions() -> None:
    live = t5gemma()
    live.config.encoder.more = live.config.decoder.more = 3
    text = configuration(live)
    assert text.count("class T5GemmaModuleConfigX(T5GemmaModuleConfig):") == text.count("more: int = 3") == 1


def test_two_classes_for_different_additions() -> None:
    live = t5gemma()
    live.config.encoder.more, live.config.decoder.other = 3, 4
    text = configuration(live)
    assert '"encoder": T5GemmaModuleConfigX,' in text
    assert '"decoder": T5GemmaModuleConfigX2,' in text
    assert text.index("more: int = 3") < text.index("class T5GemmaModuleConfigX2(") < text.index("other: int = 4")


def test_an_addition_two_configs_below() -> None:
    live = on_meta(tf.T5Gemma2Model)
    live.config.encoder.text_config.more = 3
    live.decoder.norm = nn.Identity()
    text = configuration(live)
    assert text.index("class T5Gemma2TextConfigX") < text.index('"text_config": T5Gemma2TextConfigX')
    assert text.index("class T5Gemma2EncoderConfigX") < text.index('"encoder": T5Gemma2EncoderConfigX')


def test_an_addition_to_a_config_that_an_auto_class_looks_up_is_refused() -> None:
    """`AutoModel.from_config` in the original's code knows no new class. The live config does not show it: its parts
    are of the declared classes until it is read from a file."""
    live = on_meta(tf.InternVLModel)
    live.config.vision_config.scale_of_patches = 0.5
    live.multi_modal_projector.extra = nn.Linear(2, 3, device="meta")
    with pytest.raises(archit.ValidationFailed, match="built from a config that was read, it raises ValueError"):
        archit.compile_model(live, name="tiny_x", suffix="WithX")
