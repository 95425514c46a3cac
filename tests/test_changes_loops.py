"""Layers that differ in what follows their index: changed in a loop, where else each would need a class of its own."""

import pytest
import torch
import transformers as tf
from torch import nn
from transformers.models.llama.modeling_llama import LlamaAttention

import archit_codegen as archit
from tests.small import check, llama, said, small, vit
from tests.user_modules import LowRankLinear


class Named(nn.Module):
    """Holds a linear map, and knows where it stands."""

    def __init__(self, inner: nn.Module, name: str, depth: int = 0) -> None:
        super().__init__()
        self.inner, self.name, self.depth = inner, name, depth

    @property
    def weight(self) -> torch.Tensor:
        return self.inner.weight

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.inner(hidden_states) * (1 + self.depth + len(self.name))


def named_in(live: nn.Module, indices: range | list[int], depths: list[int] | None = None) -> None:
    layers = live.model.layers
    for place, index in enumerate(indices):
        name, depth = f"layers.{index}.mlp.up_proj", index + 2 if depths is None else depths[place]
        layers[index].mlp.up_proj = Named(layers[index].mlp.up_proj, name, depth)


def named_llama(indices: range | list[int], depths: list[int] | None = None, layers: int = 6) -> nn.Module:
    with archit.record():
        live = llama(num_hidden_layers=layers)
        named_in(live, indices, depths)
    return live


CALL = 'layer.mlp.up_proj = Named(layer.mlp.up_proj, f"layers.{i}.mlp.up_proj", i + 2)'


@pytest.mark.parametrize(
    ("indices", "loop"),
    [
        (range(6), f"for i, layer in enumerate(self.layers): {CALL}"),
        (range(2, 6), f"for i, layer in enumerate(self.layers[2:], start=2): {CALL}"),
        (range(3), f"for i, layer in enumerate(self.layers[:3]): {CALL}"),
        ([0, 1, 3, 4, 5], f"for i, layer in enumerate(self.layers): if i != 2: {CALL}"),
        (range(0, 6, 2), f"for i in range(0, len(self.layers), 2): layer = self.layers[i] {CALL}"),
        ([0, 3, 4], f"for i in (0, 3, 4): layer = self.layers[i] {CALL}"),
    ],
)
def test_a_loop_over_the_layers_that_changed(indices: range | list[int], loop: str) -> None:
    text = check(named_llama(indices), loop)
    assert "LlamaDecoderLayerWithX" not in text and "LlamaMLPWithX" not in text


def test_numbers_that_fall_with_the_index() -> None:
    text = check(named_llama(range(4), [9, 7, 5, 3], layers=4), "i}.mlp.up_proj', -2 * i + 9)".replace("'", '"'))
    assert "LlamaDecoderLayerWithX" not in text


def test_two_numbers_in_names_are_no_rule() -> None:
    with archit.record():
        live = llama(num_hidden_layers=2)
        for layer, name in zip(live.model.layers, ("conv3", "conv7"), strict=True):
            layer.mlp.up_proj = Named(layer.mlp.up_proj, name, 2)
    check(live, '"conv3", 2)', '"conv7", 2)')


def test_two_numbers_are_a_rule_beside_a_name_that_holds_the_index() -> None:
    text = check(named_llama(range(2), [5, 8], layers=2), 'f"layers.{i}.mlp.up_proj", 3 * i + 5)')
    assert "LlamaDecoderLayerWithX" not in text


def test_one_of_two_numbers_beside_a_name_that_holds_the_index() -> None:
    text = check(named_llama(range(4), [2, 2, 5, 2], layers=4), 'f"layers.{i}.mlp.up_proj", 5 if i == 2 else 2)')
    assert "LlamaDecoderLayerWithX" not in text


def test_many_values_without_a_rule_are_listed() -> None:
    text = check(named_llama(range(3), [1, 7, 2], layers=3), 'f"layers.{i}.mlp.up_proj", (1, 7, 2)[i])')
    assert "LlamaDecoderLayerWithX" not in text


def test_two_values_without_a_rule_are_classes() -> None:
    with archit.record():
        live = llama(num_hidden_layers=4)
        for layer, rank in zip(live.model.layers, (3, 5, 5, 3), strict=True):
            layer.mlp.up_proj = LowRankLinear(8, 12, rank)
    assert "class LlamaDecoderLayerWithX2" in check(live)


def test_two_numbers_are_no_rule() -> None:
    """4 and 9 would be `5 * i + 4`; a name that holds the index leaves no doubt."""
    with archit.record():
        live = llama(num_hidden_layers=2)
        for layer, rank in zip(live.model.layers, (4, 9), strict=True):
            layer.mlp.up_proj = LowRankLinear(8, 12, rank)
    assert "class LlamaDecoderLayerWithX2" in check(live)


def test_layers_changed_alike_share_a_class() -> None:
    with archit.record():
        live = llama()
        for layer in live.model.layers:
            layer.mlp.up_proj = LowRankLinear(8, 12, 3)
    text = check(live, "self.up_proj = LowRankLinear(")
    assert "class LlamaDecoderLayerWithX" in text and "for i, layer" not in text


class Attention(LlamaAttention):
    """Of the user's own, told which layer it is in."""


def test_an_index_that_the_class_of_the_layers_has_is_written_there() -> None:
    with archit.record():
        live = llama(num_hidden_layers=4)
        for index, layer in enumerate(live.model.layers):
            layer.self_attn = Attention(live.config, layer_idx=index)
    text = check(live, "self.self_attn = Attention(config, layer_idx=layer_idx)")
    assert text.count("class LlamaDecoderLayerWithX") == 1 and "for i, layer" not in text


def test_lists_within_lists() -> None:
    config = tf.SwinConfig(
        image_size=16, patch_size=2, embed_dim=8, depths=[2, 3], num_heads=[1, 2], window_size=2, encoder_stride=2
    )
    with archit.record():
        live = small(tf.SwinForImageClassification, config)
        for stage, layer in enumerate(live.swin.encoder.layers):
            for place, block in enumerate(layer.blocks):
                block.mlp.fc2 = Named(block.mlp.fc2, f"layers.{stage}.blocks.{place}.output", place)
    package = archit.compile_model(live, name="tiny_x", suffix="WithX")
    text = said(
        package.files,
        "for i, layer in enumerate(self.layers): for j, block in enumerate(layer.blocks): block.mlp.fc2 = "
        'Named(block.mlp.fc2, f"layers.{i}.blocks.{j}.output", j)',
    )
    assert "SwinStageWithX" not in text and "SwinLayerWithX" not in text


class Stack(nn.Module):
    """Torch's own modules in a list."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.maps = nn.ModuleList([nn.Linear(width, width) for _ in range(count)])

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        for one in self.maps:
            hidden_states = one(hidden_states)
        return hidden_states


def test_statements_on_each_member_are_a_loop() -> None:
    with archit.record():
        live = Stack(4, 3)
    for one in live.maps:
        nn.utils.parametrizations.weight_norm(one)
    package = archit.compile_model(live, name="tiny_x", suffix="WithX")
    said(package.files, "for block in self.maps: nn.utils.parametrizations.weight_norm(block)")


class Around(nn.Module):
    """Holds a layer, and knows which it is."""

    def __init__(self, layer: nn.Module, name: str, depth: int) -> None:
        super().__init__()
        self.layer, self.name, self.depth = layer, name, depth

    def forward(self, hidden_states: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        return self.layer(hidden_states, *args, **kwargs) * (1 + self.depth / (1 + len(self.name)))


@pytest.mark.parametrize(
    ("indices", "rest"),
    [
        (range(4), "for layer_idx in range(config.num_hidden_layers)"),
        (range(1, 4), "if layer_idx != 0 else LlamaDecoderLayer(config, layer_idx)"),
    ],
)
def test_layers_wrapped_by_their_index(indices: range, rest: str) -> None:
    with archit.record():
        live = llama(num_hidden_layers=4)
        for index in indices:
            live.model.layers[index] = Around(live.model.layers[index], f"layers.{index}", index + 1)
    check(live, f'Around(LlamaDecoderLayer(config, layer_idx), f"layers.{{layer_idx}}", layer_idx + 1) {rest}')


def test_every_second_layer_wrapped_and_all_of_them_changed() -> None:
    """The layers inside the wrappers, and those without one, are of one new class."""
    with archit.record():
        live = llama(num_hidden_layers=4)
        for index, layer in enumerate(live.model.layers):
            layer.mlp.act_fn = nn.Tanh()
            if index % 2 == 0:
                live.model.layers[index] = Around(layer, "even", 2)
    check(
        live,
        'Around(LlamaDecoderLayerWithX(config, layer_idx), "even", 2) if layer_idx in {0, 2} '
        "else LlamaDecoderLayerWithX(config, layer_idx)",
    )


def test_layers_wrapped_where_nothing_counts() -> None:
    """ViT's layers are built in a loop without an index."""
    with archit.record():
        live = vit()
        for index, layer in enumerate(live.vit.layers):
            live.vit.layers[index] = Around(layer, f"layers.{index}", index + 1)
    check(live, 'Around(ViTLayer(config), f"layers.{i}", i + 1) for i in range(config.num_hidden_layers)')


def test_expressions_named_by_hand() -> None:
    live = llama(num_hidden_layers=3)
    for index, layer in enumerate(live.model.layers):
        name, inner = f"layers.{index}", layer.mlp.up_proj
        layer.mlp.up_proj = Sized(inner.in_features, inner.out_features, name=name)
        archit.initialiser(layer.mlp.up_proj, f'Sized(config.hidden_size, config.intermediate_size, name="{name}")')
    check(live, 'layer.mlp.up_proj = Sized(config.hidden_size, config.intermediate_size, name=f"layers.{i}")')


class Sized(nn.Linear):
    """A linear map that forgets what it is told."""

    def __init__(self, rows: int, columns: int, *, name: str) -> None:
        super().__init__(rows, columns, bias=False)
        self.size = len(name)
