"""Patches of the class, of what it inherits, and of layers that differ."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
import transformers
from transformers.models.llama import modeling_llama

import archit_codegen as archit
from tests.small import SHAPE, check, check_without_patch, compiled, llama, small
from tests.test_patch_idioms import Patch, noted_wrapper


def default_that_differs(mlp: Any, index: int) -> None:
    def forward(x, factor=0.5 + index):
        return mlp.down_proj(mlp.up_proj(x)) * factor

    mlp.forward = forward


def wrapper_that_differs(mlp: Any, index: int) -> None:
    mlp.forward = noted_wrapper(mlp.forward, 0.5 + index)


@pytest.mark.parametrize("patch", [default_that_differs, wrapper_that_differs])
def test_what_differs_by_layer_is_told_apart(patch: Patch) -> None:
    live = llama()
    for index, layer in enumerate(live.model.layers):
        patch(layer.mlp, index)
    text = check(live)
    assert [f"{0.5 + index}" in text for index in range(4)] == [True, True, True, False]


def test_it_is_told_apart_without_weights() -> None:
    live = llama().to("meta")
    for index, layer in enumerate(live.model.layers):
        default_that_differs(layer.mlp, index)
    text = archit.compile_model(live, name="tiny_x", suffix="X").files["tiny_x/modeling_tiny_x.py"]
    assert [f"factor={0.5 + index}" in text for index in range(4)] == [True, True, True, False]


def doubled(outputs: Any) -> Any:
    outputs.logits = outputs.logits * 2
    return outputs


def doubling(original):
    @functools.wraps(original)
    def forward(*args, **kwargs):
        return doubled(original(*args, **kwargs))

    return forward


def within_a_function(original):
    def forward(*args, **kwargs):
        def outputs():
            return original(*args, **kwargs)

        return doubled(outputs())

    return forward


@pytest.mark.parametrize(
    ("patch", "lines"),
    [
        (
            doubling,
            ["@functools.wraps(GenericForSequenceClassificationWithX.forward)", "super().forward(*args, **kwargs)"],
        ),
        (within_a_function, ["return super(__class__, self).forward(*args, **kwargs)"]),
    ],
)
def test_a_method_that_the_class_inherits(patch: Callable[..., Any], lines: list[str]) -> None:
    live = small(transformers.LlamaForSequenceClassification, transformers.LlamaConfig(**SHAPE, pad_token_id=0))
    live.forward = patch(live.forward)
    assert "_original_forward" not in check(live, *lines)


@pytest.mark.parametrize("noted", [True, False])
def test_methods_of_a_model_that_come_from_further_up(noted: bool) -> None:
    live = llama()
    generate, embeddings = live.generate, live.get_input_embeddings

    def shortly(*args, **kwargs):
        return generate(*args, **{**kwargs, "max_new_tokens": 1})

    live.generate = functools.wraps(generate)(shortly) if noted else shortly
    live.get_input_embeddings = lambda: embeddings()
    text = compiled(live).files["tiny_x/modeling_tiny_x.py"]
    assert 'return super().generate(*args, **{**kwargs, "max_new_tokens": 1})' in text
    assert "return super().get_input_embeddings()" in text


the_second: Any = None


def second_in_a_global(x):
    return the_second.down_proj(the_second.up_proj(x))


@pytest.mark.parametrize("first", [0, 1])
def test_a_global_that_is_the_module_of_one_of_two(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    live = llama().to("meta")
    monkeypatch.setitem(globals(), "the_second", live.model.layers[1].mlp)
    live.model.layers[first].mlp.forward = second_in_a_global
    live.model.layers[2].mlp.forward = second_in_a_global
    with pytest.raises(archit.UnsupportedChange, match="the_second is a module that is not in the patched one"):
        archit.compile_model(live, name="tiny_x", suffix="X")


def test_a_class_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    original = modeling_llama.LlamaMLP.forward
    monkeypatch.setattr(modeling_llama.LlamaMLP, "forward", noted_wrapper(original, 0.5))
    texts = ["def _original_forward(self, x):", "return self._original_forward(*args, **kwargs) * 0.5"]
    check_without_patch(llama(), monkeypatch, *texts)


def test_arguments_that_are_not_passed_on_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    original = modeling_llama.LlamaMLP.forward

    def forward(*args):
        return original(*args) * len(args)

    monkeypatch.setattr(modeling_llama.LlamaMLP, "forward", forward)
    check_without_patch(llama(), monkeypatch, "return type(args[0])._original_forward(*args) * len(args)")
