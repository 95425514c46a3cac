"""What this process put in the place of what files of libraries declare: emitted, or refused by name."""

import functools
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from torch import nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear
from transformers.models.llama import modeling_llama

import archit_codegen as archit
from archit_codegen.declaration.topnames import still_means
from tests.small import check_without_patch, llama

LIBRARY = """import torch
from torch import nn


class FusedRMSNorm(nn.Module):
    def __init__(self, size, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return self.weight * torch.tanh(x)


def rotary(q, k, cos, sin, unsqueeze_dim=1):
    return q * cos.unsqueeze(unsqueeze_dim), k * cos.unsqueeze(unsqueeze_dim)
"""


@pytest.fixture
def fused(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A library of kernels that counts as installed."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "fused_kernels.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(folder)
    yield __import__("fused_kernels")
    sys.modules.pop("fused_kernels", None)


def text_without_weights(live: Any) -> str:
    live.to("meta").model.layers[2].mlp.act_fn = nn.Tanh()
    return archit.compile_model(live, name="tiny_x", suffix="WithX").files["tiny_x/modeling_tiny_x.py"]


def refused(patch: Callable[[], object], path: str, *says: str, live: Any = None) -> None:
    patch()
    with pytest.raises(archit.UnsupportedChange) as caught:
        text_without_weights(llama() if live is None else live)
    assert caught.value.path == path, caught.value
    for text in says:
        assert text in str(caught.value)


def test_class_of_a_library_in_the_place_of_a_class(fused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modeling_llama, "LlamaRMSNorm", fused.FusedRMSNorm)
    check_without_patch(llama(), monkeypatch, "from fused_kernels import FusedRMSNorm as LlamaRMSNorm")


def test_class_of_torch_in_the_place_of_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modeling_llama, "LlamaRMSNorm", nn.LayerNorm)
    assert "import LayerNorm as LlamaRMSNorm" in text_without_weights(llama())


def test_class_in_the_place_of_an_imported_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modeling_llama, "DynamicCache", transformers.StaticCache)
    assert "import StaticCache as DynamicCache" in text_without_weights(llama())


def test_function_of_a_library_in_the_place_of_a_function(fused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modeling_llama, "apply_rotary_pos_emb", fused.rotary)
    check_without_patch(llama(), monkeypatch, "from fused_kernels import rotary as apply_rotary_pos_emb")


def test_function_in_the_place_of_an_imported_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modeling_llama, "create_causal_mask", transformers.masking_utils.create_bidirectional_mask)
    assert "import create_bidirectional_mask as create_causal_mask" in text_without_weights(llama())


def test_function_in_the_place_of_another_of_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modeling_llama, "apply_rotary_pos_emb", modeling_llama.rotate_half)
    assert "rotate_half as apply_rotary_pos_emb," in text_without_weights(llama())


def mask_of_the_user(*args, **kwargs):
    return None


def test_name_whose_home_was_patched_before_the_file_was_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (transformers.masking_utils, modeling_llama):
        monkeypatch.setattr(module, "create_causal_mask", transformers.masking_utils.create_bidirectional_mask)
    assert "import create_bidirectional_mask as create_causal_mask" in text_without_weights(llama())


def test_name_whose_home_was_patched_since(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformers.masking_utils, "create_causal_mask", mask_of_the_user)
    text = text_without_weights(llama())
    assert "causal_mask = create_causal_mask(" in text
    assert "mask_of_the_user" not in text


class OwnLinear(nn.Linear):
    pass


def own_attention(query, key, value, **_):
    return value


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (torch.nn, "Linear", OwnLinear),
        (torch.nn, "Linear", NonDynamicallyQuantizableLinear),
        (torch, "rsqrt", functools.partial(torch.mul, other=2)),
        (torch.nn.functional, "scaled_dot_product_attention", own_attention),
    ],
)
def test_name_of_torch(module: Any, name: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    live = llama()  # built with torch's own
    path = f"{module.__name__}.{name}"
    refused(lambda: monkeypatch.setattr(module, name, value), path, "patched in this process", live=live)


def test_function_of_the_attention_of_the_config(monkeypatch: pytest.MonkeyPatch) -> None:
    home = sys.modules["transformers.integrations.sdpa_attention"]
    path = "ALL_ATTENTION_FUNCTIONS"
    refused(lambda: monkeypatch.setattr(home, "repeat_kv", mask_of_the_user), path, "'sdpa'", "repeat_kv")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("apply_rotary_pos_emb", functools.partial(modeling_llama.apply_rotary_pos_emb, unsqueeze_dim=1)),
        ("ALL_ATTENTION_FUNCTIONS", dict(modeling_llama.ALL_ATTENTION_FUNCTIONS)),
        ("ACT2FN", {"silu": nn.Tanh()}),
        ("apply_rotary_pos_emb", llama().forward),
        ("create_causal_mask", types.SimpleNamespace(__call__=mask_of_the_user)),
    ],
)
def test_object_in_the_place_of_a_definition(name: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{modeling_llama.__name__}.{name}"
    says = f"put another object in its place, a {type(value).__name__}"
    refused(lambda: monkeypatch.setattr(modeling_llama, name, value), path, says, live=llama())


def twice(self, x, k=1):
    return self.down_proj(self.up_proj(x)) * k


@functools.singledispatchmethod
def dispatched(self, x):
    return self.down_proj(self.up_proj(x))


class Descriptor:
    def __get__(self, instance: Any, owner: type) -> Any:
        return lambda x: x * 2


class Callee:
    def __call__(self, x: Any) -> Any:
        return x * 2


@pytest.mark.parametrize("value", [functools.partialmethod(twice, k=2), dispatched, Descriptor(), Callee()])
def test_object_in_the_place_of_a_method(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    says = f"a {type(value).__name__} of the class was patched in this process"
    refused(lambda: monkeypatch.setattr(modeling_llama.LlamaMLP, "forward", value), "LlamaMLP.forward", says)


def test_object_of_a_library_in_the_place_of_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    live, value = llama(), functools.partialmethod(nn.Linear.forward)
    patch = functools.partial(monkeypatch.setattr, modeling_llama.LlamaMLP, "forward", value)
    refused(patch, "LlamaMLP.forward", "not what its statement says", live=live)


def test_attribute_of_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    text_without_weights(llama())  # what was found out is kept
    patch = functools.partial(monkeypatch.setattr, modeling_llama.LlamaMLP, "k", 5, raising=False)
    refused(patch, "LlamaMLP.k", "its statement does not bind it")


def tagged(cls, *args):
    return "tagged"


def test_class_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformers.LlamaForCausalLM, "can_generate", classmethod(tagged))
    assert "    @classmethod\n    def can_generate(cls, *args):" in text_without_weights(llama())


def test_class_method_that_calls_the_declared_one(monkeypatch: pytest.MonkeyPatch) -> None:
    original = modeling_llama.LlamaRotaryEmbedding.compute_default_rope_parameters

    def rope(*args, **kwargs):
        return original(*args, **kwargs)

    path = "LlamaRotaryEmbedding.compute_default_rope_parameters"
    refused(lambda: monkeypatch.setattr(*place_of(path), staticmethod(rope)), path, "calls the declared one")


def place_of(path: str) -> tuple[type, str]:
    cls, _, name = path.partition(".")
    return getattr(modeling_llama, cls), name


def test_static_method(monkeypatch: pytest.MonkeyPatch) -> None:
    value = staticmethod(lambda config, device=None, **_: (torch.ones(2), 1.0))
    monkeypatch.setattr(*place_of("LlamaRotaryEmbedding.compute_default_rope_parameters"), value)
    lines = "@staticmethod\n    def compute_default_rope_parameters(config, device=None, **_):"
    check_without_patch(llama(), monkeypatch, lines)


def through_an_alias(self, x):
    return self.old_forward(x) * 2


def test_alias_of_the_declared_method(monkeypatch: pytest.MonkeyPatch) -> None:
    mlp = modeling_llama.LlamaMLP
    monkeypatch.setattr(mlp, "old_forward", mlp.forward, raising=False)
    monkeypatch.setattr(mlp, "forward", through_an_alias)
    lines = [
        "def old_forward(self, x):\n        down_proj =",
        "def forward(self, x):\n        return self.old_forward(x)",
    ]
    check_without_patch(llama(), monkeypatch, *lines)


def quiet_update(self, keys, values, *args, **kwargs):
    return keys, values


def test_method_of_a_class_that_is_no_module(monkeypatch: pytest.MonkeyPatch) -> None:
    path = "transformers.cache_utils.DynamicCache.update"
    patch = functools.partial(monkeypatch.setattr, transformers.DynamicCache, "update", quiet_update)
    refused(patch, path, "the model uses DynamicCache")


class Sub(modeling_llama.LlamaMLP):
    def forward(self, x):
        return super().forward(x) * 2


class Apart(modeling_llama.LlamaMLP):
    def __init__(self, config) -> None:
        super().__init__(config)
        self.factor = 2.0


def halved(self, x):
    return self.down_proj(self.up_proj(x)) * 0.5


def test_class_of_the_user_above_which_a_method_was_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modeling_llama.LlamaMLP, "forward", halved)
    live = llama()
    live.model.layers[1].mlp.__class__ = Sub
    refused(lambda: None, "Sub.forward", "patched in this process", live=live)


def test_class_of_the_user_that_does_not_name_what_was_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modeling_llama.LlamaMLP, "forward", halved)
    live = llama()
    live.model.layers[1].mlp = Apart(live.config)
    check_without_patch(live, monkeypatch)


def test_a_module_that_does_not_say_its_package() -> None:
    """As that of transformers, which is loaded lazily."""
    lazy = {"__name__": "transformers", "__file__": transformers.__file__, "__path__": []}
    assert still_means("PreTrainedModel", transformers.PreTrainedModel, lazy)
