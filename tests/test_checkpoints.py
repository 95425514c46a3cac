"""What is registered so that checkpoints of the declared class can be read, seen in the text."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers as tf
from safetensors import safe_open
from torch import nn
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaMLP

import archit_codegen as archit
from archit_codegen.declaration.conversions import IN_PART, Conversion
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


def test_conversions_that_would_lose_weights_are_left_out() -> None:
    found = Conversion("tiny_x", "phi3", (), "model", "", lost=(("qkv_proj",),))
    assert found.statement() == (
        f"{IN_PART}\nregister_checkpoint_conversion_mapping("
        '"tiny_x", [each for each in get_checkpoint_conversion_mapping("phi3") '
        'if each.source_patterns != ["qkv_proj"]], overwrite=True)\n'
    )


def llama_config() -> tf.LlamaConfig:
    return decoder_config(tf.LlamaConfig)


class Shadow(nn.Module):
    """Holds a layer and has a child that is named as one of the layer's, with weights of other names."""

    def __init__(self, layer: nn.Module, hidden_size: int) -> None:
        super().__init__()
        self.layer = layer
        self.mlp = nn.Linear(hidden_size, hidden_size)

    def forward(self, hidden_states: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        return self.mlp(self.layer(hidden_states, *args, **kwargs))


class Twin(nn.Module):
    """Holds a layer and has a feed-forward as the layer's, under the same name."""

    def __init__(self, layer: nn.Module, config: tf.LlamaConfig) -> None:
        super().__init__()
        self.layer = layer
        self.mlp = LlamaMLP(config)

    def forward(self, hidden_states: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        return self.mlp(self.layer(hidden_states, *args, **kwargs))


def shadowed() -> nn.Module:
    live = tf.LlamaForCausalLM(llama_config())
    live.model.layers[1] = Shadow(live.model.layers[1], 16)
    return live


def block_in_an_adapter() -> nn.Module:
    """The child ``layer`` of the adapter is a block, whose list is named ``layer``."""
    live = t5()
    live.decoder.block[0] = Adapter(live.decoder.block[0], 16, rank=4)
    return live


@pytest.mark.parametrize(
    ("make", "old", "new"),
    [
        (shadowed, "model.layers.1.", "model.layers.1.layer."),
        (block_in_an_adapter, "decoder.block.0.layer.", "decoder.block.0.layer.layer."),
    ],
)
def test_every_weight_arrives_below_a_wrapper_with_names_of_what_it_holds(
    tmp_path: Path, make: Callable[[], nn.Module], old: str, new: str
) -> None:
    with archit.record():
        live = make()
    torch.manual_seed(1)
    declared = type(live)(live.config)
    declared.save_pretrained(tmp_path / "declared")
    package = archit.compile_model(live, name="wrapped", suffix=SUFFIX)
    assert package.notes == ()
    root = getattr(package.load(), package.root_class)
    loaded, report = root.from_pretrained(tmp_path / "declared", output_loading_info=True)
    expected = {key.replace(old, new, 1): weight for key, weight in declared.state_dict().items()}
    here = loaded.state_dict()
    assert report["missing_keys"] == here.keys() - expected.keys() and not report["unexpected_keys"]
    assert [key for key in expected if not torch.equal(expected[key], here[key])] == []
    loaded.save_pretrained(tmp_path / "again")
    assert set(saved(tmp_path / "again")) <= here.keys()
    again, report = root.from_pretrained(tmp_path / "again", output_loading_info=True)
    assert not any(report.values())
    assert [key for key in here if not torch.equal(here[key], again.state_dict()[key])] == []


def saved(folder: Path) -> list[str]:
    with safe_open(folder / "model.safetensors", "pt") as file:
        return list(file.keys())


def misread(live: nn.Module, folder: Path) -> tuple[list[str], dict[str, torch.Tensor], nn.Module]:
    """The notes on checkpoints, the weights of one of the declared class, and the model that it was loaded into."""
    torch.manual_seed(1)
    declared = tf.LlamaForCausalLM(llama_config())
    declared.save_pretrained(folder)
    package = archit.compile_model(live, name="llama_misread", suffix=SUFFIX)
    notes = [note for note in package.notes if "from_pretrained of a checkpoint of the declared class" in note]
    return notes, declared.state_dict(), package.load().LlamaForCausalLMX.from_pretrained(folder)


def put(*order: int) -> Callable[[nn.ModuleList], object]:
    """Members by their numbers, in place."""

    def change(layers: nn.ModuleList) -> None:
        for index, member in enumerate([layers[index] for index in order]):
            layers[index] = member

    return change


def drop(*numbers: int) -> Callable[[nn.ModuleList], object]:
    return lambda layers: [layers.pop(number) for number in reversed(numbers)]


def new_layer(layers: nn.ModuleList, index: int) -> nn.Module:
    return LlamaDecoderLayer(layers[0].self_attn.config, index)


@pytest.mark.parametrize(
    ("change", "number", "belongs"),
    [
        (drop(1), 1, "not 2"),
        (drop(0, 2), 0, "not 1"),
        (drop(2, 3), None, ""),
        (put(0, 1, 3, 2), 2, "not 3"),
        (put(0, 1, 1, 3), 2, "not 1"),
        (lambda layers: layers.insert(2, copy.deepcopy(layers[1])), 2, "not 1"),
        (lambda layers: layers.insert(1, nn.Identity()), 2, "not 1"),
        (lambda layers: layers.insert(1, new_layer(layers, 9)), 1, "though it is new"),
        (lambda layers: layers.append(new_layer(layers, 4)), None, ""),
    ],
)
def test_members_that_have_other_numbers_are_told_of(
    tmp_path: Path, change: Callable[[nn.ModuleList], object], number: int | None, belongs: str
) -> None:
    """Their weights have the names of other members of the declared class; what the note says is so."""
    with archit.record():
        live = tf.LlamaForCausalLM(llama_config())
        change(live.model.layers)
    notes, declared, loaded = misread(live, tmp_path)
    here = loaded.state_dict()
    if number is None:
        assert notes == []
        assert [key for key in here if key in declared and not torch.equal(here[key], declared[key])] == []
    else:
        [note] = notes
        assert f" gives member {number} the weights of its member {number}, {belongs}: " in note
        name = f"model.layers.{number}.mlp.up_proj.weight"
        assert torch.equal(here[name], declared[name])


def test_a_weight_of_the_wrapper_under_a_name_of_what_it_holds_is_told_of(tmp_path: Path) -> None:
    with archit.record():
        live = tf.LlamaForCausalLM(llama_config())
        live.model.layers[1] = Twin(live.model.layers[1], live.config)
    [note], declared, loaded = misread(live, tmp_path)
    name = "model.layers.1.mlp.gate_proj.weight"
    assert note.endswith(f"gives {name} to the wrapper, which has one of its own: give that another name")
    assert torch.equal(loaded.state_dict()[name], declared[name])


def test_a_module_in_a_second_slot_is_told_of(tmp_path: Path) -> None:
    live = tf.LlamaForCausalLM(llama_config())
    live.model.layers[2].mlp = live.model.layers[0].mlp
    [note], declared, loaded = misread(live, tmp_path)
    assert note.startswith("model.layers.2.mlp: ") and "not those of model.layers.0.mlp" in note
    assert torch.equal(loaded.model.layers[0].mlp.up_proj.weight, declared["model.layers.2.mlp.up_proj.weight"])
