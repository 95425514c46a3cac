"""One plan for paths that are alike, in each of many layers: it says what a plan of each would have said."""

from typing import Any

import pytest
import torch
import transformers as tf
from torch import nn

from archit_codegen.declaration.compiler import opened
from archit_codegen.declaration.emission import Emitter
from archit_codegen.declaration.options import options_of
from archit_codegen.declaration.repeating import Repeats
from archit_codegen.declaration.values import class_ref
from archit_codegen.declaration.workbench import Workbench
from tests.small import TEXT, small


class Part(nn.Module):
    def __init__(self, size: int = 4) -> None:
        super().__init__()
        self.linear = nn.Linear(size, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


class Other(Part):
    pass


class Another(Part):
    pass


class Layer(nn.Module):
    def __init__(self, index: int, given: nn.Module) -> None:
        super().__init__()
        self.index = index

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.part(x)


class Plain(Layer):
    def __init__(self, index: int, given: nn.Module) -> None:
        super().__init__(index, given)
        self.part = Part(4)


class TwoSites(Layer):
    def __init__(self, index: int, given: nn.Module) -> None:
        super().__init__(index, given)
        if index < 2:
            self.part = Part(4)
        else:
            self.part = Part(size=4)


class Counted(Layer):
    """The same classes in each layer, which the site builds in other iterations."""

    def __init__(self, index: int, given: nn.Module) -> None:
        super().__init__(index, given)
        self.part = nn.Sequential()
        for place in range(3):
            if place != index % 2:
                self.part.append((Other if place > 1 else Part)(4))


class Beside(Layer):
    """What the class constructs besides, at one place, is of another class."""

    def __init__(self, index: int, given: nn.Module) -> None:
        super().__init__(index, given)
        self.part = Part(4)
        self.beside = (Other if index % 2 else Another)(4)


def made(size: int) -> nn.Module:
    return Part(size)


class Helped(Layer):
    """A statement, since the call at the site is not that of the class: with arguments that are others in each."""

    def __init__(self, index: int, given: nn.Module) -> None:
        super().__init__(index, given)
        self.part = made(4 + index % 2)


class Below(Layer):
    def __init__(self, index: int, given: nn.Module) -> None:
        super().__init__(index, given)
        self.part = Helped(index, given)


class HandedOn(Layer):
    def __init__(self, index: int, given: nn.Module) -> None:
        super().__init__(index, given)
        self.part = given if index != 1 else Part(4)


class Twice(Layer):
    def __init__(self, index: int, given: nn.Module) -> None:
        super().__init__(index, given)
        self.part = Part(4)
        self.again = self.part if index != 1 else Part(4)


LAYERS = [Plain, TwoSites, Counted, Beside, Helped, Below, HandedOn, Twice]


class Model(nn.Module):
    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer
        self.first = nn.Identity()
        self.layers = nn.ModuleList([layer(index, Part(4)) for index in range(4)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(self.first(x))
        return x


def deepseek() -> Any:
    shape = {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 2, "topk_group": 1}
    heads = {"q_lora_rank": 6, "kv_lora_rank": 6, "qk_nope_head_dim": 4, "qk_rope_head_dim": 4, "v_head_dim": 4}
    wanted = {**TEXT, **shape, **heads, "num_key_value_heads": 2, "num_hidden_layers": 6, "first_k_dense_replace": 2}
    wanted["moe_intermediate_size"] = 6
    return small(tf.DeepseekV3ForCausalLM, tf.DeepseekV3Config(**wanted))


def emitted(live: nn.Module, *declared_anew: type) -> dict[str, str]:
    bench, delta = opened(live.eval(), None)
    options = options_of("tiny", "X", "copy", "changed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workbench, "built_by_config", frozenset(map(class_ref, declared_anew)))
        return dict(Emitter(bench, delta, options, None).emit().files)


def surgeries(live: Any) -> Any:
    layers = live.model.layers
    live.model.embed_tokens = nn.Embedding(*live.model.embed_tokens.weight.shape, max_norm=2.0)
    yield
    layers[4].mlp.shared_experts.act_fn = nn.ReLU()
    yield
    live.model.layers = nn.ModuleList([layers[index] for index in (0, 3, 2, 5)])


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_becomes_what_it_would_by_itself(layer: type, monkeypatch: pytest.MonkeyPatch) -> None:
    live = Model(layer)
    live.first = nn.ReLU()
    found = emitted(live, Part)
    monkeypatch.setattr(Repeats, "find", lambda self, delta, likeness: None)
    assert found == emitted(live, Part)


def test_the_layers_of_a_mixture_become_what_they_would_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    live = deepseek()
    for _ in surgeries(live):
        found = emitted(live)
        with monkeypatch.context() as patch:
            patch.setattr(Repeats, "find", lambda self, delta, likeness: None)
            assert found == emitted(live)


def test_layers_that_are_alike_are_planned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    live, found = Model(Plain), []
    live.first = nn.ReLU()
    find = Repeats.find
    monkeypatch.setattr(Repeats, "find", lambda *given: found.append(find(*given)) or found[-1])
    emitted(live, Part)
    # The first layer, its part, and then the three others.
    assert [known is not None for known in found] == [False, False, True, True, True]
