"""Which weights are trained: few switches at the end of the root's `__init__`, and no class for their sake."""

from typing import Any

import pytest
import torch
import transformers as tf
from torch import nn

import archit_codegen as archit
from tests.small import TEXT, bert, check, llama


def classes(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("class Bert") and "Config" not in line]


def switched(live: Any, *lines: str) -> None:
    text = check(live, *lines, saved=False)
    assert text.count("requires_grad_(") == len([line for line in lines if "requires_grad_" in line])
    assert len(classes(text)) == 2, "the root and the base class that it needs"


def test_the_first_layers() -> None:
    live = bert(num_hidden_layers=5)
    for layer in live.bert.encoder.layer[:3]:
        layer.requires_grad_(False)
    switched(live, "for layer in self.bert.encoder.layer[:3]:", "    layer.requires_grad_(False)")


def test_layers_here_and_there() -> None:
    live = bert(num_hidden_layers=5)
    for index in (0, 2):
        live.bert.encoder.layer[index].requires_grad_(False)
    switched(live, "for index in (0, 2):", "layer = self.bert.encoder.layer[index]", "layer.requires_grad_(False)")


def test_all_but_the_norms() -> None:
    live = bert()
    for name, parameter in live.named_parameters():
        parameter.requires_grad_("encoder" in name and "output.LayerNorm" in name)
    switched(
        live,
        "self.requires_grad_(False)",
        "for layer in self.bert.encoder.layer:",
        "    layer.attention.output.LayerNorm.requires_grad_(True)",
        "    layer.output.LayerNorm.requires_grad_(True)",
    )


def test_a_tied_weight_is_switched_once() -> None:
    live = bert()
    live.bert.embeddings.word_embeddings.requires_grad_(False)
    switched(live, "self.bert.embeddings.word_embeddings.requires_grad_(False)")


def test_one_parameter_of_a_layer_stays() -> None:
    live = bert()
    live.bert.encoder.layer[1].requires_grad_(False)
    live.bert.encoder.layer[1].output.dense.bias.requires_grad_(True)
    switched(
        live,
        "self.bert.encoder.layer[1].requires_grad_(False)",
        "self.bert.encoder.layer[1].output.dense.bias.requires_grad_(True)",
    )


@pytest.mark.parametrize("frozen", [True, False])
def test_a_new_module(frozen: bool) -> None:
    live = llama()
    live.model.norm = nn.LayerNorm(8).requires_grad_(not frozen)
    text = check(live, "self.norm = nn.LayerNorm(", saved=False)
    assert ("self.model.norm.requires_grad_(False)" in text) is frozen


def test_a_module_where_the_class_has_none() -> None:
    live = bert()
    live.bert.pooler = nn.Linear(8, 8)
    check(live, "self.pooler = nn.Linear(8, 8)", "class BertModelWithX", saved=False)


@pytest.mark.parametrize("part", ["position_embedding", "class_embedding"])
def test_what_stands_where_the_class_freezes_its_modules(part: str) -> None:
    """Idefics freezes its vision model after `post_init()`: what is put there is frozen with it, and trained again."""
    vision = {"embed_dim": 8, "image_size": 4, "patch_size": 2, "intermediate_size": 12, "num_hidden_layers": 1}
    config = tf.IdeficsConfig(
        **{**TEXT, "num_hidden_layers": 1}, additional_vocab_size=2, vision_config={**vision, "num_attention_heads": 2}
    )
    with torch.device("meta"):
        live = tf.IdeficsModel(config)
        embeddings = live.vision_model.embeddings
        if part == "position_embedding":
            embeddings.position_embedding = nn.Embedding(9, 8)
        else:
            embeddings.class_embedding = nn.Parameter(torch.empty(3, 8))
    files = archit.compile_model(live, name="idefics_x", suffix="X").files
    text = next(text for path, text in files.items() if "modeling" in path)
    frozen = text.index("        self.freeze_relevant_params(config)\n")
    assert text.index(f"        self.vision_model.embeddings.{part}.requires_grad_(True)\n") > frozen


def test_what_stands_where_a_module_froze_itself() -> None:
    """Marian's positions are no weights by their own class: a frozen module in their place has to be frozen itself."""
    config = tf.MarianConfig(
        vocab_size=23, d_model=8, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=12, decoder_ffn_dim=12, max_position_embeddings=16, pad_token_id=0,
        decoder_start_token_id=0, eos_token_id=0,
    )  # fmt: skip
    with torch.device("meta"):
        live = tf.MarianModel(config)
        assert not live.encoder.embed_positions.weight.requires_grad
        live.encoder.embed_positions = nn.Embedding(16, 8)
        live.encoder.embed_positions.requires_grad_(False)
    files = archit.compile_model(live, name="marian_x", suffix="X").files
    text = next(text for path, text in files.items() if "modeling" in path)
    assert "        self.encoder.embed_positions.requires_grad_(False)\n" in text
