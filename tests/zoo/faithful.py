"""The judge with weights: tree, values, outputs, hidden states and attentions, and all of it again from the disk."""

import copy
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from tests.judge import eager, poisoned_memory, same_bits, unequal
from tests.zoo.outputs import Outputs, compare, run, tensors_in
from tests.zoo.structure import MetaJudgement, Snapshot


@dataclass(frozen=True, slots=True)
class Expected:
    """What a live model gives while its modification stands: as it is set, and with eager attention."""

    inputs: Mapping[str, Any]
    outputs: Outputs
    eager: Outputs | None

    @classmethod
    def of(cls, live: nn.Module, inputs: Mapping[str, Any]) -> "Expected":
        """Raises what the forward of the live model raises."""
        before = [type(module) for module in live.modules()]
        outputs = run(live, inputs)
        if before != [type(module) for module in live.modules()]:
            raise ValueError("it exchanges modules of its own when it runs")
        if not tensors_in(outputs):
            raise ValueError("the outputs have no tensors")
        check_repeatable(live, inputs, outputs)
        if not isinstance(live, PreTrainedModel) or live.config._attn_implementation == "eager":
            return cls(inputs, outputs, None)
        with eager(live):
            return cls(inputs, outputs, run(live, inputs))


def check_repeatable(live: nn.Module, inputs: Mapping[str, Any], outputs: Outputs) -> None:
    """Raises ValueError where equal models do not give equal outputs: some read memory that nobody has written."""
    with poisoned_memory():
        poisoned = run(live, inputs)
    nans = [sum(int(value.isnan().sum()) for value in tensors_in(found)) for found in (outputs, poisoned)]
    try:
        compare(outputs, run(live, inputs), "again")
    except AssertionError as error:
        raise ValueError(f"it gives something else each time: {error}") from error
    if nans[0] != nans[1]:
        raise ValueError("it reads memory that nobody has written")


class NotSaved(AssertionError):
    """The package's model is right until it is saved and loaded again: its native class has to be tried as well."""


class Judgement(MetaJudgement):
    """One live model with real weights and the package that should declare it."""

    def __init__(self, live: PreTrainedModel, package: Any, snapshot: Snapshot, expected: Expected | None) -> None:
        super().__init__(live, package, snapshot)
        self.expected = expected
        self.weights = copy.deepcopy(live.state_dict())  # with the versions that some modules write into it

    def judge(self) -> None:
        """An AssertionError says where the two differ: `NotSaved` where only the way to disk and back does."""
        built = self.built()
        self.compare_trees(built, "built")
        if self.expected is not None:
            compare(self.expected.outputs, run(built, self.expected.inputs), "built")
            if self.expected.eager is not None:
                with eager(built):
                    compare(self.expected.eager, run(built, self.expected.inputs), "eager")
        try:
            self.compare_saved_model(self.built())  # one that was not run: some models change when they run
        except Exception as error:
            raise NotSaved(f"{type(error).__name__}: {error}") from error

    def built(self) -> Any:
        with poisoned_memory():
            return self.loaded(self.build_as(self.live.config))

    def loaded(self, built: Any) -> Any:
        """With the weights of the live model, every one of them."""
        keys = list(built.state_dict())
        assert keys == list(self.weights), f"state dict: {unequal(list(self.weights), keys)}"
        built.load_state_dict(self.weights, strict=True)
        for name, tensor in built.state_dict().items():
            assert same_bits(tensor, self.weights[name]), f"{name}: another value after load_state_dict"
        return built

    def compare_modules(self, ours: nn.Module, theirs: nn.Module, where: str) -> None:
        super().compare_modules(ours, theirs, where)
        compare_hidden_buffers(ours, theirs, where)

    def compare_saved_model(self, built: PreTrainedModel) -> None:
        again = saved_and_loaded(built)
        compare_loaded(built, again)
        if self.expected is not None:
            compare(self.expected.outputs, run(again, self.expected.inputs), "loaded again")


def compare_hidden_buffers(ours: nn.Module, theirs: nn.Module, where: str) -> None:
    """Those that no checkpoint carries have to come from the code."""
    for name in sorted(ours._non_persistent_buffers_set & set(ours._buffers)):
        mine, other = ours._buffers[name], theirs._buffers[name]
        same = mine is None or mine.is_meta or same_bits(mine, other)
        assert same, f"{where}: value of the non-persistent buffer {name}"


def saved_and_loaded(model: PreTrainedModel) -> PreTrainedModel:
    """Its parts compute attention as they did: `attn_implementation` would make that of the root theirs."""
    with tempfile.TemporaryDirectory() as directory:
        model.save_pretrained(directory)
        config = type(model).config_class.from_pretrained(directory)
        for name, part in parts(model.config):
            dict(parts(config))[name]._attn_implementation_internal = part._attn_implementation
        with poisoned_memory():
            again, report = type(model).from_pretrained(directory, config=config, output_loading_info=True)
    problems = {kind: names for kind, names in report.items() if names}
    assert not problems, f"loaded again: {problems}"
    for tensor in [*again.parameters(), *again.buffers()]:
        tensor.data = tensor.data.clone()  # in a file they lie at odd addresses, and kernels sum up in another order
    trainable = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    for name, parameter in again.named_parameters():
        parameter.requires_grad_(trainable[name])  # lost on loading; a product of matrices is summed up by it
    return again.eval()


def parts(config: PreTrainedConfig, name: str = "") -> Iterator[tuple[str, PreTrainedConfig]]:
    """A config and those within it, by their names."""
    yield name, config
    for inner, value in sorted(vars(config).items()):
        if isinstance(value, PreTrainedConfig):
            yield from parts(value, f"{name}.{inner}")


def compare_loaded(before: PreTrainedModel, again: PreTrainedModel) -> None:
    """All values, those of hidden buffers included; dtypes and `requires_grad` are lost by native classes as well."""
    ours, theirs = values_of(before), values_of(again)
    assert list(ours) == list(theirs), f"loaded again: {unequal(list(ours), list(theirs))}"
    for name, tensor in ours.items():
        assert same_bits(tensor, theirs[name].to(tensor.dtype)), f"loaded again: {name} has another value"


def values_of(model: nn.Module) -> dict[str, torch.Tensor]:
    named = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    return {name: tensor.detach() for name, tensor in named}


def native_failure(model: PreTrainedModel, inputs: Mapping[str, Any]) -> str | None:
    """What goes wrong when an unmodified model of transformers is saved and loaded; None where nothing does."""
    try:
        outputs = run(model, inputs)
        again = saved_and_loaded(model)
        compare_loaded(model, again)
        compare(outputs, run(again, inputs), "loaded again")
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    return None
