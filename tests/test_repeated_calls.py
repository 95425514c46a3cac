"""One plan for modules that were replaced alike, in each of many layers: it says what each plan would have said."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers as tf
from torch import nn

from archit_codegen.declaration.repeating import Repeats
from tests.small import TEXT
from tests.test_repeating import emitted


class Part(nn.Module):
    def __init__(self, size: int = 4, scale: int = 1) -> None:
        super().__init__()
        self.size, self.scale = size, scale
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) * self.scale


class Another(Part):
    pass


class Norm(nn.Module):
    def __init__(self, size: int, attention_dropout: float) -> None:
        super().__init__()
        self.size, self.attention_dropout = size, attention_dropout
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight


class Layer(nn.Module):
    def __init__(self, index: int) -> None:
        super().__init__()
        self.first = Part(4 + index % 2)
        self.second = Part(4)
        self.third = Part(4)
        self.both = nn.ModuleList([Part(4) for _ in range(2)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.both[0](self.both[1](self.third(self.second(self.first(x)))))


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Layer(index) for index in range(4)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def alike(index: int, layer: Any) -> None:
    layer.second = nn.Linear(4, 4, bias=False)


def other_arguments(index: int, layer: Any) -> None:
    layer.second = Part(4, 2 + index % 2)


def other_classes(index: int, layer: Any) -> None:
    layer.second = (Part if index % 2 else Another)(4, 2)


def other_slots(index: int, layer: Any) -> None:
    if index % 2:
        layer.second = Another(4)
    else:
        layer.third = Another(4)


def in_all_of_a_list(index: int, layer: Any) -> None:
    layer.both = nn.ModuleList([Another(4), Another(4 + index // 2)])


def of_other_calls(index: int, layer: Any) -> None:
    """The same call for each, in the place of one that has the argument already, and of one that has not."""
    layer.first = Another(5)


def changed_further(index: int, layer: Any) -> None:
    layer.second = Another(4)
    layer.second.scale = 3 + index


def holding(index: int, layer: Any) -> None:
    layer.second = nn.Sequential(layer.second, (nn.ReLU, nn.GELU)[index % 2]())


SURGERIES = [
    *(alike, other_arguments, other_classes, other_slots),
    *(in_all_of_a_list, of_other_calls, changed_further, holding),
]


def by_itself(live: nn.Module, patch: pytest.MonkeyPatch) -> dict[str, str]:
    with patch.context() as alone:
        alone.setattr(Repeats, "find", lambda self, delta, likeness: None)
        return emitted(live)


@pytest.mark.parametrize("surgery", SURGERIES)
def test_every_layer_becomes_what_it_would_by_itself(
    surgery: Callable[[int, Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Model()
    for index, layer in enumerate(live.layers):
        surgery(index, layer)
    assert emitted(live) == by_itself(live, monkeypatch)


def test_owners_with_other_names_say_it_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both towers have layers of one class: in one of them the value is a field of its config."""
    shape = {**TEXT, "projection_dim": 8}
    seeing = {**shape, "attention_dropout": 0.25, "image_size": 8, "patch_size": 4}
    live: Any = tf.CLIPModel(tf.CLIPConfig(text_config=shape, vision_config=seeing, projection_dim=8))
    for tower in (live.text_model, live.vision_model):
        for layer in tower.encoder.layers:
            layer.layer_norm1 = Norm(TEXT["hidden_size"], 0.25)
    found = emitted(live)
    assert found == by_itself(live, monkeypatch)
    text = "".join(found.values())
    assert "config.attention_dropout)" in text and "0.25)" in text


def test_layers_with_the_same_call_are_planned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    live, found = Model(), []
    for index, layer in enumerate(live.layers):
        alike(index, layer)
    find = Repeats.find
    monkeypatch.setattr(Repeats, "find", lambda *given: found.append(find(*given)) or found[-1])
    emitted(live)
    assert [known is not None for known in found] == [False, True, True, True]
