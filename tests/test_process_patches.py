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
        ("create_causal_mask", types.SimpleNamespace(__call__=mask_of_the_user)),
    ],
)
def test_object_in_the_place_of_a_definition(name: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{modeling_llama.__name__}.{name}"
    says = f"put another object in its place, a {type(value).__name__}"
    refused(lambda: monkeypatch.setattr(modeling_llama, name, value), path, says, live=llama())
