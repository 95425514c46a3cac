"""Patches that no class can have are refused, by name, even where nothing is computed."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch

import archit_codegen as archit
from archit_codegen import UnsupportedChange
from tests.small import llama
from tests.test_patch_idioms import scaled


class Trainer:
    def __init__(self, module: Any) -> None:
        self.module = module

    def forward(self, x):
        return self.module.up_proj(x)

    def patch(self, module: Any) -> None:
        def forward(x):
            return self.module.down_proj(module.up_proj(x))

        module.forward = forward


def counting(mlp: Any) -> None:
    count = 0

    def forward(x):
        nonlocal count
        count += 1
        return x * count

    mlp.forward = forward


def caching(mlp: Any) -> None:
    cache: dict[str, Any] = {}

    def forward(x):
        cache["x"] = x
        return x

    mlp.forward = forward


def of_another_layer(mlp: Any, other: list[Any]) -> None:
    original = other[0].forward

    def forward(x):
        return original(x)

    mlp.forward = forward


def holding_another_layer(mlp: Any, other: list[Any]) -> None:
    layer = other[0]

    def forward(x):
        return layer(x)

    mlp.forward = forward


def locally_decorated(mlp: Any) -> None:
    def local(fn):
        return fn

    @local
    def forward(x):
        return x

    mlp.forward = forward


def decorated_by_what_varies(mlp: Any) -> None:
    factor = 0.5

    @scaled(factor)
    def forward(x):
        return x

    mlp.forward = forward


def bound_again(mlp: Any) -> None:
    def forward(x):
        return sum(mlp.up_proj(x) for self in (1,))

    mlp.forward = forward


def decorated_with_the_module(mlp: Any) -> None:
    @scaled(mlp.up_proj.in_features)
    def forward(x):
        return x

    mlp.forward = forward


REFUSED: dict[Callable[[Any, list[Any]], Any], str] = {
    lambda mlp, others: counting(mlp): "the patch changes count",
    lambda mlp, others: caching(mlp): "the patch changes cache",
    of_another_layer: "original is a method of another module",
    holding_another_layer: "layer is a module that is not in the patched one",
    lambda mlp, others: locally_decorated(mlp): "outside of its body the patch uses local",
    lambda mlp, others: decorated_by_what_varies(mlp): "outside of its body the patch uses factor",
    lambda mlp, others: decorated_with_the_module(mlp): "outside of its body the patch uses mlp",
    lambda mlp, others: bound_again(mlp): "within it, self stands for something else",
    lambda mlp, others: Trainer(mlp).patch(mlp): "self is no argument of what was put there",
    lambda mlp, others: setattr(mlp, "forward", Trainer(mlp).forward): "a method of another object (Trainer.forward)",
    lambda mlp, others: setattr(mlp, "forward", torch.no_grad()(mlp.forward)): "wrapped by decorate_context of torch",
    lambda mlp, others: setattr(mlp, "forward", functools.partial(mlp.forward)): "patched by a partial",
}


@pytest.mark.parametrize("patch", REFUSED, ids=[reason.replace(" ", "_") for reason in REFUSED.values()])
def test_what_no_class_can_have_is_refused_by_name(patch: Callable[[Any, list[Any]], Any]) -> None:
    live = llama().to("meta")
    patch(live.model.layers[1].mlp, [live.model.layers[0].mlp])
    with pytest.raises(UnsupportedChange) as error:
        archit.compile_model(live, name="tiny_x", suffix="X")
    assert REFUSED[patch] in str(error.value)


def test_a_special_method_set_on_an_object_is_refused() -> None:
    live = llama().to("meta")
    live.model.layers[0].mlp.__call__ = lambda x: x * 0
    with pytest.raises(UnsupportedChange, match=r"mlp\.__call__: .* it is never called"):
        archit.compile_model(live, name="tiny_x", suffix="X")


@pytest.mark.parametrize("register", ["register_hook", "register_post_accumulate_grad_hook"])
def test_a_hook_on_a_parameter_is_refused(register: str) -> None:
    live = llama()
    getattr(live.lm_head.weight, register)(lambda gradient: None)
    with pytest.raises(UnsupportedChange, match=r"lm_head\.weight: it has a hook"):
        archit.compile_model(live, name="tiny_x", suffix="X")


def test_a_lazy_module_that_did_not_run_is_refused() -> None:
    live = llama()
    live.model.layers[0].mlp.extra = torch.nn.LazyLinear(3)
    with pytest.raises(UnsupportedChange, match=r"mlp\.extra\.weight: it has no shape yet"):
        archit.compile_model(live, name="tiny_x", suffix="X")
