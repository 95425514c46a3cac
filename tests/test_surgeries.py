"""The modifications themselves: each one's live model runs, and computes something else than the declared one."""

import pytest
import torch

from tests.families import FAMILIES
from tests.models import build, inputs_for
from tests.surgeries import MODIFICATIONS, UNCACHED, modify

UNHEARD = {("qwen3", "layer appended"), ("llama", "layer appended"), ("mixtral", "layer appended")}
"""These forwards run `layers[: config.num_hidden_layers]`: an appended layer is declared, yet silent."""


@pytest.mark.parametrize("family", FAMILIES)
def test_every_modification_runs_and_differs(family: str) -> None:
    before = first_output(build(family), cached=True)
    assert torch.equal(before, first_output(build(family), cached=True)), "not deterministic"
    for name in MODIFICATIONS:
        model = build(family)
        modify(model, name, FAMILIES[family])
        after = first_output(model, cached=name not in UNCACHED)
        assert after.isfinite().all(), name
        same = after.shape == before.shape and torch.equal(before, after)
        assert same == ((family, name) in UNHEARD), name


@torch.no_grad()
def first_output(model: torch.nn.Module, cached: bool) -> torch.Tensor:
    return model(**inputs_for(model, cached))[0]
