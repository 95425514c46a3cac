"""Lists of layers: permuted, shortened, repeated, shared, wrapped."""

import copy
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
import transformers as tf
from safetensors import safe_open
from torch import nn
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

import archit_codegen as archit
from tests.judge import first_paths, walk
from tests.small import bert, check, compiled, llama, plain_values, small
from tests.user_modules import QuietLlamaLayer

HOW = pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "unrecorded"])


def recording(recorded: bool):
    return archit.record() if recorded else nullcontext()


@HOW
def test_permuted(recorded: bool) -> None:
    with recording(recorded):
        live = bert()
        layers = live.bert.encoder.layer
        layers[0], layers[2] = layers[2], layers[0]
    check(live, "self.layer = nn.ModuleList([BertLayer(config, layer_idx=i) for i in (2, 1, 0)])", saved=recorded)


@HOW
def test_dropped(recorded: bool) -> None:
    with recording(recorded):
        live = llama()
        del live.model.layers[1]
    check(
        live,
        "[LlamaDecoderLayer(config, layer_idx) for layer_idx in range(config.num_hidden_layers) if layer_idx != 1]",
        saved=recorded,
    )


@HOW
def test_a_new_list_of_the_first_two(recorded: bool) -> None:
    with recording(recorded):
        live = bert()
        live.bert.encoder.layer = nn.ModuleList(list(live.bert.encoder.layer)[:2])
    check(live, "[BertLayer(config, layer_idx=i) for i in range(config.num_hidden_layers) if i != 2]", saved=recorded)


@HOW
def test_repeated(recorded: bool) -> None:
    with recording(recorded):
        live = bert()
        live.bert.encoder.layer = nn.ModuleList([layer for layer in live.bert.encoder.layer for _ in range(2)])
    check(live, "self.layer = nn.ModuleList([self.layer[i] for i in (0, 0, 1, 1, 2, 2)])", saved=recorded)


@HOW
def test_all_layers_shared(recorded: bool) -> None:
    with recording(recorded):
        live = bert()
        for index in (1, 2):
            live.bert.encoder.layer[index] = live.bert.encoder.layer[0]
    check(live, "self.layer = nn.ModuleList([self.layer[0]] * len(self.layer))", saved=recorded)


def test_shared_layers_are_saved_once_at_any_depth(tmp_path: Path) -> None:
    """How many there are follows the config, and so does what a checkpoint leaves out."""
    live = bert()
    for index in (1, 2):
        live.bert.encoder.layer[index] = live.bert.encoder.layer[0]
    package = compiled(live)
    root = getattr(package.load(), package.root_class)
    deeper = root(root.config_class(**{**plain_values(live.config), "num_hidden_layers": 12}))
    deeper.save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        names = list(file.keys())
    layers = {name.split(".layer.")[1].partition(".")[0] for name in names if ".layer." in name}
    assert layers == {"0"}
    loaded, report = root.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    assert all(torch.equal(loaded.state_dict()[name], weight) for name, weight in deeper.state_dict().items())


def test_one_layer_differs() -> None:
    live = bert()
    live.bert.encoder.layer[1].attention.self.query = nn.Linear(8, 8, bias=False)
    check(
        live,
        '"attentions": [BertSelfAttention, BertSelfAttentionWithX]',
        "BertLayerWithX(config, layer_idx=i) if i == 1 else BertLayer(config, layer_idx=i)",
    )


def test_two_layers_differ() -> None:
    live = bert()
    live.bert.encoder.layer[0].output.dropout.p = 0.5
    live.bert.encoder.layer[2].intermediate.dense = nn.Linear(8, 12, bias=False)
    check(live, "class BertLayerWithX2(", '"hidden_states": [BertLayer, BertLayerWithX, BertLayerWithX2]')


class Scale(nn.Module):
    """Multiplies what the wrapped module returns."""

    def __init__(self, inner: nn.Module, factor: float = 0.5) -> None:
        super().__init__()
        self.inner, self.factor = inner, factor

    def forward(self, *args, **kwargs):
        return self.factor * self.inner(*args, **kwargs)


@HOW
def test_wrapped_twice(recorded: bool) -> None:
    with recording(recorded):
        live = bert()
        layers = live.bert.encoder.layer
        layers[2] = Scale(Scale(layers[2]), factor=0.25)
    check(
        live,
        "Scale(Scale(BertLayer(config, layer_idx=i)), factor=0.25) if i == 2 else BertLayer(config, layer_idx=i)",
        saved=recorded,
    )


@HOW
def test_every_layer_wrapped(recorded: bool) -> None:
    with recording(recorded):
        live = bert()
        for index, layer in enumerate(live.bert.encoder.layer):
            live.bert.encoder.layer[index] = Scale(layer)
    check(live, "[Scale(BertLayer(config, layer_idx=i)) for i in range(config.num_hidden_layers)]", saved=recorded)


class LoRA(nn.Module):
    """Freezes the linear it wraps and learns a correction of low rank."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base, self.rank = base, rank
        self.down = nn.Linear(base.in_features, rank, bias=False)
        self.up = nn.Linear(rank, base.out_features, bias=False)
        base.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base(x) + self.up(self.down(x))


@HOW
def test_a_wrapper_freezes_its_base(recorded: bool) -> None:
    with recording(recorded):
        live = llama()
        for layer in live.model.layers:
            layer.self_attn.q_proj = LoRA(layer.self_attn.q_proj, rank=2)
            layer.self_attn.v_proj = LoRA(layer.self_attn.v_proj, rank=3)
    check(
        live,
        "self.v_proj = LoRA(nn.Linear(config.hidden_size, config.num_key_value_heads * self.head_dim, bias=",
        saved=False,
    )


def test_a_change_after_a_new_layer_is_made_in_its_own_place() -> None:
    with archit.record():
        live = llama()
        live.model.layers.insert(0, QuietLlamaLayer(live.config, 0))
        live.model.layers[2].mlp.act_fn = nn.Tanh()
    check(
        live,
        "LlamaDecoderLayerWithX(config, layer_idx) if layer_idx == 1 else LlamaDecoderLayer(config, layer_idx)",
        "self.layers.insert(0, QuietLlamaLayer(config, 0))",
    )


def openai() -> nn.Module:
    """Each of its layers has the activation that stands in a table of its file."""
    return small(
        tf.OpenAIGPTLMHeadModel, tf.OpenAIGPTConfig(vocab_size=23, n_positions=8, n_embd=8, n_layer=3, n_head=2)
    )


@pytest.mark.parametrize("place", [1, 3])
def test_a_copy_of_a_layer_does_not_share_what_the_others_share(place: int) -> None:
    live = openai()
    live.transformer.h.insert(place, copy.deepcopy(live.transformer.h[place - 1]))
    check(live, "self.act = NewGELUActivation()")


def test_a_layer_with_an_activation_of_its_own() -> None:
    live = openai()
    live.transformer.h[0].mlp.act = copy.deepcopy(live.transformer.h[0].mlp.act)
    check(live, "self.act = NewGELUActivation()")


class Twin(nn.Module):
    """What it shares stands in no other one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = self.second = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))


class Stack(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Twin() for _ in range(3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def test_a_copy_of_a_layer_shares_within_itself() -> None:
    live = Stack().eval()
    live.layers.insert(1, copy.deepcopy(live.layers[0]))
    package = archit.compile_model(live, name="tiny_x", suffix="WithX")
    assert package.classes == ("StackWithX",)
    built = getattr(package.load(), package.root_class)()
    assert first_paths(walk(built)) == first_paths(walk(live))


PARTS = [(0, 1, "self.layers[0].self_attn = self.layers[1].self_attn")]
PARTS += [(1, 0, "self.layers[1].self_attn = self.layers[0].self_attn")]
PARTS += [(0, 2, "self.layers[0].self_attn = self.layers[2].self_attn")]


@pytest.mark.parametrize(("to", "other", "line"), PARTS)
def test_a_part_of_another_layer_that_knows_its_place(to: int, other: int, line: str) -> None:
    live = llama()
    live.model.layers[to].self_attn = live.model.layers[other].self_attn
    check(live, line, "LlamaDecoderLayer(config, layer_idx) for layer_idx in range(config.num_hidden_layers)")


def test_one_attention_in_all_layers() -> None:
    live = llama()
    for layer in live.model.layers:
        layer.self_attn = live.model.layers[2].self_attn
    check(live, "self.layers[0].self_attn = self.layers[2].self_attn")


def test_a_shared_part_is_changed_where_it_was_declared() -> None:
    live = llama()
    live.model.layers[0].self_attn = live.model.layers[1].self_attn
    live.model.layers[1].self_attn.o_proj = nn.Sequential(nn.Linear(8, 8), nn.Tanh())
    text = check(live, "self.layers[0].self_attn = self.layers[1].self_attn")
    assert "layer_idx=1" not in text


def test_a_layer_more_with_a_part_of_another() -> None:
    live = llama()
    layer = LlamaDecoderLayer(live.config, 3)
    layer.self_attn = live.model.layers[1].self_attn
    live.model.layers.append(layer)
    check(live, "self.layers[3].self_attn = self.layers[1].self_attn")
