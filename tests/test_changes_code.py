"""Code that was changed in the process: methods of an object, of a class, functions and classes of a module."""

import types
from collections.abc import Callable

import pytest
import torch
from torch import nn
from transformers.models.bert import modeling_bert
from transformers.models.llama import modeling_llama

import archit_codegen as archit
from tests.small import bert, check, check_without_patch, llama


def halved(self, x):
    return 0.5 * self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))


def test_method_of_one_object() -> None:
    live = llama()
    live.model.layers[1].mlp.forward = types.MethodType(halved, live.model.layers[1].mlp)
    check(live, "return 0.5 * self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))")


def test_lambda() -> None:
    live = llama()
    live.model.layers[1].mlp.forward = lambda x: torch.tanh(x) * 2
    check(live, "return torch.tanh(x) * 2")


def test_closure_over_a_constant() -> None:
    live, factor = llama(), 0.25

    def forward(self, x):
        return self.down_proj(self.up_proj(x)) * factor

    live.model.layers[1].mlp.forward = types.MethodType(forward, live.model.layers[1].mlp)
    check(live, "return self.down_proj(self.up_proj(x)) * 0.25")


def scaled_by(factor: float):
    def forward(self, x):
        return self.down_proj(self.up_proj(x)) * factor

    return forward


def test_three_closures_over_different_constants() -> None:
    live = llama()
    for index, layer in enumerate(live.model.layers):
        layer.mlp.forward = types.MethodType(scaled_by(0.5 + index), layer.mlp)
    check(live, "self.up_proj(x)) * 0.5", "self.up_proj(x)) * 1.5", "self.up_proj(x)) * 2.5")


def test_a_patch_calls_the_original() -> None:
    live = llama()
    mlp = live.model.layers[1].mlp
    original = mlp.forward

    def forward(x):
        return original(x) * 0.25

    mlp.forward = forward
    check(live, "return self._original_forward(x) * 0.25")


def test_method_added() -> None:
    live = llama()
    live.model.layers[1].mlp.twice = types.MethodType(halved, live.model.layers[1].mlp)
    check(live, "def twice(self, x):")


def test_method_of_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modeling_llama.LlamaMLP, "forward", halved)
    check_without_patch(
        llama(), monkeypatch, "return 0.5 * self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))"
    )


def test_method_of_a_class_calls_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    original = modeling_bert.BertIntermediate.forward

    def forward(self, hidden_states):
        return original(self, hidden_states) * 0.5

    monkeypatch.setattr(modeling_bert.BertIntermediate, "forward", forward)
    check_without_patch(bert(), monkeypatch, "return self._original_forward(hidden_states) * 0.5")


def rotate_half(x):
    return -x


def patched_by_a_call_of_the_one_before(module: nn.Module) -> None:
    before = module.forward

    def forward(x):
        return before(x) * 0.25

    module.forward = forward


def test_a_patch_calls_the_declared_method_that_its_class_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    live = llama()
    patched_by_a_call_of_the_one_before(live.model.layers[1].mlp)
    monkeypatch.setattr(modeling_llama.LlamaMLP, "forward", halved)
    texts = ["return self._original_forward(x) * 0.25", "def _original_forward(self, x):\n        down_proj ="]
    check_without_patch(live, monkeypatch, *texts, "return 0.5 * self.down_proj(")


def test_a_patch_calls_the_patch_of_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modeling_llama.LlamaMLP, "forward", halved)
    live = llama()
    patched_by_a_call_of_the_one_before(live.model.layers[1].mlp)
    texts = ["return self._earlier_forward(x) * 0.25", "def _earlier_forward(self, x):\n        return 0.5 *"]
    check_without_patch(live, monkeypatch, *texts)


def test_function_of_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modeling_llama, "rotate_half", rotate_half)
    check_without_patch(llama(), monkeypatch, "def rotate_half(x):\n    return -x")


def apply_rotary_pos_emb(q, k, cos, sin, unsqueeze_dim=1):
    return q * cos.unsqueeze(unsqueeze_dim), k * cos.unsqueeze(unsqueeze_dim)


def test_function_of_a_module_with_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modeling_llama, "apply_rotary_pos_emb", apply_rotary_pos_emb)
    check_without_patch(
        llama(), monkeypatch, "return q * cos.unsqueeze(unsqueeze_dim), k * cos.unsqueeze(unsqueeze_dim)"
    )


class NarrowMLP(nn.Module):
    """One linear instead of three."""

    def __init__(self, config) -> None:
        super().__init__()
        self.only = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, x):
        return self.only(x)


def test_class_of_a_module_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modeling_llama, "LlamaMLP", NarrowMLP)
    check_without_patch(llama(), monkeypatch, "import NarrowMLP as LlamaMLP")


class LoudMLP(modeling_llama.LlamaMLP):
    def forward(self, x):
        return super().forward(x) * 2


def test_class_of_an_object_changed() -> None:
    live = llama()
    live.model.layers[1].mlp.__class__ = LoudMLP
    check(live, "self.mlp = LoudMLP(config)")


def through_its_class(self, x):
    return 2.0 * type(self).forward(self, x)


def through_its_class_attribute(self, x):
    return 2.0 * self.__class__.forward(self, x)


@pytest.mark.parametrize("patch", [through_its_class, through_its_class_attribute])
def test_a_patch_calls_the_original_through_the_class_of_the_object(patch: Callable[..., torch.Tensor]) -> None:
    live = llama()
    mlp = live.model.layers[0].mlp
    mlp.forward = types.MethodType(patch, mlp)
    check(live, "return 2.0 * self._original_forward(x)")


def test_the_same_on_a_module_of_torch() -> None:
    live = llama()
    linear = live.model.layers[0].mlp.up_proj
    linear.forward = types.MethodType(through_its_class, linear)
    check(live, "return 2.0 * super().forward(x)")


def above_its_class(self, x):
    return super(type(self), self).forward(x)


def test_a_patch_that_looks_above_the_class_of_the_object_is_refused() -> None:
    live = llama()
    mlp = live.model.layers[0].mlp
    mlp.forward = types.MethodType(above_its_class, mlp)
    with pytest.raises(
        archit.UnsupportedChange, match=r"LlamaMLP\.forward: the patch looks up super\(type\(self\), self\)"
    ):
        archit.compile_model(live, name="tiny_x", suffix="WithX")
