"""One pass over a tree says what torch's own walks say."""

import torch
from torch import nn
from transformers import T5Config, T5Model

from archit_codegen.declaration.walking import all_modules, named_modules


def test_shared_and_missing_modules() -> None:
    root = nn.Module()
    root.first = nn.ModuleList([nn.Linear(1, 1), nn.Sequential(nn.Identity())])
    root.second = root.first[1]
    root.third = None
    root.again = nn.ModuleDict({"a": root.first[0], "b": nn.ModuleList([nn.Identity()])})
    assert named_modules(root) == list(root.named_modules())
    assert all_modules(root) == list(root.modules())


def test_a_module_that_holds_itself() -> None:
    root = nn.Sequential(nn.Identity())
    root[0].add_module("up", root)
    assert named_modules(root) == list(root.named_modules())
    assert all_modules(root) == list(root.modules())


def test_a_model() -> None:
    with torch.device("meta"):
        root = T5Model(T5Config(num_layers=2))
    assert named_modules(root) == list(root.named_modules())
    assert all_modules(root) == list(root.modules())
