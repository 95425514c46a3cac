"""The judge passes a faithful copy of every family, and finds each planted difference."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from transformers.models.roberta.modeling_roberta import RobertaPreTrainedModel

from tests.judge import judge
from tests.models import BUILDERS, build, inputs_for

Change = Callable[[nn.Module], Any]


def package_of(live: nn.Module, change: Change = lambda model: None, suffix: str = "WithCopy") -> Any:
    """What a compiler would hand over, made by hand: a renamed subclass of the live model's class."""
    declared = type(live)
    config_class = type(
        f"{declared.config_class.__name__}{suffix}", (declared.config_class,), {"model_type": "handmade"}
    )

    def construct(self: nn.Module, config: Any) -> None:
        declared.__init__(self, config)
        change(self)

    body = {"__init__": construct, "__module__": __name__, "config_class": config_class, "config": None}
    body["__annotations__"] = {"config": config_class}
    root = type(declared.__name__ + suffix, (declared,), body)
    module = SimpleNamespace(__name__=__name__, **{root.__name__: root})
    return SimpleNamespace(root_class=root.__name__, heads={}, load=lambda: module)


@pytest.mark.parametrize("family", BUILDERS)
def test_a_faithful_copy_passes(family: str) -> None:
    live = build(family)
    judge(live, package_of(live), inputs_for(live))


def layer(model: nn.Module) -> Any:
    return model.roberta.encoder.layer[1]


def untie(model: nn.Module) -> None:
    decoder = model.lm_head.decoder
    decoder.weight = nn.Parameter(decoder.weight.detach().clone())
    model.config.tie_word_embeddings = False


def share_two_layers(model: nn.Module) -> None:
    model.roberta.encoder.layer[2] = model.roberta.encoder.layer[1]


class Dropout(nn.Dropout):
    """A class of the same name is not the same class."""

    __module__ = "elsewhere"


PLANTED: dict[str, tuple[Change, str]] = {
    "eps": (lambda m: setattr(layer(m).output.LayerNorm, "eps", 1e-3), "eps"),
    "eps of a norm without extra_repr": (lambda m: setattr(layer(m), "chunk_size_feed_forward", 1), "chunk_size"),
    "layer dropped": (lambda m: m.roberta.encoder.layer.pop(1), "modules: missing"),
    "layer appended": (lambda m: m.roberta.encoder.layer.append(nn.Identity()), "modules: missing"),
    "child removed": (lambda m: setattr(layer(m), "intermediate", None), "modules"),
    "untied": (untie, "shared with|another value"),
    "tied": (lambda m: setattr(layer(m).output.dense, "bias", layer(m).attention.output.dense.bias), "the one|shared"),
    "modules shared": (share_two_layers, "is the module at"),
    "non-persistent buffer": (lambda m: m.roberta.embeddings.position_ids.add_(1), "non-persistent buffer"),
    "persistence": (
        lambda m: m.roberta.embeddings.register_buffer("position_ids", m.roberta.embeddings.position_ids),
        "persistence|buffers",
    ),
    "frozen": (lambda m: layer(m).output.dense.weight.requires_grad_(False), "requires_grad"),
    "dtype": (lambda m: layer(m).output.dense.double(), "float64"),
    "class": (lambda m: setattr(layer(m).intermediate, "intermediate_act_fn", nn.GELU()), "became torch.nn"),
    "class of the same name": (lambda m: setattr(layer(m).output, "dropout", Dropout(0.1)), "became elsewhere"),
    "shape": (lambda m: setattr(layer(m).intermediate, "dense", nn.Linear(16, 30)), "became"),
    "bias": (lambda m: layer(m).output.dense.register_parameter("bias", None), "became None"),
    "extra parameter": (lambda m: layer(m).register_parameter("gain", nn.Parameter(torch.ones(1))), "extra"),
    "attribute": (lambda m: setattr(layer(m).attention.self, "scaling", 0.75), "scaling"),
    "extra attribute": (lambda m: setattr(layer(m), "note", 3), "attributes"),
    "method": (lambda m: setattr(layer(m).output, "forward", lambda h, residual: residual + 0 * h.sum()), "differs"),
    "order": (lambda m: m._modules.update(roberta=m._modules.pop("roberta")), "another order"),
    "hidden state lost": (
        lambda m: setattr(m.roberta, "_output_capturing_hooks_installed", True), "outputs|hidden_states"
    ),
}  # fmt: skip


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_difference_is_found(planted: str) -> None:
    change, message = PLANTED[planted]
    live = build("roberta")
    with pytest.raises(AssertionError, match=message):
        judge(live, package_of(live, change), inputs_for(live))


def test_a_planted_difference_after_loading_is_found() -> None:
    live = build("roberta")
    package = package_of(live)
    root = getattr(package.load(), package.root_class)
    root._keys_to_ignore_on_save = ["roberta.embeddings.LayerNorm.bias"]
    with pytest.raises(AssertionError, match="missing_keys"):
        judge(live, package, inputs_for(live))


def test_a_buffer_that_loading_leaves_unfilled_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens where `_init_weights` names a class that is no longer used."""
    live = build("roberta")
    monkeypatch.setattr(RobertaPreTrainedModel, "_init_weights", lambda self, module: None)
    with pytest.raises(AssertionError, match=r"loaded again: roberta.embeddings: value of the non-persistent buffer"):
        judge(live, package_of(live), inputs_for(live))


def test_the_judge_leaves_the_live_model_as_it_was() -> None:
    live = build("t5")
    before = {name: tensor.clone() for name, tensor in live.state_dict().items()}
    judge(live, package_of(live), inputs_for(live))
    assert live.config._attn_implementation == "sdpa"
    assert all(torch.equal(before[name], tensor) for name, tensor in live.state_dict().items())
