"""Parametrizations (`torch.nn.utils.parametrize`) put on, kept and taken away."""

import torch
import transformers as tf
from torch import nn
from torch.nn.utils import parametrizations, parametrize

import archit_codegen as archit
from tests.small import bert, check, llama


class Scaled(nn.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return self.scale * weight


class Holder(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * self.inner(x)


def test_weight_norm() -> None:
    live = llama()
    parametrizations.weight_norm(live.model.layers[1].self_attn.q_proj)
    text = check(live, "nn.utils.parametrizations.weight_norm(self.q_proj)")
    assert "class LlamaDecoderLayerWithX" in text


def test_in_each_layer_with_arguments() -> None:
    live = bert()
    for layer in live.bert.encoder.layer:
        parametrizations.weight_norm(layer.output.dense, dim=1)
    check(live, "nn.utils.parametrizations.weight_norm(self.dense, dim=1)")


def test_spectral_norm() -> None:
    live = llama()
    parametrizations.spectral_norm(live.model.layers[0].mlp.down_proj, n_power_iterations=2)
    check(live, "nn.utils.parametrizations.spectral_norm(self.down_proj, n_power_iterations=2)")


def test_a_parametrization_of_the_users_own() -> None:
    live = llama()
    parametrize.register_parametrization(live.model.layers[0].self_attn.o_proj, "weight", Scaled(0.5))
    check(live, 'nn.utils.parametrize.register_parametrization(self.o_proj, "weight", Scaled(0.5))')


def test_two_on_one_tensor() -> None:
    live = llama()
    linear = live.model.layers[0].self_attn.o_proj
    parametrizations.weight_norm(linear)
    parametrize.register_parametrization(linear, "weight", Scaled(0.5))
    check(live, "weight_norm(self.o_proj)", 'register_parametrization(self.o_proj, "weight", Scaled(0.5)')


def test_on_a_replaced_module() -> None:
    live = llama()
    live.model.layers[0].mlp.up_proj = parametrizations.weight_norm(nn.Linear(8, 12))
    check(live, "nn.Linear(self.up_proj.in_features, self.up_proj.out_features)", "weight_norm(self.up_proj)")


def test_inside_a_wrapper() -> None:
    live = llama()
    attention = live.model.layers[0].self_attn
    attention.q_proj = Holder(parametrizations.weight_norm(attention.q_proj))
    check(live, "weight_norm(self.inner)", "HolderWithX(")


def test_on_a_module_of_transformers() -> None:
    live = llama()
    parametrize.register_parametrization(live.model.norm, "weight", Scaled(0.5))
    check(live, 'register_parametrization(self.norm, "weight", Scaled(0.5))')


def test_one_that_the_class_declares_is_taken_away() -> None:
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    convolutions = {"conv_dim": (8,) * 7, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
    with torch.device("meta"):
        live = tf.Wav2Vec2Model(tf.Wav2Vec2Config(**shape, **convolutions))
    parametrize.remove_parametrizations(live.encoder.pos_conv_embed.conv, "weight")
    package = archit.compile_model(live, name="tiny_x", suffix="WithX")
    assert 'nn.utils.parametrize.remove_parametrizations(self.conv, "weight")' in "\n".join(package.files.values())
