"""An independent judge: is what a package builds the live model? It shares no code with archit_codegen."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

logging.disable_progress_bar()

PLAIN = (int, float, complex, str, bytes, bool, type(None), torch.dtype, torch.device, torch.Size)
INTERNAL = set(vars(nn.Module())) | {"_is_hf_initialized", "_output_capturing_hooks_installed", "_modules"}
# What transformers notes down about a model when it is built, before any surgery, or when it is loaded.
BOOKKEEPING = {
    "all_tied_weights_keys", "_tied_weights_keys", "_keep_in_fp32_modules", "_keep_in_fp32_modules_strict",
    "_no_split_modules", "_tp_plan", "_ep_plan", "_pp_plan", "_fsdp_plan", "name_or_path", "warnings_issued",
    "loss_type", "_use_kernels", "_weight_conversions", "_keys_to_ignore_on_save", "_keys_to_ignore_on_load_missing",
    "_keys_to_ignore_on_load_unexpected", "_dtype_plan",
}  # fmt: skip
CONFIG = PreTrainedConfig
# Ties are judged by the identity of the tensors, not by what the config says of them.
CONFIG_BOOKKEEPING = {
    "model_type", "architectures", "auto_map", "_name_or_path", "transformers_version", "dtype", "tie_word_embeddings",
}  # fmt: skip


HEAD_FIELDS = ("head_", "classifier_dropout")


def judge(live: PreTrainedModel, package: Any, inputs: Mapping[str, Any], *, saved: bool = True) -> None:
    """Raise an AssertionError that says where the package's model differs from the live one."""
    judgement = Judgement(live, package)
    built = judgement.build(live.config._attn_implementation)
    judgement.compare_trees(built, "built")
    judgement.load(built)
    compare_outputs(live, built, inputs, "built", attentions=live.config._attn_implementation == "eager")
    if saved:
        judgement.compare_saved(built, inputs)
    if live.config._attn_implementation != "eager":
        judgement.compare_eager(inputs)


class Judgement:
    """One live model and the package that should declare it."""

    def __init__(self, live: PreTrainedModel, package: Any) -> None:
        self.live, self.module, self.heads = live, package.load(), package.heads
        self.root = getattr(self.module, package.root_class)
        declared = type(live).__name__
        assert package.root_class.startswith(declared), f"<root>: {package.root_class} is not named after {declared}"
        self.suffix = package.root_class.removeprefix(declared)

    def build(self, attention: str | None) -> PreTrainedModel:
        config_class = self.root.config_class
        values = without(self.live.config.to_dict(), {"model_type"}, config_class.sub_configs)
        config = config_class.from_dict(values)
        config._attn_implementation = attention
        return self.root(config).eval()

    def load(self, built: PreTrainedModel) -> None:
        weights = {name: tensor.clone() for name, tensor in self.live.state_dict().items()}
        assert list(weights) == list(built.state_dict()), f"state dict: {unequal(weights, built.state_dict())}"
        built.load_state_dict(weights, strict=True)
        for name, tensor in built.state_dict().items():
            assert same_bits(tensor, weights[name]), f"{name}: another value after load_state_dict (untied or tied?)"

    def compare_saved(self, built: PreTrainedModel, inputs: Mapping[str, Any]) -> None:
        attention = self.live.config._attn_implementation
        with tempfile.TemporaryDirectory() as directory:
            built.save_pretrained(directory)
            with poisoned_memory():
                again, report = self.root.from_pretrained(
                    directory, attn_implementation=attention, output_loading_info=True
                )
        problems = {kind: names for kind, names in report.items() if names}
        assert not problems, f"loaded again: {problems}"
        self.compare_trees(again, "loaded again")
        for name, tensor in self.live.state_dict().items():
            assert same_bits(tensor, again.state_dict()[name]), f"loaded again: {name} has another value"
        compare_outputs(self.live, again, inputs, "loaded again")

    def compare_eager(self, inputs: Mapping[str, Any]) -> None:
        built = self.build("eager")
        self.load(built)
        with eager(self.live):
            compare_outputs(self.live, built, inputs, "eager", attentions=True)

    def compare_trees(self, other: PreTrainedModel, when: str) -> None:
        ours, theirs = dict(walk(self.live)), dict(walk(other))
        assert list(ours) == list(theirs), f"{when}: modules: {unequal(ours, theirs)}"
        first_ours, first_theirs = first_paths(ours.items()), first_paths(theirs.items())
        for path, module in ours.items():
            where = f"{when}: {path or '<root>'}"
            assert first_ours[path] == first_theirs[path], (
                f"{where}: is the module at {first_ours[path]!r}, not the one at {first_theirs[path]!r}"
            )
            if module is not None and theirs[path] is not None:
                self.compare_modules(module, theirs[path], where)
            assert (module is None) == (theirs[path] is None), f"{where}: None on one side"
        compare_sharing(ours, theirs, when)

    def compare_modules(self, ours: nn.Module, theirs: nn.Module, where: str) -> None:
        self.compare_classes(type(ours), type(theirs), where)
        compare_tensors(ours._parameters, theirs._parameters, f"{where}: parameters")
        compare_tensors(ours._buffers, theirs._buffers, f"{where}: buffers")
        hidden = ours._non_persistent_buffers_set
        assert hidden == theirs._non_persistent_buffers_set, f"{where}: persistence of buffers"
        for name in sorted(hidden):
            mine, other = ours._buffers[name], theirs._buffers[name]
            assert mine is None or same_bits(mine, other), f"{where}: value of the non-persistent buffer {name}"
        assert ours.extra_repr() == theirs.extra_repr(), f"{where}: {ours.extra_repr()} became {theirs.extra_repr()}"
        assert ours.training == theirs.training, f"{where}: training mode"
        self.compare_attributes(ours, theirs, where)

    def compare_classes(self, ours: type, theirs: type, where: str) -> None:
        if ours.__module__ == theirs.__module__ == "torch.nn.utils.parametrize":  # made anew for each object
            (ours,), (theirs,) = ours.__bases__, theirs.__bases__
        if ours is theirs:
            return
        emitted = (theirs.__module__ + ".").startswith(self.module.__name__.split(".")[0] + ".")
        rest = theirs.__name__.removeprefix(ours.__name__).removeprefix(self.suffix)
        renamed = theirs.__name__.startswith(ours.__name__) and (not rest or rest.isdigit())
        assert emitted and renamed, f"{where}: {ours.__qualname__} became {theirs.__module__}.{theirs.__qualname__}"

    def compare_attributes(self, ours: nn.Module, theirs: nn.Module, where: str) -> None:
        classes = (type(ours), type(theirs))
        mine, other = attributes(ours, *classes), attributes(theirs, *classes)
        assert mine.keys() == other.keys(), f"{where}: attributes: {unequal(sorted(mine), sorted(other))}"
        other = {name: self.without_fields_of_heads(mine[name], value) for name, value in other.items()}
        for name, value in mine.items():
            renamed = isinstance(value, str) and other[name] in (value, value + self.suffix)
            if not renamed and value != other[name]:
                raise AssertionError(f"{where}.{name}: {differing(value, other[name])}")

    def without_fields_of_heads(self, ours: object, theirs: object) -> object:
        """The config of a package with heads has fields for these, with defaults, which the live one has not."""
        if not (self.heads and isinstance(ours, dict) and isinstance(theirs, dict)):
            return theirs
        return {key: v for key, v in theirs.items() if key in ours or not str(key).startswith(HEAD_FIELDS)}


def walk(module: nn.Module | None, path: str = "") -> Iterator[tuple[str, nn.Module | None]]:
    """Every slot, with the second paths of shared modules and the slots that hold None."""
    yield path, module
    for name, child in (module._modules if module is not None else {}).items():
        yield from walk(child, f"{path}.{name}" if path else name)


def first_paths(slots: Iterable[tuple[str, object]]) -> dict[str, str]:
    """For each path the first one that holds the same object: the partition by identity."""
    seen: dict[int, str] = {}
    return {path: path if value is None else seen.setdefault(id(value), path) for path, value in slots}


def compare_sharing(ours: Mapping[str, Any], theirs: Mapping[str, Any], when: str) -> None:
    mine, other = first_paths(tensors(ours)), first_paths(tensors(theirs))
    for path, first in mine.items():
        assert first == other[path], f"{when}: {path}: shared with {first}, in the package with {other[path]}"


def tensors(modules: Mapping[str, nn.Module | None]) -> Iterator[tuple[str, torch.Tensor | None]]:
    for path, module in modules.items():
        if module is not None:
            for name, tensor in (module._parameters | module._buffers).items():
                yield f"{path}.{name}", tensor


def compare_tensors(ours: Mapping[str, Any], theirs: Mapping[str, Any], where: str) -> None:
    assert list(ours) == list(theirs), f"{where}: {unequal(ours, theirs)}"
    for name, tensor in ours.items():
        mine, other = describe(tensor), describe(theirs[name])
        assert mine == other, f"{where}: {name}: {mine} became {other}"


def describe(tensor: torch.Tensor | None) -> object:
    if tensor is None:
        return None
    return type(tensor).__name__, tuple(tensor.shape), tensor.dtype, f"requires_grad={tensor.requires_grad}"


def attributes(module: nn.Module, *classes: type) -> dict[str, object]:
    """Plain attributes as comparable values; methods, of either class, are judged by what they compute."""
    names = set(vars(module)) - INTERNAL - (BOOKKEEPING if isinstance(module, PreTrainedModel) else set())
    found = {name: getattr(module, name) for name in sorted(names)}
    return {name: plain(value) for name, value in found.items() if not is_method(classes, name, value)}


def is_method(classes: Iterable[type], name: str, value: object) -> bool:
    return isinstance(value, (MethodType, FunctionType)) and any(hasattr(cls, name) for cls in classes)


def plain(value: Any) -> object:
    if isinstance(value, CONFIG):
        return without(value.to_dict(), CONFIG_BOOKKEEPING)
    if isinstance(value, PLAIN):
        return f"{type(value).__name__} {value!r}" if isinstance(value, (bool, float)) else value
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    if isinstance(value, torch.Tensor):
        return describe(value), value.tolist()
    return getattr(value, "__qualname__", type(value).__qualname__)


def without(value: Any, names: set[str], into: Iterable[str] | None = None) -> Any:
    """A dict without the given keys, and the dicts in it (all, or those under the keys of `into`) as well."""
    if not isinstance(value, dict):
        return value
    kept = {key: item for key, item in value.items() if key not in names}
    return {key: without(item, names) if into is None or key in into else item for key, item in kept.items()}


def unequal(ours: Iterable[str], theirs: Iterable[str]) -> str:
    ours, theirs = list(ours), list(theirs)
    missing, extra = [n for n in ours if n not in theirs], [n for n in theirs if n not in ours]
    if not missing and not extra:
        at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), -1)
        return f"another order from {ours[at]!r} / {theirs[at]!r}"
    return f"missing {missing[:5]}, extra {extra[:5]}"


def differing(ours: Any, theirs: Any) -> str:
    """Both values, or of two dicts only what differs."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = [key for key in ours | theirs if ours.get(key, Ellipsis) != theirs.get(key, Ellipsis)]
        ours, theirs = ({key: value[key] for key in keys if key in value} for value in (ours, theirs))
    return f"{ours!r} became {theirs!r}"


def same_bits(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return False
    one, other = (tensor.detach().contiguous().reshape(-1).view(torch.uint8) for tensor in (ours, theirs))
    return torch.equal(one, other)


@torch.no_grad()
def compare_outputs(
    live: nn.Module, built: nn.Module, inputs: Mapping[str, Any], when: str, attentions: bool = False
) -> None:
    wanted = dict(inputs, output_hidden_states=True, **({"output_attentions": True} if attentions else {}))
    ours, theirs = dict(leaves(live(**wanted))), dict(leaves(built(**wanted)))
    assert list(ours) == list(theirs), f"{when}: outputs: {unequal(ours, theirs)}"
    for needed in ["hidden_states"] + ["attentions"] * attentions:
        assert any(needed in name for name in ours), f"{when}: the live model returned no {needed}"
    for name, value in ours.items():
        if isinstance(value, torch.Tensor):
            assert same_bits(value, theirs[name]), f"{when}: output {name} differs"
        else:
            assert value == theirs[name], f"{when}: output {name}: {value!r} became {theirs[name]!r}"


def leaves(value: Any, path: str = "output") -> Iterator[tuple[str, Any]]:
    """The tensors (and plain values) in a model output, those in a cache of keys and values included."""
    if isinstance(value, (torch.Tensor, *PLAIN)):
        yield path, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    elif not isinstance(value, (type, FunctionType, MethodType, ModuleType)):
        yield from leaves(vars(value), path)


@contextmanager
def poisoned_memory() -> Iterator[None]:
    """New memory holds NaN or the largest integer: what nobody fills must not be right by chance."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


@contextmanager
def eager(model: nn.Module) -> Iterator[None]:
    """Every config inside the model set to eager attention, and put back after."""
    held = [config for module in model.modules() if isinstance(config := getattr(module, "config", None), CONFIG)]
    nested = [getattr(config, name) for config in held for name in config.sub_configs]
    configs = {id(config): config for config in held + nested if isinstance(config, CONFIG)}
    before = {key: config._attn_implementation for key, config in configs.items()}
    try:
        for config in configs.values():
            config._attn_implementation_internal = "eager"
        yield
    finally:
        for key, config in configs.items():
            config._attn_implementation_internal = before[key]
