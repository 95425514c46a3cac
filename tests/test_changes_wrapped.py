"""What was changed on a module that a wrapper holds now, before it was wrapped or after."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import archit_codegen as archit
from tests.small import bert, check, compiled, llama, refusal, said


class Scale(nn.Module):
    """Multiplies what the wrapped module returns by learnt weights."""

    def __init__(self, inner: nn.Module, size: int) -> None:
        super().__init__()
        self.inner = inner
        self.weight = nn.Parameter(torch.full((size,), 0.5))

    def forward(self, *args, **kwargs):
        out = self.inner(*args, **kwargs)
        return (out[0] * self.weight, *out[1:]) if isinstance(out, tuple) else out * self.weight


def wrap(owner: nn.Module, slot: str, live: nn.Module) -> None:
    owner._modules[slot] = Scale(owner._modules[slot], live.config.hidden_size)


def inner_first(live: nn.Module, layer: int) -> None:
    wrap(live.model.layers[layer], "self_attn", live)
    wrap(live.model.layers, str(layer), live)


def outer_first(live: nn.Module, layer: int) -> None:
    wrap(live.model.layers, str(layer), live)
    wrap(live.model.layers[layer].inner, "self_attn", live)


def twice(live: nn.Module, layer: int) -> None:
    wrap(live.model.layers[layer], "self_attn", live)
    wrap(live.model.layers, str(layer), live)
    wrap(live.model.layers, str(layer), live)


INNER = "self.self_attn = Scale(LlamaAttention(config=config, layer_idx=layer_idx), config.hidden_size)"
WRAPPED = "Scale(LlamaDecoderLayerWithX(config, layer_idx), config.hidden_size)"
ALL = f"[{WRAPPED} for layer_idx in range(config.num_hidden_layers)]"


@pytest.mark.parametrize("change", [inner_first, outer_first])
def test_a_wrapper_in_every_wrapped_layer(change: Callable[[nn.Module, int], None]) -> None:
    with archit.record():
        live = llama()
        for layer in range(3):
            change(live, layer)
    check(live, INNER, ALL)


def test_a_wrapper_in_a_layer_that_is_wrapped_twice() -> None:
    with archit.record():
        live = llama()
        twice(live, 1)
    check(live, INNER, f"Scale({WRAPPED}, config.hidden_size) if layer_idx == 1 else LlamaDecoderLayer(config")


def test_one_of_the_wrapped_layers_is_dropped() -> None:
    """What a wrapper holds says which of the layers it is, whatever is wrapped in there."""
    with archit.record():
        live = llama()
        for layer in range(3):
            inner_first(live, layer)
        del live.model.layers[1]
    check(live, INNER, f"[{WRAPPED} for layer_idx in range(config.num_hidden_layers) if layer_idx != 1]")


def test_a_copy_of_a_wrapped_layer() -> None:
    """The copy's call was given the module that the first one holds: it is the copy of that which counts."""
    with archit.record():
        live = llama()
        inner_first(live, 1)
        live.model.layers.append(copy.deepcopy(live.model.layers[1]))
    chosen = f"{WRAPPED} if layer_idx == 1 else LlamaDecoderLayer(config, layer_idx)"
    check(live, INNER, chosen, "for layer_idx in (0, 1, 2, 1)", saved=False)


def test_changed_and_dropped() -> None:
    """The layer that is not built needs no other form than those that are."""
    live = bert()
    for layer in live.bert.encoder.layer:
        layer.intermediate.dense = nn.Linear(8, 12, bias=False)
    del live.bert.encoder.layer[1]
    check(live, "[BertLayerWithX(config, layer_idx=i) for i in range(config.num_hidden_layers) if i != 1]")


def test_a_base_model_in_a_wrapper() -> None:
    live = llama()
    live.model.layers[1].mlp.act_fn = nn.Tanh()
    with archit.record():
        wrap(live, "model", live)
    said(compiled(live).files, "self.model = Scale(LlamaModelWithX(config), config.hidden_size)")


def test_a_declared_checkpoint_is_read_into_nested_wrappers(tmp_path: Path) -> None:
    declared = llama()
    declared.save_pretrained(tmp_path)
    with archit.record():
        live = llama()
        inner_first(live, 1)
    package = compiled(live)
    root = getattr(package.load(), package.root_class)
    loaded, report = root.from_pretrained(tmp_path, output_loading_info=True)
    start = "model.layers.1"
    assert report["missing_keys"] == {f"{start}.weight", f"{start}.inner.self_attn.weight"}
    here = loaded.state_dict()
    for name, weight in declared.state_dict().items():
        moved = name.replace(f"{start}.", f"{start}.inner.").replace("1.inner.self_attn.", "1.inner.self_attn.inner.")
        assert torch.equal(here[moved], weight), moved


def test_what_is_not_kept_of_a_wrapper_is_named() -> None:
    live = llama()
    wrap(live.model.layers, "1", live)
    refusal(live, "model.layers.1", "cannot tell how Scale was constructed (size)")


def test_what_a_wrapper_was_given_is_another_module_now() -> None:
    live = llama()
    with archit.record():
        live.model.norm = Scale(live.model.norm, live.config.hidden_size)
    live.model.norm.inner = nn.Identity()
    check(live, "self.norm = Scale(nn.Identity(), config.hidden_size)")
