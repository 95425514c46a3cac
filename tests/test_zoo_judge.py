"""The judge of the zoo passes a faithful copy on meta, and finds each planted difference."""

import copy
import types
from collections.abc import Callable

import pytest
import torch
import transformers
from torch import nn

from tests.test_judge import package_of
from tests.zoo import user
from tests.zoo.discovery import build
from tests.zoo.structure import MetaJudgement, Snapshot, constructing

Change = Callable[[nn.Module], object]


def judge(live: nn.Module, change: Change) -> None:
    MetaJudgement(live, package_of(live, change), Snapshot(live)).judge()


def layer(model: nn.Module) -> nn.Module:
    return model.roberta.encoder.layer[1]


def untie(model: nn.Module) -> None:
    decoder = model.lm_head.decoder
    decoder.weight = nn.Parameter(torch.empty_like(decoder.weight))
    model.config.tie_word_embeddings = False


def patch(module: nn.Module) -> None:
    module.forward = types.MethodType(user.quiet_forward, module)


PLANTED: dict[str, tuple[Change, str]] = {
    "eps": (lambda m: setattr(layer(m).output.LayerNorm, "eps", 1e-3), "eps"),
    "dropped": (lambda m: m.roberta.encoder.layer.pop(1), "modules: missing"),
    "appended": (lambda m: m.roberta.encoder.layer.append(copy.deepcopy(layer(m))), "modules: missing"),
    "untied": (untie, "shared with"),
    "shared": (lambda m: m.roberta.encoder.layer.__setitem__(2, layer(m)), "is the module at"),
    "frozen": (lambda m: layer(m).output.dense.weight.requires_grad_(False), "requires_grad"),
    "dtype": (lambda m: layer(m).output.dense.double(), "float64"),
    "class": (lambda m: setattr(layer(m).output, "dense", user.LowRank(8, 8)), "modules"),
    "attribute": (lambda m: setattr(layer(m).attention.self, "scaling", 0.75), "scaling"),
    "buffer": (lambda m: layer(m).register_buffer("seen", torch.empty(2)), "buffers"),
    "method of a submodule": (lambda m: patch(layer(m).output), "method forward"),
    "method of the root": (patch, "method forward"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_difference_is_found(planted: str) -> None:
    change, message = PLANTED[planted]
    with pytest.raises(AssertionError, match=message):
        judge(build(transformers.RobertaForMaskedLM), change)


@pytest.mark.parametrize("planted", ["method of a submodule", "method of the root"])
def test_a_patch_that_the_package_lacks_is_found(planted: str) -> None:
    live = build(transformers.RobertaForMaskedLM)
    PLANTED[planted][0](live)
    with pytest.raises(AssertionError, match="method forward"):
        judge(live, lambda model: None)


@pytest.mark.parametrize("name", ["RobertaForMaskedLM", "CLIPModel", "T5ForConditionalGeneration", "MixtralModel"])
def test_a_faithful_copy_passes(name: str) -> None:
    judge(build(getattr(transformers, name)), lambda model: None)


class Built(nn.Module):
    """What builds it, and what computes with it."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.scale = 1.0, 2.0
        self._build(3)
        self.build_more()

    def _build(self, depth: int) -> None:
        self.layers = nn.ModuleList([self._layer() for _ in range(depth)])
        self._reset()

    def _layer(self) -> nn.Module:
        return nn.Linear(2, 2)

    def _reset(self) -> None:
        self.scale = 1.0

    def build_more(self) -> None:
        self.head = nn.Linear(2, 2)

    def _compute(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers[0](x) * self.scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self._reset()
        return self._compute(x)


def test_only_what_builds_and_does_nothing_else_is_left_to_the_tree() -> None:
    assert constructing(Built) == {"_build", "_layer"}
