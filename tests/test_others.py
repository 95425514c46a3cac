"""Root classes that are none of transformers: a sample, with the same modifications and the same judge."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from tests.zoo import others, plain
from tests.zoo.faithful import Expected
from tests.zoo.roots import PLAIN, ROOTS, Root
from tests.zoo.run import CRASH, NOT_BUILT, REBUILT, WRONG, Row
from tests.zoo.structure import Snapshot

SAMPLE = {
    "tests.SmallGPT": "one_layer_shared", "tests.SmallResNet": "linear_swapped", "tests.Siamese": "linear_wrapped",
    "tests.GraphConvolution": "all_norms_of_torch", "tests.MixtureOfExperts": "linear_swapped",
    "torch.Transformer": "layer_class_changed", "diffusers.UNet2DModel": "linear_forward_patched",
    "x_transformers.TransformerWrapper": "linear_swapped", "sentence_transformers.Dense": "activation_swapped",
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def named(name: str) -> Root:
    return next(root for root in ROOTS if root.name == name)


@pytest.mark.parametrize("name", SAMPLE)
def test_is_rebuilt(name: str) -> None:
    row = others.cell(named(name), SAMPLE[name])
    if row.outcome == NOT_BUILT:
        pytest.skip(row.text)
    assert row.outcome == REBUILT, row


@pytest.mark.parametrize("modification", ["linear_wrapped", "linear_weight_reshaped", "linear_forward_patched"])
def test_modules_that_a_root_was_given_are_its_callers(modification: str) -> None:
    """The package's root gets them unmodified again, so that its own text has to say what was changed in them."""
    row = others.cell(named("tests.Given"), modification)
    assert row.outcome == REBUILT, row


@pytest.mark.parametrize("root", PLAIN, ids=lambda root: root.name)
def test_every_plain_root_computes(root: Root) -> None:
    assert others.expected_of(root) is not None


def test_a_library_that_is_missing_is_a_reason() -> None:
    absent = Root("no_such_library:Model", dict, dict)
    row = others.cell(absent, "norm_eps")
    assert row.outcome == NOT_BUILT
    assert "no_such_library" in row.text


def test_totals_tell_what_applied() -> None:
    rows = [Row("a.B", "norm_eps", outcome, "") for outcome in (REBUILT, WRONG, CRASH, "refused", "n/a")]
    assert others.totals(rows) == [
        "1 root classes, 4 modifications applied, 1 not applicable",
        "1 rebuilt (25.00 %), 1 refused, 1 crashes, 1 silently wrong",
    ]


def judge(live: nn.Module, change: Callable[[nn.Module], object]) -> None:
    """A package made by hand: the class itself under another name, with a difference planted."""
    declared = type(live)

    def construct(self: nn.Module, **arguments: object) -> None:
        declared.__init__(self, **arguments)
        change(self)

    root = type(f"{declared.__name__}WithCopy", (declared,), {"__init__": construct, "__module__": __name__})
    module = SimpleNamespace(__name__=__name__, **{root.__name__: root})
    package = SimpleNamespace(root_class=root.__name__, heads={}, load=lambda: module)
    expected = Expected.of(live, {"x": torch.ones(2, 5, 8)})
    judgement = others.PlainJudgement(live, package, Snapshot(live), expected)
    judgement.arguments = {"width": 8}
    judgement.judge()


def test_a_faithful_copy_passes() -> None:
    judge(plain.MixtureOfExperts(8).eval(), lambda model: None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model: setattr(model.norm, "eps", 0.5), "eps"),
        (lambda model: setattr(model, "chosen", 1), "chosen"),
        (lambda model: model.experts.pop(3), "missing"),
        (lambda model: model.norm.register_forward_hook(lambda m, a, out: out * 1.5), "differs"),
    ],
)
def test_a_planted_difference_is_found(change: Callable[[nn.Module], object], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        judge(plain.MixtureOfExperts(8).eval(), change)
