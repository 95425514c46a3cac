"""Modules built from configs, and from plain objects, that the model never had."""

import copy
from argparse import Namespace
from types import SimpleNamespace
from typing import Any

import pytest
import transformers as tf
from torch import nn
from transformers.models.bert.modeling_bert import BertLayer
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaMLP
from transformers.models.mistral.modeling_mistral import MistralMLP

import archit_codegen as archit
from tests.small import TEXT, check, llama


class Sizes:
    """A config of the user's own."""

    def __init__(self, hidden: int, inner: int = 12) -> None:
        self.hidden, self.inner = hidden, inner


class OwnConfig(tf.PreTrainedConfig):
    model_type = "own_sizes"
    hidden: int = 4
    inner: int = 12


class OwnMLP(nn.Module):
    """Two projections, by a config that is no config of the model's."""

    def __init__(self, sizes: Any) -> None:
        super().__init__()
        self.sizes = sizes
        self.up, self.down = nn.Linear(sizes.hidden, sizes.inner), nn.Linear(sizes.inner, sizes.hidden)

    def forward(self, x):
        return self.down(self.up(x))


class WithBert(nn.Module):
    """Has a layer of another model beside what it holds."""

    def __init__(self, inner: nn.Module, config: tf.BertConfig) -> None:
        super().__init__()
        self.inner = inner
        self.other = BertLayer(config)

    def forward(self, hidden_states, **kwargs):
        return self.other(self.inner(hidden_states, **kwargs))


def test_a_new_config_of_the_model_s_class() -> None:
    """The text is the user's: what follows from other fields is not given, and nothing of the model's config is."""
    live = llama()
    live.model.layers[1].mlp = LlamaMLP(tf.LlamaConfig(hidden_size=8, intermediate_size=20, num_attention_heads=2))
    check(live, "self.mlp = LlamaMLP(LlamaConfigWithX(hidden_size=8, intermediate_size=20, num_attention_heads=2))")


def test_a_layer_of_a_new_config() -> None:
    """Such a config has no attention implementation, which the model's has: it is no copy of that."""
    live = llama(attn_implementation="eager")
    config = tf.LlamaConfig(**{**TEXT, "num_key_value_heads": 1, "intermediate_size": 20})
    live.model.layers[1] = LlamaDecoderLayer(config, 1)
    check(live, "intermediate_size=20,", "num_key_value_heads=1,", "LlamaDecoderLayer(LlamaConfigWithX(")


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "unrecorded"])
def test_a_config_of_another_model(recorded: bool) -> None:
    live = llama()
    live.model.layers[1].mlp = MistralMLP(tf.MistralConfig(hidden_size=8, intermediate_size=20))
    check(live, "self.mlp = MistralMLP(MistralConfig(hidden_size=8, intermediate_size=20))")


def test_a_wrapper_with_a_config_of_its_own() -> None:
    with archit.record():
        live = llama()
        config = tf.BertConfig(hidden_size=8, num_attention_heads=2, intermediate_size=12)
        live.model.layers[1] = WithBert(live.model.layers[1], config)
    check(live, "BertConfig(hidden_size=8, num_attention_heads=2, intermediate_size=12)")


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        (Sizes(8, 20), "OwnMLP(Sizes(hidden=8, inner=20))"),
        (SimpleNamespace(hidden=8, inner=20), "OwnMLP(SimpleNamespace(hidden=8, inner=20))"),
        (Namespace(hidden=8, inner=20), "OwnMLP(Namespace(hidden=8, inner=20))"),
        (OwnConfig(hidden=8, inner=20), "OwnMLP(OwnConfig(hidden=8, inner=20))"),
        (OwnConfig(hidden=8), "OwnMLP(OwnConfig(hidden=8))"),
    ],
)
def test_objects_that_hold_sizes(sizes: object, text: str) -> None:
    live = llama()
    live.model.layers[1].mlp = OwnMLP(sizes)
    check(live, f"self.mlp = {text}")


def test_a_config_as_an_attribute() -> None:
    live = llama()
    live.other_config = tf.BertConfig(hidden_size=8)
    check(live, "self.other_config = BertConfig(hidden_size=8)")


def test_a_copy_of_the_model_s_config_is_still_one() -> None:
    """A copy of a config that went through a model has what the model's has."""
    live = llama()
    config = tf.LlamaConfig(**live.config.to_dict())
    config.intermediate_size, config._attn_implementation = 20, live.config._attn_implementation
    live.model.layers[1].mlp = LlamaMLP(config)
    check(live, "self.mlp = LlamaMLP(config_with(config, intermediate_size=20))")


def test_a_copy_with_a_new_field() -> None:
    live = llama()
    config = copy.deepcopy(live.config)
    config.custom = 4
    live.model.layers[0].mlp = LlamaMLP(config)
    check(live, "self.mlp = LlamaMLP(config_with(config, custom=4))")


def test_a_copy_with_another_attention() -> None:
    live = llama()
    config = copy.deepcopy(live.config)
    config._attn_implementation = "eager"
    live.model.layers[0].self_attn.config = config
    check(live, 'LlamaAttention(config=config_with(config, _attn_implementation="eager"), layer_idx=layer_idx)')
