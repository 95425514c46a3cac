"""What the user brings along: a root class, modules with buffers of their own, weights tied by hand, imported code."""

import importlib
import sys
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, LlamaModel
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from tests.small import TEXT, check, llama, small


class LlamaWithProbe(LlamaForCausalLM):
    """A Llama with a second head."""

    def __init__(self, config):
        super().__init__(config)
        self.probe = nn.Linear(config.hidden_size, 3)
        self.post_init()

    def forward(self, *args, **kwargs):
        outputs = super().forward(*args, **kwargs)
        outputs.probe = self.probe(outputs.logits[..., : self.config.hidden_size])
        return outputs


def test_a_root_class_of_the_users_own() -> None:
    live = small(LlamaWithProbe, llama().config)
    live.model.layers[1].mlp = nn.Identity()
    check(live, "class LlamaWithProbeWithX(LlamaForCausalLMWithX):", "self.mlp = nn.Identity()")


class PassedOn(LlamaModel):
    """All arguments go on as they came: none has a name here."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


class Quiet(LlamaDecoderLayer):
    def forward(self, *args, **kwargs):
        return 0.5 * super().forward(*args, **kwargs)


def test_arguments_without_a_name_are_no_source_of_expressions() -> None:
    live = small(PassedOn, llama().config)
    live.layers[1] = Quiet(live.config, 1)
    check(live, "Quiet(self.config, layer_idx) if layer_idx == 1 else", saved=False)


class GainConfig(LlamaConfig):
    """A Llama's config, and one value more."""

    model_type = "gain"
    gain: float = 0.5


class LlamaWithGain(LlamaForCausalLM):
    """A Llama whose logits are scaled by a value of its config."""

    config: GainConfig
    config_class = GainConfig

    def forward(self, *args, **kwargs):
        outputs = super().forward(*args, **kwargs)
        outputs.logits = outputs.logits * self.config.gain
        return outputs


def test_a_config_class_of_the_users_own() -> None:
    live = small(LlamaWithGain, GainConfig(**TEXT, num_key_value_heads=1, gain=0.25))
    live.model.norm = nn.Identity()
    check(live, "gain: float = 0.5")


class Shift(nn.Module):
    """Adds a ramp that no checkpoint holds."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("ramp", torch.arange(size) / 4, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.ramp


def test_a_non_persistent_buffer_of_the_users_module() -> None:
    live = llama()
    live.model.layers[1].mlp.act_fn = Shift(12)
    check(live, "if isinstance(module, Shift):", "init.copy_(module.ramp, fresh.ramp)")


def test_untied() -> None:
    live = llama(tie_word_embeddings=True)
    live.lm_head.weight = nn.Parameter(live.lm_head.weight.detach() + 1)
    check(live, "_tied_weights_keys = {}")


def test_tied_by_hand_with_the_flag_set() -> None:
    live = llama()
    live.lm_head.weight = live.model.embed_tokens.weight
    live.config.tie_word_embeddings = True
    live.model.norm = nn.Identity()
    text = check(live, '_tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}')
    assert "lm_head.weight = " not in text


def test_tied_across_layers() -> None:
    live = llama(tie_word_embeddings=True)
    live.model.layers[2].mlp.up_proj.weight = live.model.layers[0].mlp.up_proj.weight
    check(live, '_tied_weights_keys = {"layers.2.mlp.up_proj.weight": "layers.0.mlp.up_proj.weight"}')


MODULE = """
import torch
from torch import nn

FACTOR = 0.75


class Damped(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.map = nn.Linear(size, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return FACTOR * self.map(x)
"""


@pytest.mark.parametrize(
    ("user_code", "line"), [("import", "from my_damping import Damped"), ("copy", "FACTOR = 0.75")]
)
def test_code_of_an_importable_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user_code: str, line: str
) -> None:
    (tmp_path / "my_damping.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_damping", raising=False)
    live = llama()
    live.model.layers[1].mlp = importlib.import_module("my_damping").Damped(8)
    text = check(live, line, user_code=user_code)
    monkeypatch.delitem(sys.modules, "my_damping")
    assert ("class Damped" in text) == (user_code == "copy")


class Kind(Enum):
    FLAT = "flat"
    ROUND = "round"


@dataclass
class Shape:
    size: int
    kind: Kind = Kind.FLAT
    factors: list[int] = field(default_factory=list)


class Shaped(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.weight = nn.Parameter(torch.ones(shape.size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight


def test_a_dataclass_and_a_member_of_an_enumeration_as_arguments() -> None:
    live = llama()
    live.model.norm = Shaped(Shape(8, Kind.ROUND))
    check(live, "self.norm = Shaped(Shape(size=8, kind=Kind.ROUND))", "class Kind(Enum)")
