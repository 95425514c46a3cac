"""Functions of the user's that a call wrapped: a copy is what the name holds, not what was wrapped."""

import functools
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import archit_codegen as archit
from archit_codegen import UnsupportedChange
from tests import user_modules
from tests.small import check, llama


def double(x):
    return x * 2


def noted(function, factor):
    @functools.wraps(function)
    def inner(*args):
        return function(*args) * factor

    return inner


scaled = noted(double, 5)
silent = torch.no_grad()(double)


class Scaled(nn.Module):
    def forward(self, x):
        return scaled(x)


class Silent(nn.Module):
    def forward(self, x):
        return silent(x)


def in_a_class(mlp: Any) -> None:
    mlp.act_fn = Scaled()


def in_a_patch(mlp: Any) -> None:
    mlp.forward = types.MethodType(lambda self, x: scaled(self.down_proj(self.up_proj(x))), mlp)


def in_a_default(mlp: Any) -> None:
    def forward(self, x, act=scaled):
        return act(self.down_proj(self.up_proj(x)))

    mlp.forward = types.MethodType(forward, mlp)


def in_a_closure(mlp: Any) -> None:
    act = noted(double, 3)
    mlp.forward = types.MethodType(lambda self, x: act(self.down_proj(self.up_proj(x))), mlp)


def wrapped_twice(mlp: Any) -> None:
    mlp.forward = types.MethodType(noted(noted(narrow, 5), 2), mlp)


def narrow(self, x):
    return self.down_proj(self.up_proj(x))


@pytest.mark.parametrize("change", [in_a_class, in_a_patch, in_a_default, in_a_closure, wrapped_twice])
def test_a_wrapper_is_copied_with_what_it_wraps(change: Callable[[Any], None]) -> None:
    live = llama()
    change(live.model.layers[1].mlp)
    check(live, "return narrow(*args) * factor" if change is wrapped_twice else "return double(*args) * factor")


def test_a_wrapper_of_a_library_is_refused() -> None:
    live = llama().to("meta")
    live.model.layers[1].mlp.act_fn = Silent()
    with pytest.raises(UnsupportedChange, match="cannot be imported"):
        archit.compile_model(live, name="tiny_x", suffix="X")


class Applied(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_a_wrapper_that_is_held_as_a_value_is_refused() -> None:
    live = llama().to("meta")
    live.model.layers[1].mlp.act_fn = Applied(scaled)
    with pytest.raises(UnsupportedChange, match="it is held as a value, and closes over"):
        archit.compile_model(live, name="tiny_x", suffix="X")


def through_a_module(self, x):
    return user_modules.FACTOR * user_modules.tripled(self.down_proj(self.up_proj(x)))


def test_a_patch_names_a_module_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_modules, "FACTOR", 6)
    live = llama()
    live.model.layers[1].mlp.forward = types.MethodType(through_a_module, live.model.layers[1].mlp)
    check(live, "return FACTOR * tripled(self.down_proj(self.up_proj(x)))", "FACTOR = 6", "return 3 * x")
