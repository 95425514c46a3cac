"""Validation leaves no trace: not on the live model, not in the process."""

import random
import sys

import pytest
import torch
from transformers import AutoConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.utils import logging

from archit_codegen import record
from archit_codegen.declaration.loading import isolated_registries, load_package, unload_package
from tests.hand_written import EPS, check, package, with_eps
from tests.small import compiled, inputs_of, llama, plain_values
from tests.user_modules import QuietLlamaLayer


def test_nothing_is_left_behind():
    live = with_eps().train()
    live.roberta.encoder.eval()
    live.lm_head.dense.weight.grad = torch.ones(16, 16)
    flags = [module.training for module in live.modules()]
    hooks = [len(module._forward_hooks) for module in live.modules()]
    state = {name: tensor.clone() for name, tensor in live.state_dict().items()}
    attributes = [list(vars(module)) for module in live.modules()]
    config, verbosity = live.config.to_dict(), logging.get_verbosity()
    randomness, python, path = torch.get_rng_state(), random.getstate(), list(sys.path)
    modules = set(sys.modules)
    check(live, package(EPS))
    assert flags == [module.training for module in live.modules()]
    assert hooks == [len(module._forward_hooks) for module in live.modules()]
    assert attributes == [list(vars(module)) for module in live.modules()]
    assert all(torch.equal(tensor, state[name]) for name, tensor in live.state_dict().items())
    assert config == live.config.to_dict()
    assert live.lm_head.dense.weight.grad.equal(torch.ones(16, 16))
    assert torch.equal(randomness, torch.get_rng_state())
    assert (python, path, verbosity) == (random.getstate(), list(sys.path), logging.get_verbosity())
    assert not [name for name in set(sys.modules) - modules if name.startswith("_archit_codegen")]
    assert "tiny" not in CONFIG_MAPPING


def test_two_versions_live_in_one_process():
    with isolated_registries():
        first, second = load_package("tiny", package("self.a = 1")), load_package("tiny", package("self.a = 2"))
        assert first is not second
        assert first.RobertaConfigNew is not second.RobertaConfigNew
        assert AutoConfig.for_model("tiny").more == 3
    with pytest.raises(ValueError, match="tiny"):
        AutoConfig.for_model("tiny")
    for loaded in (first, second):
        unload_package(loaded)


def test_a_layer_put_in_after_a_run_gives_its_hidden_state():
    """transformers has put its hooks on the layers that were there."""
    live = llama()
    live(**inputs_of(live), output_hidden_states=True)
    with record():
        live.model.layers[1] = QuietLlamaLayer(live.config, 1).eval()
    hooks = [len(layer._forward_hooks) for layer in live.model.layers]
    package = compiled(live)
    assert [len(layer._forward_hooks) for layer in live.model.layers] == hooks == [1, 0, 1]
    root = getattr(package.load(), package.root_class)
    built = root(root.config_class(**plain_values(live.config))).eval()
    assert len(built(**inputs_of(live), output_hidden_states=True).hidden_states) == 4
