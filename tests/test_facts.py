"""Each kind of declared state is a fact; state of a run is none."""

import copy
import functools

import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import BertConfig, BertForMaskedLM

from archit_codegen.declaration.differences import first_difference
from archit_codegen.declaration.facts import facts

TINY = {"vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8}


def name(module):
    return type(module).__name__


def small():
    model = nn.Module()
    model.first = nn.Linear(3, 4)
    model.nothing = None
    model.register_module("empty", None)
    model.second = nn.Sequential(nn.LayerNorm(4), nn.Dropout(0.1))
    model.again = model.first
    model.tied = nn.Linear(3, 4)
    model.tied.weight = model.first.weight
    model.register_buffer("kept", torch.zeros(2))
    model.register_buffer("lost", torch.zeros(2), persistent=False)
    model.act = functional.gelu
    model.sizes = {"a": [1, 2.5, None], "b": (float("nan"),)}
    model.plain = torch.zeros(3)
    return model


def change(**attributes):
    return lambda model: [setattr(model, name, value) for name, value in attributes.items()]


CHANGES = [
    ("shape", lambda m: setattr(m.first, "weight", nn.Parameter(torch.zeros(4, 5))), "first", "shape is (4, 5)"),
    ("frozen", lambda m: m.first.bias.requires_grad_(False), "first", "bias.requires_grad is False, should be True"),
    ("dtype", lambda m: m.second.half(), "second.0", "dtype is 'torch.float16'"),
    ("eps", lambda m: setattr(m.second[0], "eps", 0.001), "second.0", "eps is 0.001, should be 1e-05"),
    ("p", lambda m: setattr(m.second[1], "p", 0.2), "second.1", "p is 0.2, should be 0.1"),
    ("class", lambda m: setattr(m, "first", nn.Identity()), "first", "class is Identity, should be Linear"),
    ("deleted", lambda m: delattr(m, "second"), "", "list of children is"),
    ("none", lambda m: setattr(m, "second", None), "", "list of children is"),
    ("added", lambda m: m.add_module("third", nn.Identity()), "", "list of children is"),
    ("no longer none", lambda m: m.register_module("empty", nn.Identity()), "", "list of children is"),
    ("unshared", lambda m: setattr(m, "again", copy.deepcopy(m.first)), "again", "module is missing"),
    ("untied", lambda m: setattr(m.tied, "weight", nn.Parameter(torch.zeros(4, 3))), "tied", "weight.object is"),
    ("persistence", lambda m: m._non_persistent_buffers_set.clear(), "", "lost.persistent is True, should be False"),
    ("buffer", lambda m: m.register_buffer("more", torch.zeros(1)), "", "list of buffers is"),
    ("attribute", change(more=1), "", "more is 1, should not be there"),
    ("function", change(act=functional.relu), "", "act is"),
    ("nested", change(sizes={"a": [1, 2.5, 0], "b": (float("nan"),)}), "", "sizes.a is [1, 2.5, 0]"),
    ("plain tensor", change(plain=torch.zeros(4)), "", "plain is"),
    ("hook", lambda m: m.second.register_forward_hook(print), "second", "forward hooks is ('print',)"),
    ("bool for int", lambda m: setattr(m.second[1], "inplace", 0), "second.1", "inplace is 0, should be False"),
]


@pytest.mark.parametrize(("surgery", "path", "reason"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_changes_are_seen_where_they_are(surgery, path, reason):
    changed = small()
    surgery(changed)
    found = first_difference(facts(small(), name), facts(changed, name))
    assert found is not None
    assert found[0] == path
    assert reason in found[1]


def test_equal_trees_have_equal_facts():
    assert first_difference(facts(small(), name), facts(small(), name)) is None
    assert list(facts(small(), name)) == ["", "first", "second", "second.0", "second.1", "again", "tied"]


def test_state_is_no_fact():
    changed = small().eval()
    changed.second[0].bias.grad = torch.ones(4)
    changed._is_hf_initialized = True
    changed.rows_cached = 3
    with torch.no_grad():
        changed.first.weight.fill_(2)
    assert first_difference(facts(small(), name), facts(changed, name)) is None
    assert first_difference(facts(bert(), name), facts(bert().to(torch.bfloat16), name)) is None


def test_functions_are_told_apart_by_their_code():
    def holding(function):
        model = nn.Module()
        model.act = function
        return facts(model, name)

    def one(x):
        return x + 1

    def two(x):
        return x + 2

    two.__name__ = "one"
    same = eval("lambda x: x + 1")
    assert first_difference(holding(one), holding(two)) is not None
    assert first_difference(holding(same), holding(eval("lambda x: x + 1"))) is None
    assert first_difference(holding(functools.partial(one, 1)), holding(functools.partial(one, 2))) is not None


def test_what_refers_back_to_the_tree_ends():
    def around():
        model = small()
        object.__setattr__(model, "parent", model)
        loop = []
        loop.append(loop)
        model.loop = loop
        return facts(model, name)

    assert first_difference(around(), around()) is None


def bert(**changes):
    with torch.device("meta"):
        return BertForMaskedLM(BertConfig(**{**TINY, **changes}))


def test_configs_are_compared_by_value():
    more = bert()
    more.config.surplus = 3
    assert first_difference(facts(bert(), name), facts(more, name)) is None
    other = bert()
    other.config.hidden_act = "relu"
    assert first_difference(facts(bert(), name), facts(other, name)) == (
        "",
        "config.hidden_act is relu, should be gelu",
    )
    eager = bert(attn_implementation="eager")
    found = first_difference(facts(bert(), name), facts(eager, name))
    assert found == ("", "config.attention implementation is eager, should be sdpa")


def test_modules_not_to_split_are_compared_by_what_they_are():
    class BertLayerNew(type(bert().bert.encoder.layer[0])):
        pass

    def origin(module):
        return type(module).__name__.removesuffix("New")

    changed = bert()
    changed.bert.encoder.layer[1].__class__ = BertLayerNew
    before = bert()
    if "BertLayer" not in before._no_split_modules:
        for model in (before, changed):
            model._no_split_modules = {"BertLayer"}
    found = first_difference(facts(before, origin), facts(changed, origin))
    assert found == ("bert.encoder.layer.1", "in _no_split_modules is False, should be True")
    changed._no_split_modules = {"BertLayer", "BertLayerNew"}
    assert first_difference(facts(before, origin), facts(changed, origin)) is None
