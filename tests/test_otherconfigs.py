"""The configs at which a surgery is tried: what one config holds alike by chance is different in another."""

from types import SimpleNamespace
from typing import Any

import torch
import transformers as tf
from torch import nn

import archit_codegen as archit
from archit_codegen.declaration.otherconfigs import other_configs
from tests.small import TEXT


class Bounded(SimpleNamespace):
    def __setattr__(self, name: str, value: Any) -> None:
        if name == "audio_channels" and value > 2:
            raise ValueError("one or two channels")
        super().__setattr__(name, value)


def firsts(config: Any) -> list[Any]:
    found = [next(group, None) for group in other_configs(config)]
    return [attempt() for attempt in found if attempt is not None]


def test_a_field_out_of_bounds_keeps_its_value_and_others_get_theirs() -> None:
    made = firsts(Bounded(audio_channels=2, hidden_size=8, num_layers=2))
    assert {each.config.audio_channels for each in made} == {2}
    assert len({each.config.hidden_size for each in made if "hidden_size" in each.changed}) > 1
    assert not any("audio_channels" in each.changed for each in made)


def test_stages_are_added_to_all_lists_of_them() -> None:
    (staged,) = (each for each in firsts(tf.SwinConfig()) if each.staged)
    assert (staged.config.depths, staged.config.num_heads) == ((2, 2, 6, 2, 2), (3, 6, 12, 24, 48))
    assert staged.config.num_layers == 5
    assert not any(each.staged for each in firsts(tf.BertConfig()))


def test_numbers_of_heads_vary_apart() -> None:
    made = [each.config for each in firsts(tf.LlamaConfig(**TEXT, num_key_value_heads=2))]
    assert len({one.num_attention_heads / one.num_key_value_heads for one in made}) > 1
    assert len({one.num_attention_heads / one.hidden_size for one in made}) > 2


def test_the_depth_grows_by_more_than_a_period_of_four() -> None:
    assert max(each.config.num_hidden_layers for each in firsts(tf.LlamaConfig(**TEXT))) >= 3 + 4


def test_a_width_that_cannot_vary_is_told() -> None:
    def build(config: Any) -> nn.Module:
        if config.intermediate_size != TEXT["intermediate_size"]:
            raise ValueError("planted")
        model = tf.LlamaModel(config)
        model.layers[0].mlp.down_proj = nn.Linear(config.intermediate_size, config.hidden_size)
        return model

    with torch.device("meta"):
        notes = archit.compile_surgery(build, tf.LlamaConfig(**TEXT), name="llama_x", suffix="X").notes
    (told,) = (note for note in notes if note.startswith("what follows"))
    assert "intermediate_size" in told
    assert told.endswith("the surgery raises ValueError: planted")
