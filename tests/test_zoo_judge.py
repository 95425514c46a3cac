"""The judge of the zoo passes a faithful copy on meta, and finds each planted difference."""

import copy
import types
from collections.abc import Callable

import pytest
import torch
import transformers
from torch import nn

from tests.test_judge import package_of
from tests.zoo import user
from tests.zoo.code import does
from tests.zoo.discovery import build
from tests.zoo.structure import MetaJudgement, Snapshot, constructing

Change = Callable[[nn.Module], object]


def judge(live: nn.Module, change: Change) -> None:
    MetaJudgement(live, package_of(live, change), Snapshot(live)).judge()


def layer(model: nn.Module) -> nn.Module:
    return model.roberta.encoder.layer[1]


def untie(model: nn.Module) -> None:
    decoder = model.lm_head.decoder
    decoder.weight = nn.Parameter(torch.empty_like(decoder.weight))
    model.config.tie_word_embeddings = False


def patch(module: nn.Module) -> None:
    module.forward = types.MethodType(user.quiet_forward, module)


def wrap(module: nn.Module) -> None:
    module.forward = user.wrapped(module)


PLANTED: dict[str, tuple[Change, str]] = {
    "eps": (lambda m: setattr(layer(m).output.LayerNorm, "eps", 1e-3), "eps"),
    "dropped": (lambda m: m.roberta.encoder.layer.pop(1), "modules: missing"),
    "appended": (lambda m: m.roberta.encoder.layer.append(copy.deepcopy(layer(m))), "modules: missing"),
    "untied": (untie, "shared with"),
    "shared": (lambda m: m.roberta.encoder.layer.__setitem__(2, layer(m)), "is the module at"),
    "frozen": (lambda m: layer(m).output.dense.weight.requires_grad_(False), "requires_grad"),
    "dtype": (lambda m: layer(m).output.dense.double(), "float64"),
    "class": (lambda m: setattr(layer(m).output, "dense", user.LowRank(8, 8)), "modules"),
    "attribute": (lambda m: setattr(layer(m).attention.self, "scaling", 0.75), "scaling"),
    "buffer": (lambda m: layer(m).register_buffer("seen", torch.empty(2)), "buffers"),
    "method of a submodule": (lambda m: patch(layer(m).output), "method forward"),
    "method of the root": (patch, "method forward"),
    "wrapped method": (lambda m: wrap(layer(m).output), "method forward"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_difference_is_found(planted: str) -> None:
    change, message = PLANTED[planted]
    with pytest.raises(AssertionError, match=message):
        judge(build(transformers.RobertaForMaskedLM), change)


@pytest.mark.parametrize("planted", ["method of a submodule", "method of the root", "wrapped method"])
def test_a_patch_that_the_package_lacks_is_found(planted: str) -> None:
    live = build(transformers.RobertaForMaskedLM)
    PLANTED[planted][0](live)
    with pytest.raises(AssertionError, match="method forward"):
        judge(live, lambda model: None)


@pytest.mark.parametrize("name", ["RobertaForMaskedLM", "CLIPModel", "T5ForConditionalGeneration", "MixtralModel"])
def test_a_faithful_copy_passes(name: str) -> None:
    judge(build(getattr(transformers, name)), lambda model: None)


class Built(nn.Module):
    """What builds it, and what computes with it."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.scale = 1.0, 2.0
        self._build(3)
        self.build_more()

    def _build(self, depth: int) -> None:
        self.layers = nn.ModuleList([self._layer() for _ in range(depth)])
        self._reset()

    def _layer(self) -> nn.Module:
        return nn.Linear(2, 2)

    def _reset(self) -> None:
        self.scale = 1.0

    def build_more(self) -> None:
        self.head = nn.Linear(2, 2)

    def _compute(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers[0](x) * self.scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self._reset()
        return self._compute(x)


def test_only_what_builds_and_does_nothing_else_is_left_to_the_tree() -> None:
    assert constructing(Built) == {"_build", "_layer"}


SCALE = 0.5


def scaled_by_a_global(self, hidden_states, *args, **kwargs):
    return SCALE * hidden_states


def with_its_own_function(self, hidden_states, *args, **kwargs):
    def scaled(x):
        return quiet(x) * SCALE

    return scaled(hidden_states)


def quiet(x):
    return 0.5 * x


def asking(self, hidden_states, *args, **kwargs):
    return hidden_states if isinstance(self, (One, Two)) else 0 * hidden_states


def in_scope(function, **changed):
    """The same code, in a module where some globals are others."""
    return types.FunctionType(
        function.__code__, {**function.__globals__, **changed}, function.__name__, function.__defaults__
    )


class One(nn.Module):
    pass


class Two(nn.Module):
    pass


@pytest.mark.parametrize(
    ("method", "changed"),
    [
        (scaled_by_a_global, {"SCALE": 0.25}),
        (scaled_by_a_global, {"SCALE": 1}),
        (with_its_own_function, {"SCALE": 0.25}),
        (with_its_own_function, {"quiet": lambda x: 2 * x}),
    ],
)
def test_a_global_that_means_something_else_is_found(method: types.FunctionType, changed: dict[str, object]) -> None:
    live = build(transformers.RobertaForMaskedLM)
    layer(live).output.forward = types.MethodType(method, layer(live).output)

    def patched(scope: dict[str, object]) -> Change:
        def change(model: nn.Module) -> None:
            layer(model).output.forward = types.MethodType(in_scope(method, **scope), layer(model).output)

        return change

    judge(live, patched({}))
    with pytest.raises(AssertionError, match="method forward has other code"):
        judge(live, patched(changed))


def test_functions_in_a_table_are_judged_by_what_they_do() -> None:
    live = build(transformers.RobertaForMaskedLM)
    layer(live).output.functions = {"scaled": scaled_by_a_global}

    def with_table(**scope: object) -> Change:
        function = in_scope(scaled_by_a_global, **scope)
        function.__qualname__ = "RobertaOutputWithCopy.scaled"  # a static method of the module's own class
        return lambda model: setattr(layer(model).output, "functions", {"scaled": function})

    judge(live, with_table())
    with pytest.raises(AssertionError, match="functions"):
        judge(live, with_table(SCALE=0.25))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("main_input_name", "input_values", "attributes of the class"),
        ("supports_gradient_checkpointing", False, "attributes of the class"),
        ("train", lambda self, mode=True: self, "only the package has"),
        ("__call__", lambda self, *args: None, "only the package has"),
        ("extra_repr", lambda self: "", "only the package has"),
    ],
)
def test_what_the_class_alone_says_is_found(name: str, value: object, message: str) -> None:
    live = build(transformers.RobertaForMaskedLM)
    package = package_of(live, lambda model: None)
    setattr(getattr(package.load(), package.root_class), name, value)
    with pytest.raises(AssertionError, match=message):
        MetaJudgement(live, package, Snapshot(live)).judge()


def test_operations_are_compared_where_code_was_moved() -> None:
    def halved(self, x):
        return 0.5 * type(self).forward(self, x)

    def moved(self, x):
        return 0.5 * self._original_forward(x)

    def added(self, x):
        return 0.5 + self._original_forward(x)

    def negated(self, x):
        return -(0.5 * self._original_forward(x))

    assert does(halved) == does(moved)
    assert does(halved) != does(added)
    assert does(halved) != does(negated)


def test_a_variant_that_is_not_asked_for_is_found() -> None:
    live = build(transformers.RobertaForMaskedLM)
    judgement = MetaJudgement(live, package_of(live, lambda model: None), Snapshot(live))
    judgement.package, judgement.suffix = "tests", "WithCopy"
    first = type("LayerWithCopy", (nn.Module,), {"__module__": "tests.first"})
    second = type("LayerWithCopy2", (nn.Module,), {"__module__": "tests.first"})
    judgement.variants = {"Layer": {first, second}}
    judgement.compare_tests(in_scope(asking, One=first, Two=second), "root")
    with pytest.raises(AssertionError, match=r"asking does not ask for .*LayerWithCopy2"):
        judgement.compare_tests(in_scope(asking, One=first, Two=One), "root")
