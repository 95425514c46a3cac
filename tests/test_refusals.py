"""What no source can declare is refused by name: the path, the reason, the way out. Nothing is ever silently wrong."""

import functools
import types

import pytest
import torch
from torch import nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.llama import modeling_llama

import archit_codegen as archit
from tests.small import bert, check, llama, refusal


def test_forward_hook() -> None:
    live = llama()
    live.model.layers[1].register_forward_hook(lambda *a: None)
    refusal(live, "model.layers.1", "hook")


def test_forward_pre_hook() -> None:
    live = llama()
    live.model.layers[1].mlp.register_forward_pre_hook(lambda *a: None)
    refusal(live, "model.layers.1.mlp", "hook")


def test_buffer_changed_in_memory() -> None:
    live = llama()
    live.model.rotary_emb.inv_freq.mul_(0.5)
    refusal(live, "model.rotary_emb.inv_freq", "not those that LlamaRotaryEmbedding computes", "Make it persistent")


def test_a_parametrization_that_needs_values() -> None:
    """`from_pretrained` builds on meta, where an orthogonal matrix cannot be made."""
    live = llama()
    nn.utils.parametrizations.orthogonal(live.model.layers[0].self_attn.o_proj)
    refusal(live, "model.layers.0.self_attn.o_proj", "parametrization cannot be registered on the meta device")


def test_ties_while_the_config_says_none() -> None:
    live = llama()
    live.lm_head.weight = live.model.embed_tokens.weight
    refusal(live, "lm_head.weight", "Set `model.config.tie_word_embeddings = True`")


def test_partial_as_forward() -> None:
    live = llama()
    mlp = live.model.layers[0].mlp
    mlp.forward = functools.partial(scaled, mlp, factor=3)
    refusal(live, "", "forward: ", "partial", "Patch it with a function")


def scaled(self, x, factor):
    return self.down_proj(self.up_proj(x)) * factor


class Opaque:
    """No literal says how to make one."""

    def __init__(self) -> None:
        self.inner = object()


def test_attribute_without_literal() -> None:
    live = llama()
    live.model.layers[1].mlp.note = Opaque()
    refusal(live, "model.layers.1.mlp.note", "Opaque")


def test_closure_over_a_tensor() -> None:
    live, gain = llama(), torch.rand(8)

    def forward(self, x):
        return self.down_proj(self.up_proj(x)) * gain

    live.model.layers[0].mlp.forward = types.MethodType(forward, live.model.layers[0].mlp)
    refusal(live, "", "gain")


HOSTILE = ["b = 1; q", "a b", "class", "__x", "x\ny", "\u017felf", "\ufb01t", "print()"]


@pytest.mark.parametrize(
    ("how", "name"),
    [("attribute", name) for name in HOSTILE]
    + [(how, name) for how in ("parameter", "buffer", "module") for name in HOSTILE[:4]],
)
def test_names_that_are_no_identifiers(how: str, name: str) -> None:
    live = bert()
    if how == "parameter":
        live.bert.register_parameter(name, nn.Parameter(torch.zeros(2)))
    elif how == "buffer":
        live.bert.register_buffer(name, torch.zeros(2))
    elif how == "attribute":
        setattr(live.bert, name, 3)
    else:
        live.bert.add_module(name, nn.Linear(2, 2))
    refusal(live, ascii(f"bert.{name}"), f"the name {name!a} cannot stand in source", "plain identifier")


def test_attention_function_of_the_config_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    def quiet(module, query, key, value, mask, **kwargs):
        return value.transpose(1, 2).contiguous(), None

    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS._global_mapping, "sdpa", quiet)
    refusal(bert(), "ALL_ATTENTION_FUNCTIONS", "'sdpa'", "Patch the `forward`")


def test_function_of_torch_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.functional, "silu", lambda x, inplace=False: x * 2)
    live = llama()
    live.model.norm = nn.Identity()
    refusal(live, "torch.nn.functional.silu", "patched in this process", "Undo that")


def test_method_of_torch_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    original = nn.Linear.forward
    monkeypatch.setattr(nn.Linear, "forward", lambda self, x: original(self, x) * 1.5)
    live = llama()
    live.model.norm = nn.Identity()
    refusal(live, "torch.nn.modules.linear.Linear.forward", "patched in this process", "Undo that")


def test_default_of_a_module_function_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modeling_llama.apply_rotary_pos_emb, "__defaults__", (2,))
    live = llama()
    live.model.norm = nn.Identity()
    refusal(live, f"{modeling_llama.__name__}.apply_rotary_pos_emb", "defaults", "Undo that")


class Wide(nn.Module):
    """Does not keep what it was made with."""

    def __init__(self, width: int, factor: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, width * factor), nn.Linear(width * factor, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(self.up(x))


def with_wide(expression: str | None):
    live, wide = llama(), Wide(8, 2)
    if expression is not None:
        archit.initialiser(wide, expression)
    live.model.layers[1].mlp = wide
    return live


def test_arguments_that_nobody_knows() -> None:
    refusal(with_wide(None), "model.layers.1.mlp", "Wide", "record()", "initialiser(", kind=archit.UnknownArguments)


def test_right_initialiser() -> None:
    check(with_wide("Wide(config.hidden_size, factor=2)"), "self.mlp = Wide(config.hidden_size, factor=2)")


def test_initialiser_where_no_config_is_at_hand() -> None:
    live, wide = llama(), Wide(8, 2)
    archit.initialiser(wide, "Wide(8, 2)")
    live.model.norm.extra = wide  # LlamaRMSNorm takes no config, and this expression reads none
    check(live, "self.extra = Wide(8, 2)")


def test_wrong_initialiser() -> None:
    refusal(with_wide("Wide(config.hidden_size, factor=3)"), "model.layers.1.mlp", "Wide(")


@pytest.mark.parametrize("text", ["Wide(config.hidden_size,", "wide = 3", ""])
def test_initialiser_that_is_no_expression(text: str) -> None:
    with pytest.raises(archit.InvalidDeclaration, match="is no expression"):
        with_wide(text)


def test_nothing_to_compile() -> None:
    with pytest.raises(archit.InvalidDeclaration, match="just what LlamaForCausalLM declares: nothing to compile"):
        archit.compile_model(llama(), name="tiny_x", suffix="WithX")


def test_declared_class_is_no_ancestor() -> None:
    with pytest.raises(archit.InvalidDeclaration, match=r"BertForMaskedLM is no ancestor of .* LlamaForCausalLM"):
        archit.compile_model(llama(), type(bert()), name="tiny_x", suffix="WithX")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "Tiny", "suffix": "X"}, "lower case"),
        ({"name": "a b", "suffix": "X"}, "The package name"),
        ({"name": "class", "suffix": "X"}, "The package name"),
        ({"name": "tiny", "suffix": "X-Y"}, "The suffix"),
        ({"name": "tiny", "suffix": ""}, "The suffix"),
        ({"name": "tiny", "suffix": "X", "user_code": "link"}, "user_code"),
    ],
)
def test_names_of_the_package(options: dict[str, str], says: str) -> None:
    with pytest.raises(archit.InvalidName, match=says):
        archit.compile_model(nn.Linear(1, 1), **options)


@pytest.mark.parametrize("register", ["register_state_dict_post_hook", "register_load_state_dict_pre_hook"])
def test_hooks_around_a_checkpoint(register: str) -> None:
    live = llama()
    live.model.layers[1].mlp = nn.Identity()
    getattr(live.model.norm, register)(lambda *_: None)
    refusal(live, "model.norm", "state dict", "no class can declare a hook")


def test_property_of_a_class_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    live = llama()
    live.model.layers[1].mlp = nn.Identity()
    monkeypatch.setattr(type(live), "base_model", property(lambda self: self), raising=False)
    refusal(live, "", "LlamaForCausalLM.base_model", "a property of the class was patched", "Undo that")


def test_what_torch_compile_made() -> None:
    live = llama()
    live.model.layers[1].mlp = nn.Identity()
    refusal(torch.compile(live), "<root>", "what `torch.compile` returned", "Give `model._orig_mod` instead")
    live.model.layers[0].compile()
    refusal(live, "model.layers.0", "compiled in place", "Set its `_compiled_call_impl` to None")
    live.model.layers[0] = torch.compile(llama().model.layers[0])
    refusal(live, "model.layers.0", "what `torch.compile` returned", "Put its `_orig_mod` there instead")
