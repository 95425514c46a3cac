"""Buffers that no checkpoint carries, parts of a model in another dtype, lists of parameters."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

import archit_codegen as archit
from archit_codegen.declaration import buffers
from archit_codegen.declaration.tensortext import tensor_text
from tests.small import bert, check, llama, refusal


class Scales(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.each = nn.ParameterList([nn.Parameter(torch.zeros(3)) for _ in range(2)])


def test_a_hidden_buffer_with_values() -> None:
    live = llama()
    live.model.layers[1].mlp.register_buffer("scratch", torch.tensor([1.0, 2.5, 3.0]), persistent=False)
    check(
        live,
        'self.register_buffer("scratch", torch.tensor([1.0, 2.5, 3.0]), persistent=False)',
        "init.copy_(module.scratch, torch.tensor([1.0, 2.5, 3.0]))",
    )


def test_a_hidden_buffer_on_a_module_of_torch() -> None:
    live = llama()
    live.model.layers[1].mlp.up_proj.register_buffer("scratch", torch.full((2, 3), 7), persistent=False)
    check(live, "class LinearWithX(nn.Linear):", "torch.full((2, 3), 7, dtype=torch.int64), persistent=False)")


def test_a_hidden_buffer_on_the_root() -> None:
    live = bert()
    live.register_buffer("places", torch.arange(6), persistent=False)
    check(live, "init.copy_(module.places, torch.arange(6))")


def test_a_declared_buffer_is_saved_from_now_on() -> None:
    live = llama()
    live.model.rotary_emb.register_buffer("inv_freq", live.model.rotary_emb.inv_freq, persistent=True)
    check(live, 'self.register_buffer("inv_freq", self.inv_freq)')


def test_a_hidden_buffer_without_a_short_text_is_refused() -> None:
    live = llama()
    live.model.register_buffer("noise", torch.rand(65), persistent=False)
    with pytest.raises(archit.UnsupportedChange, match=r"model\.noise: .*values have no short expression"):
        archit.compile_model(live, name="tiny_x", suffix="WithX")


def test_a_hidden_buffer_without_values_is_refused() -> None:
    with torch.device("meta"):
        live = llama_on_meta()
        live.model.register_buffer("noise", torch.zeros(3), persistent=False)
    with pytest.raises(archit.UnsupportedChange, match=r"model\.noise: .*plain values on a real device"):
        archit.compile_model(live, name="tiny_x", suffix="WithX")


def llama_on_meta() -> nn.Module:
    return type(llama())(llama().config)


def test_a_norm_in_double() -> None:
    live = llama()
    for layer in live.model.layers:
        layer.post_attention_layernorm.double()
    package = archit.compile_model(live, name="tiny_x", suffix="WithX")
    assert "self.post_attention_layernorm.to(torch.float64)" in "\n".join(package.files.values())


def test_a_norm_kept_in_float32_of_a_model_in_half_precision() -> None:
    live = llama().bfloat16()
    live.model.norm.float()
    package = archit.compile_model(live, name="tiny_x", suffix="WithX")
    assert "self.norm.to(torch.float32)" in "\n".join(package.files.values())


def test_one_parameter_in_double() -> None:
    live = bert()
    linear = live.bert.encoder.layer[0].output.dense
    linear.bias = nn.Parameter(linear.bias.detach().double())
    package = archit.compile_model(live, name="tiny_x", suffix="WithX")
    text = "\n".join(package.files.values())
    assert "self.dense.bias.data = self.dense.bias.data.to(torch.float64)" in text


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(2, 3),
        torch.ones(4, dtype=torch.bool),
        torch.full((2, 2), -0.5),
        torch.full((), 3),
        torch.arange(12).reshape(3, 4),
        torch.tensor([0.1, float("inf"), float("nan"), -0.0]),
        torch.full((3,), -0.0),
        torch.tensor([]),
        torch.tensor([1, 2], dtype=torch.int8),
        torch.tensor(0.1, dtype=torch.float64),
    ],
    ids=str,
)
def test_the_text_of_a_tensor(tensor: torch.Tensor) -> None:
    text = tensor_text(tensor, dtype=tensor.dtype != torch.float32)
    made = eval(text, {"torch": torch})
    assert made.dtype == tensor.dtype and made.shape == tensor.shape
    assert made.numpy().tobytes() == tensor.numpy().tobytes()


def test_a_long_irregular_tensor_has_no_text() -> None:
    assert tensor_text(torch.arange(65) ** 2, dtype=True) is None


def test_nothing_is_built_to_compare_a_buffer_that_is_not_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of experts may be too large for that."""
    monkeypatch.setattr(buffers, "_fresh", lambda call: pytest.fail("built"))
    live = bert().to("meta")
    live.bert.encoder.layer[1].intermediate.register_buffer("seen", torch.zeros(3), persistent=False)
    with torch.device("meta"):
        live.tie_weights()
    package = archit.compile_model(live, name="tiny_x", suffix="WithX")
    assert "torch.zeros(3)" in package.files["tiny_x/modeling_tiny_x.py"]


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "unrecorded"])
def test_a_list_of_parameters(recorded: bool) -> None:
    live = llama()
    with archit.record() if recorded else nullcontext():
        live.model.layers[0].scales = nn.ParameterList(nn.Parameter(torch.ones(size)) for size in (5, 7))
    check(
        live,
        "self.scales = nn.ParameterList()",
        "self.scales.append(nn.Parameter(torch.zeros(5)))",
        "self.scales.append(nn.Parameter(torch.zeros(7)))",
    )


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "unrecorded"])
def test_a_dict_of_parameters(recorded: bool) -> None:
    live = llama()
    with archit.record() if recorded else nullcontext():
        live.model.layers[0].scales = nn.ParameterDict({"one": nn.Parameter(torch.ones(5))})
    check(live, "self.scales = nn.ParameterDict()", "self.scales.one = nn.Parameter(torch.zeros(5))")


def test_a_declared_list_of_parameters() -> None:
    live = llama()
    live.model.layers[0].scales = Scales()
    live.model.layers[0].scales.each[0] = nn.Parameter(torch.zeros(6))
    live.model.layers[0].scales.each.append(nn.Parameter(torch.zeros(4)))
    check(live, "self.each[0] = nn.Parameter(torch.zeros(6))", "self.each.append(nn.Parameter(torch.zeros(4)))")


def test_no_list_of_parameters() -> None:
    says = "a ParameterList became shorter, or it holds something that is no parameter"
    live = llama()
    live.model.layers[0].scales = nn.ParameterList([nn.Parameter(torch.ones(5)), 3])
    refusal(live, "model.layers.0.scales", says)
    live.model.layers[0].scales = Scales()
    live.model.layers[0].scales.each = live.model.layers[0].scales.each[:1]
    refusal(live, "model.layers.0.scales.each", says)
