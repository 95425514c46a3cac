"""How people patch the `forward` of every layer: each way is one class, whose method says what they wrote."""

import functools
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from tests.small import check, llama

Patch = Callable[[nn.Module, int], None]
FACTOR = 0.75


def wrapper(fn, factor):
    def inner(*args, **kwargs):
        return fn(*args, **kwargs) * factor

    return inner


def noted_wrapper(fn, factor):
    @functools.wraps(fn)
    def inner(*args, **kwargs):
        return fn(*args, **kwargs) * factor

    return inner


def scaled(factor):
    def decorate(fn):
        @functools.wraps(fn)
        def inner(*args):
            return fn(*args) * factor

        return inner

    return decorate


def original_in_a_closure(mlp: Any, index: int) -> None:
    original = mlp.forward

    def forward(x):
        return original(x) * 0.25

    mlp.forward = forward


def original_as_a_default(mlp: Any, index: int) -> None:
    def forward(x, original=mlp.forward):
        return original(x) * 0.25

    mlp.forward = forward


def original_as_a_keyword(mlp: Any, index: int) -> None:
    def forward(x, *, original=mlp.forward):
        return original(x) * 0.25

    mlp.forward = forward


def the_module_itself(mlp: Any, index: int) -> None:
    def forward(x):
        return type(mlp).forward(mlp, x) + mlp.down_proj(mlp.up_proj(x))

    mlp.forward = forward


def parts_of_the_module(mlp: Any, index: int) -> None:
    weight, down, gate = mlp.up_proj.weight, mlp.down_proj, mlp.gate_proj.forward

    def forward(x):
        return down(x @ weight.T * gate(x))

    mlp.forward = forward


def a_method_of_the_class(mlp: Any, index: int) -> None:
    original = type(mlp).forward

    def forward(self, x):
        return original(
            self,
            x,
        ) + original(self, x=x)

    mlp.forward = forward.__get__(mlp)


def wrapped(mlp: Any, index: int) -> None:
    mlp.forward = wrapper(mlp.forward, 0.5)


def wrapped_and_noted(mlp: Any, index: int) -> None:
    mlp.forward = noted_wrapper(mlp.forward, 0.5)


def wrapped_twice(mlp: Any, index: int) -> None:
    mlp.forward = noted_wrapper(wrapper(mlp.forward, 0.5), 0.25)


def the_users_own_wrapped(mlp: Any, index: int) -> None:
    def mine(x):
        return mlp.down_proj(mlp.up_proj(x))

    mlp.forward = noted_wrapper(mine, 0.5)


def decorated(mlp: Any, index: int) -> None:
    original = mlp.forward

    @torch.no_grad()
    @scaled(FACTOR)
    def forward(x):
        return original(x) * 0.25

    mlp.forward = forward


def decorated_and_wrapped(mlp: Any, index: int) -> None:
    @scaled(0.25)
    def mine(self, x):
        return self.down_proj(self.up_proj(x))

    mlp.forward = types.MethodType(noted_wrapper(mine, 2.0), mlp)


def patched_over_a_patch(mlp: Any, index: int) -> None:
    def first(self, x):
        return self.down_proj(self.up_proj(x))

    mlp.forward = types.MethodType(first, mlp)
    original_in_a_closure(mlp, index)


def checkpointed(mlp: Any, index: int) -> None:
    original = mlp.forward

    def forward(*args):
        return checkpoint(original, *args, use_reentrant=False)

    mlp.forward = forward


def by_a_lambda(mlp: Any, index: int) -> None:
    mlp.forward = lambda x, original=mlp.forward: original(x) * 2


def calling_itself(mlp: Any, index: int) -> None:
    original = mlp.forward

    def forward(x, depth=0):
        return original(x) if depth > 1 else forward(x, depth + 1) * 0.5

    mlp.forward = forward


def reading_the_config(mlp: Any, index: int) -> None:
    config = mlp.config

    def forward(x):
        return mlp.down_proj(mlp.up_proj(x)) * config.hidden_size

    mlp.forward = forward


def values_in_strings(mlp: Any, index: int) -> None:
    name, bits = "up_proj", 3

    def forward(self, x):
        return self.down_proj(getattr(self, f"{name}")(x)) * bits.bit_length()

    mlp.forward = types.MethodType(forward, mlp)


def a_lambda_in_a_lambda(mlp: Any, index: int) -> None:
    mlp.forward = (lambda original: lambda x: original(x) * 2)(mlp.forward)


def with_a_name_that_is_taken(mlp: Any, index: int) -> None:
    mlp._original_forward = 5
    original_in_a_closure(mlp, index)


LAYERS: dict[Patch, list[str]] = {
    calling_itself: ["return self._original_forward(x) if depth > 1 else self.forward(x, depth + 1) * 0.5"],
    reading_the_config: ["return self.down_proj(self.up_proj(x)) * self.config.hidden_size"],
    values_in_strings: ['name = "up_proj"', 'getattr(self, f"{name}")(x)) * (3).bit_length()'],
    a_lambda_in_a_lambda: ["return self._original_forward(x) * 2"],
    with_a_name_that_is_taken: ["return self._original_forward_2(x) * 0.25"],
    original_in_a_closure: ["def forward(self, x):\n        return self._original_forward(x) * 0.25"],
    original_as_a_default: ["def forward(self, x):\n        return self._original_forward(x) * 0.25"],
    original_as_a_keyword: ["def forward(self, x):\n        return self._original_forward(x) * 0.25"],
    the_module_itself: ["return self._original_forward(x) + self.down_proj(self.up_proj(x))"],
    parts_of_the_module: ["return self.down_proj(x @ self.up_proj.weight.T * self.gate_proj.forward(x))"],
    a_method_of_the_class: ["+ self._original_forward(x=x)"],
    wrapped: ["def forward(self, *args, **kwargs):\n        return self._original_forward(*args, **kwargs) * 0.5"],
    wrapped_and_noted: ["@functools.wraps(_original_forward)\n    def forward(self, *args, **kwargs):"],
    wrapped_twice: [
        "def _earlier_forward(self, *args, **kwargs):\n        return self._original_forward(*args, **kwargs) * 0.5",
        "@functools.wraps(_earlier_forward)\n    def forward(self, *args, **kwargs):",
    ],
    the_users_own_wrapped: ["return self._earlier_forward(*args, **kwargs) * 0.5"],
    decorated: ["@torch.no_grad()\n    @scaled(FACTOR)\n    def forward(self, x):", "FACTOR = 0.75"],
    decorated_and_wrapped: ["return fn(*args, **kwargs) * 2.0", "@scaled(0.25)"],
    patched_over_a_patch: ["return self._earlier_forward(x) * 0.25"],
    checkpointed: ["return checkpoint(self._original_forward, *args, use_reentrant=False)"],
    by_a_lambda: ["def forward(self, x):\n        return self._original_forward(x) * 2"],
}


@pytest.mark.parametrize("patch", LAYERS, ids=lambda patch: patch.__name__)
def test_every_layer_patched_alike_is_one_class(patch: Patch) -> None:
    live = llama()
    for index, layer in enumerate(live.model.layers):
        patch(layer.mlp, index)
    text = check(live, *LAYERS[patch])
    assert text.count("class LlamaMLP") == 1
