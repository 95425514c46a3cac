"""What the user brings along: a root class, modules with buffers of their own, weights tied by hand, imported code."""

import importlib
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import LlamaForCausalLM

from tests.small import bert, check, llama, small


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
    check(live, "???")


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
    check(live, "???")


def test_untied() -> None:
    live = bert()
    live.cls.predictions.decoder.weight = nn.Parameter(live.cls.predictions.decoder.weight.detach() + 1)
    live.config.tie_word_embeddings = False
    check(live, "???")


def test_tied_by_hand_with_the_flag_set() -> None:
    live = llama()
    live.lm_head.weight = live.model.embed_tokens.weight
    live.config.tie_word_embeddings = True
    check(live, "???")


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


@pytest.mark.parametrize(("user_code", "line"), [("import", "from my_damping import Damped"), ("copy", "FACTOR = 0.75")])
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
