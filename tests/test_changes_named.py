"""Lists whose members have names of their own."""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import nullcontext

import pytest
from torch import nn

import archit_codegen as archit
from tests.small import check, llama, vit

HOW = pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "unrecorded"])


class Stack(nn.Sequential):
    """Takes what `nn.Sequential` takes."""


class Numbered(nn.Sequential):
    """Names its members itself."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(OrderedDict((f"layer{index}", layer) for index, layer in enumerate(layers)))


def recording(recorded: bool):
    return archit.record() if recorded else nullcontext()


def named() -> nn.Module:
    return nn.Sequential(OrderedDict([("fc1", nn.Linear(8, 4)), ("act", nn.ReLU()), ("fc2", nn.Linear(4, 8))]))


def one_by_one() -> nn.Module:
    made = nn.Sequential()
    made.add_module("fc1", nn.Linear(8, 4))
    made.add_module("fc2", nn.Linear(4, 8))
    return made


def appended_and_named() -> nn.Module:
    made = nn.Sequential(nn.Linear(8, 4))
    made.add_module("act", nn.ReLU())
    return made.append(nn.Linear(4, 8))


def numbered_anew() -> nn.Module:
    made = nn.Sequential(OrderedDict(fc=nn.Linear(8, 8), act=nn.ReLU()))
    del made[0]
    return made


def without_the_first() -> nn.Module:
    made = nn.Sequential(nn.ReLU(), nn.Linear(8, 4), nn.Linear(4, 8))
    made._modules.pop("0")
    return made


def of_a_subclass() -> nn.Module:
    made = Stack(OrderedDict(fc=nn.Linear(8, 8)))
    made.add_module("act", nn.ReLU())
    return made


def of_a_class_that_names() -> nn.Module:
    return Numbered(nn.Linear(8, 4), nn.Linear(4, 8))


def shared() -> nn.Module:
    linear = nn.Linear(8, 8)
    return nn.Sequential(OrderedDict(fc1=linear, act=nn.ReLU(), fc2=linear))


def without_index() -> nn.Module:
    made = nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 8))
    holder = nn.Module()
    holder._modules |= {"0": made[0], "7": made[1]}
    return holder


FC1, FC2 = "nn.Linear(8, 4)", "nn.Linear(4, 8)"
CASES: list[tuple[Callable[[], nn.Module], list[str]]] = [
    (named, [f"self.mlp = nn.Sequential(OrderedDict(fc1={FC1}, act=nn.ReLU(), fc2={FC2}))"]),
    (one_by_one, [f"self.mlp = nn.Sequential(OrderedDict(fc1={FC1}, fc2={FC2}))"]),
    (appended_and_named, [f'self.mlp = nn.Sequential(OrderedDict({{"0": {FC1}, "act": nn.ReLU(), "2": {FC2}}}))']),
    (numbered_anew, ["self.mlp = nn.Sequential(nn.ReLU())"]),
    (without_the_first, [f'self.mlp = nn.Sequential(OrderedDict({{"1": {FC1}, "2": {FC2}}}))']),
    (of_a_subclass, ["self.mlp = Stack(OrderedDict(fc=nn.Linear(8, 8), act=nn.ReLU()))"]),
    (of_a_class_that_names, [f"self.mlp = Numbered({FC1}, {FC2})"]),
    (shared, ["self.mlp.fc2 = self.mlp.fc1"]),
]


@HOW
@pytest.mark.parametrize(("make", "lines"), CASES, ids=[make.__name__ for make, _ in CASES])
def test_named_members(make: Callable[[], nn.Module], lines: list[str], recorded: bool) -> None:
    live = llama()
    with recording(recorded):
        live.model.layers[0].mlp = make()
    text = check(live, *lines)
    assert text.count("from collections import OrderedDict") == ("OrderedDict(" in text)  # once, where it is used


def test_the_sizes_follow_the_config() -> None:
    live = vit(num_labels=2)
    live.classifier = nn.Sequential(OrderedDict(down=nn.Linear(8, 4), act=nn.GELU(), out=nn.Linear(4, 2)))
    check(live, "down=nn.Linear(config.hidden_size, 4), act=nn.GELU(), out=nn.Linear(4, config.num_labels)")


@HOW
def test_around_what_was_there(recorded: bool) -> None:
    live = vit(num_labels=2)
    with recording(recorded):
        live.classifier = nn.Sequential(OrderedDict(old=live.classifier, act=nn.Tanh()))
    check(live, "nn.Sequential(OrderedDict(old=nn.Linear(config.hidden_size, config.num_labels), act=nn.Tanh()))")


def test_an_activation() -> None:
    live = llama()
    live.model.layers[1].mlp.act_fn = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))
    check(live, "self.act_fn = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))")


def test_a_list_with_a_member_by_name() -> None:
    live = llama()
    live.model.layers[0].extra = nn.ModuleList([nn.Linear(8, 8)])
    live.model.layers[0].extra.add_module("norm", nn.LayerNorm(8))
    check(live, "self.extra = nn.ModuleList([nn.Linear(8, 8)])", "self.extra.norm = nn.LayerNorm((8,))")


def test_members_whose_numbers_are_no_places() -> None:
    live = llama()
    live.model.layers._modules.pop("1")
    live.model.layers[0].extra = nn.ModuleList([nn.Linear(8, 8), nn.ReLU(), nn.Tanh()])
    live.model.layers[0].extra._modules.pop("0")
    check(
        live,
        'del self.layers._modules["1"]',
        "self.extra = nn.ModuleList([])",
        'self.extra._modules["1"] = nn.ReLU()',
        'self.extra._modules["2"] = nn.Tanh()',
    )


def test_numbers_in_a_module_without_an_index() -> None:
    live = llama()
    live.model.layers[0].extra = without_index()
    check(live, 'self.extra._modules["0"] = nn.Linear(8, 4)', 'self.extra._modules["7"] = nn.Linear(4, 8)')


def test_an_ordered_dict_of_plain_values() -> None:
    live = llama()
    live.model.layers[0].table = OrderedDict(first=1, second=nn.ReLU)
    check(live, "self.table = OrderedDict(first=1, second=nn.ReLU)")
