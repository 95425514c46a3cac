"""Configs that change while their class builds or reads them: a note where the native class does so too."""

import pytest
import torch
import transformers as tf
from torch import nn

import archit_codegen as archit
from tests.hand_written import package, refused, roberta
from tests.small import TEXT
from tests.zoo import small
from tests.zoo.discovery import build as on_meta

BODY = "self.roberta.encoder.layer[1].output.dropout = nn.Identity()"


def modified() -> nn.Module:
    with torch.device("meta"):
        live = roberta()
    live.roberta.encoder.layer[1].output.dropout = nn.Identity()
    return live


def test_a_value_that_only_the_native_file_loses_is_told() -> None:
    config = tf.MoshiConfig(**TEXT, num_key_value_heads=2, ffn_dim=12)
    assert config.audio_vocab_size is None
    with torch.device("meta"):
        live = tf.MoshiForCausalLM(config)
    live.model.norm = nn.Identity()
    notes = archit.compile_model(live, name="moshi_x", suffix="X").notes
    assert any("MoshiConfig itself does not survive its own config file: config.audio_vocab_size" in n for n in notes)


def test_what_building_does_to_a_config_is_told() -> None:
    live = on_meta(tf.LevitModel)
    live.encoder.stages[0].layers[0] = nn.Identity()
    notes = archit.compile_model(live, name="levit_x", suffix="X").notes
    assert any("building a LevitModel changes its config: config.down_ops" in note for note in notes)


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("def __post_init__(self, **kwargs):\n        self.layer_norm_eps = 0.5\n        "
         "super().__post_init__(**kwargs)", "read from its file again, config.layer_norm_eps is 0.5"),
        ("def __post_init__(self, **kwargs):\n        raise ValueError('planted')",
         "read from its file again, its config raises ValueError: planted"),
    ],
)  # fmt: skip
def test_a_config_file_that_only_the_package_cannot_read_is_refused(method: str, reason: str) -> None:
    files = package(BODY)
    (path,) = (path for path in files if "configuration" in path)
    files[path] += f"\n    {method}\n"
    assert refused(modified(), files).reason.startswith(reason)


def test_a_config_that_only_the_package_changes_while_it_builds_is_refused() -> None:
    files = package(f"{BODY}\n        config.layer_norm_eps = 0.5")
    assert "layer_norm_eps is 0.5" in refused(modified(), files).reason


def test_ties_that_a_config_switches_off_when_it_is_read_are_refused() -> None:
    live = on_meta(tf.models.blt.modeling_blt.BltPatcher)
    live.config.tie_word_embeddings = True
    live.layers[3].self_attn.q_proj.weight = live.layers[1].self_attn.v_proj.weight
    with pytest.raises(archit.UnsupportedChange, match="read from a file switches ties off") as raised:
        archit.compile_model(live, name="blt_x", suffix="X")
    assert raised.value.path == "layers.3.self_attn.q_proj.weight"


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_config_that_its_own_class_does_not_read_is_refused(device: str) -> None:
    live, inputs = small.build(
        tf.CanaryForConditionalGeneration, small.read()["canary.CanaryForConditionalGeneration"]
    )
    live.resize_token_embeddings(136)  # which sets the size in the decoder's config alone
    with pytest.raises(archit.UnsupportedChange, match="does not match the Canary config vocabulary size") as raised:
        archit.compile_model(live.to(device), name="canary_x", suffix="X", inputs=inputs)
    assert raised.value.path == "config"
    live.config.vocab_size = 136
    assert archit.compile_model(live, name="canary_x", suffix="X").files
