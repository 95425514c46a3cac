"""The judge on meta: is what the package builds the live model, slot by slot and method by method?

Without weights, and as `tests.judge`, whose pieces it uses, without any code of archit_codegen. A snapshot is taken
while the modification stands; what it did to the process (a patched class) is undone before the package is loaded.
"""

import copy
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from types import CodeType, FunctionType, MethodType
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from tests.judge import (
    BOOKKEEPING,
    INTERNAL,
    Judgement,
    compare_tensors,
    describe,
    differing,
    plain,
    unequal,
    walk,
)
from tests.zoo.code import (
    as_function,
    describe_function,
    does,
    held_functions,
    renamed,
    resolved,
    same_text,
    tested_variants,
)
from tests.zoo.drift import Values, drifted

UNCOMPARED = {"__init__", "_init_weights"}
"""What they do is seen in the tree; the names of variants are written into them."""
REGISTERED = {
    "_auto_class",
    "_can_set_attn_implementation_cached_value",
    "_can_set_experts_implementation_cached_value",
}
Methods = dict[str, FunctionType]


class Snapshot:
    """The methods that every module of a live model runs, on its class or on itself."""

    def __init__(self, live: nn.Module) -> None:
        self.by_class: dict[type, Methods] = {}
        self.own: dict[int, Methods] = {}
        self.values = {cls: class_values(cls) for cls in set(map(type, live.modules()))}
        for module in live.modules():
            if type(module) not in self.by_class:
                self.by_class[type(module)] = methods_of(type(module))
            own = {name: as_function(value) for name, value in vars(module).items()}
            self.own[id(module)] = {name: value for name, value in own.items() if value is not None}

    def of(self, module: nn.Module) -> Methods:
        return self.by_class[type(module)] | self.own[id(module)]


def methods_of(cls: type) -> Methods:
    names = set(dir(cls)) - set(UNCOMPARED) - BOOKKEEPING  # of which some are properties
    found = {name: as_function(inspect.getattr_static(cls, name)) for name in sorted(names)}
    return {name: value for name, value in found.items() if value is not None and not inherited(value)}


def class_values(cls: type) -> dict[str, object]:
    """Plain attributes of the class, its own and inherited: what a method reads as `self.name`."""
    names = {
        name for base in cls.__mro__ for name, value in vars(base).items() if type(value) in (bool, int, float, str)
    }
    kept = {name for name in names - BOOKKEEPING - REGISTERED if not name.startswith("__")}
    return {name: plain(getattr(cls, name)) for name in sorted(kept)}


@cache
def constructing(cls: type) -> frozenset[str]:
    """Private methods that `__init__` calls, and no other method: what they do is seen in the tree, as is what it
    does. Public ones may be called by anybody, again."""
    codes = {name: function.__code__ for name, function in methods_of(cls).items()}
    private = {name for name in codes if name.startswith("_") and not name.endswith("__")}
    initialisers = [vars(base)["__init__"] for base in cls.__mro__ if "__init__" in vars(base)]
    called = {name for init in map(as_function, initialisers) if init for name in mentioned(init.__code__)}
    found: set[str] = set()
    while fresh := (called & private) - found:
        found |= fresh
        called = {name for one in fresh for name in mentioned(codes[one])}
    later = {name for one, code in codes.items() if one not in found for name in mentioned(code)}
    return frozenset(found - later)


def mentioned(code: CodeType) -> set[str]:
    inner = [value for value in code.co_consts if isinstance(value, CodeType)]
    return set(code.co_names).union(*map(mentioned, inner))


def inherited(function: FunctionType) -> bool:
    return function.__module__ in ("torch.nn.modules.module", "transformers.modeling_utils")


class MetaJudgement(Judgement):
    """One live model and the package that should declare it, both without memory."""

    def __init__(self, live: PreTrainedModel, package: Any, snapshot: Snapshot) -> None:
        super().__init__(live, package)
        self.snapshot, self.configs, self.descriptions = snapshot, {}, {}
        self.built_methods: dict[type, Methods] = {}
        self.built_values: dict[type, dict[str, object]] = {}
        self.drift, self.package = "", self.module.__name__.split(".")[0]
        self.variants: dict[object, set[type]] = {}

    def judge(self) -> None:
        with torch.device("meta"):
            built = self.build_as(self.live.config)
        self.compare_trees(built, "built")
        ours, theirs = list(self.live.state_dict()), list(built.state_dict())
        assert ours == theirs, f"state dict: {unequal(ours, theirs)}"

    def compare_trees(self, built: nn.Module, when: str) -> None:
        """Once more where the native class itself makes another config of what it is given: then `drift` says so."""
        for cls in {type(module) for module in built.modules() if type(module).__module__.startswith(self.package)}:
            self.variants.setdefault(renamed(cls.__name__, self.suffix), set()).add(cls)
        try:
            super().compare_trees(built, when)
        except AssertionError:
            if self.drift or not isinstance(self.live, PreTrainedModel):
                raise
            values, self.drift = drifted(self.live, values_of)
            if not self.drift:
                raise
            self.configs |= dict(self.copies(values)) | values
            super().compare_trees(built, when)

    def copies(self, drifted: Values) -> Iterator[tuple[int, tuple[PreTrainedConfig, object]]]:
        """Copies of such a config, of layers that were copied with it: they are written as the config itself."""
        became = [(plain(config), value) for config, value in drifted.values()]
        held = (value for module in self.live.modules() for value in vars(module).values())
        for key, config in {id(value): value for value in held if isinstance(value, PreTrainedConfig)}.items():
            yield from ((key, (config, new)) for old, new in became if plain(config) == old)

    def build_as(self, live: PreTrainedConfig) -> PreTrainedModel:
        config_class = self.root.config_class
        config = config_class.from_dict(values_of(live, config_class))
        config._attn_implementation_internal = live._attn_implementation
        return self.root(config).train(self.live.training)

    def compare_modules(self, ours: nn.Module, theirs: nn.Module, where: str) -> None:
        self.compare_classes(type(ours), type(theirs), where)
        compare_tensors(ours._parameters, theirs._parameters, f"{where}: parameters")
        compare_tensors(ours._buffers, theirs._buffers, f"{where}: buffers")
        hidden = ours._non_persistent_buffers_set & set(ours._buffers)
        assert hidden == theirs._non_persistent_buffers_set & set(theirs._buffers), f"{where}: persistence of buffers"
        mine, other = self.shown(ours), self.shown(theirs)
        assert mine == other, f"{where}: {mine} became {other}"
        self.compare_attributes(ours, theirs, where)
        if type(theirs) not in self.built_values:
            self.built_values[type(theirs)] = class_values(type(theirs))
        mine, other = self.snapshot.values[type(ours)], self.built_values[type(theirs)]
        assert mine == other, f"{where}: attributes of the class: {differing(mine, other)}"
        self.compare_methods(ours, theirs, where)

    def compare_attributes(self, ours: nn.Module, theirs: nn.Module, where: str) -> None:
        mine, other = self.attributes(ours), self.attributes(theirs)
        assert mine.keys() == other.keys(), f"{where}: attributes: {unequal(sorted(mine), sorted(other))}"
        for name, value in mine.items():
            renamed = isinstance(value, str) and other[name] in (value, value + self.suffix)
            if not renamed and value != other[name]:
                raise AssertionError(f"{where}.{name}: {differing(value, other[name])}")

    def attributes(self, module: nn.Module) -> dict[str, object]:
        names = set(vars(module)) - INTERNAL - (BOOKKEEPING if isinstance(module, PreTrainedModel) else set())
        found = {name: vars(module)[name] for name in sorted(names)}
        return {
            name: self.config_values(value) if isinstance(value, PreTrainedConfig) else weightless(value, self.suffix)
            for name, value in found.items()
            if not isinstance(value, (MethodType, FunctionType))
        }

    def shown(self, module: nn.Module) -> str:
        """What it prints of itself, configs in it by their values: their class has another name."""
        text = module.extra_repr()
        for value in vars(module).values():
            if isinstance(value, PreTrainedConfig) and f"{type(value).__name__} {{" in text:
                text = text.replace(str(value), str(self.config_values(value)))
        return text

    def config_values(self, config: PreTrainedConfig) -> object:
        """Most modules hold one and the same config, and writing it as a dict takes a while."""
        if id(config) not in self.configs:
            self.configs[id(config)] = config, plain(config)  # the config is kept, so that its id stays its own
        return self.configs[id(config)][1]

    def compare_methods(self, ours: nn.Module, theirs: nn.Module, where: str) -> None:
        if type(theirs) not in self.built_methods:
            self.built_methods[type(theirs)] = methods_of(type(theirs))
        own = {name: as_function(value) for name, value in vars(theirs).items()}
        building = constructing(type(ours))
        other = self.built_methods[type(theirs)] | {name: value for name, value in own.items() if value is not None}
        for name, function in self.snapshot.of(ours).items():
            assert name in other, f"{where}: method {name} is missing"
            if name in building:
                continue
            same = function is other[name] or self.is_in_place(function, other[name], name, ours, other)
            assert same or same_text(function, other[name], self.suffix), f"{where}: method {name} has other code"
            self.compare_tests(other[name], where)
        mine = self.snapshot.of(ours)
        surplus = [name for name in other.keys() - mine.keys() if hasattr(nn.Module, name)]
        assert not surplus, f"{where}: methods that only the package has: {sorted(surplus)}"

    def compare_tests(self, function: FunctionType, where: str) -> None:
        """Where it asks for one variant of a class, it asks for each that stands in the model."""
        tested = tested_variants(function, self.package)
        for cls in tested:
            missing = self.variants.get(renamed(cls.__name__, self.suffix), set()) - tested
            missing = {one for one in missing if not issubclass(one, tuple(tested))}
            assert not missing, f"{where}: {function.__name__} does not ask for {sorted(map(str, missing))}"

    def is_in_place(
        self, function: FunctionType, built: FunctionType, name: str, ours: nn.Module, others: Methods
    ) -> bool:
        """The same code; or a closure over what stood here before, or a look at the object's class for it: what is
        built has that under another name."""
        if self.described(function) == self.described(built):
            return True
        held = held_functions(function)
        if name in function.__code__.co_names and name in (known := self.snapshot.by_class[type(ours)]):
            held.append(known[name])
        called = [other for key, other in others.items() if key in built.__code__.co_names]
        return does(function) == does(built) and any(
            self.is_in_place(one, other, name, ours, others) for one in held for other in called if other is not built
        )

    def described(self, function: FunctionType) -> object:
        if function not in self.descriptions:
            self.descriptions[function] = describe_function(function, self.suffix, ())
        return self.descriptions[function]


def values_of(live: PreTrainedConfig, wanted: type[PreTrainedConfig]) -> dict[str, Any]:
    """As `to_dict`, which turns tuples into lists; `model_type` only where it decides the class of an inner config."""
    values = {name: value for name, value in live.to_dict().items() if name != "model_type"}
    held = {name: vars(live).get(name) for name in values}  # some configs refuse to tell what differs by layer
    inner = {name for name, kind in wanted.sub_configs.items() if issubclass(kind, PreTrainedConfig)}
    for name, value in held.items():
        if isinstance(value, (tuple, list)):
            values[name] = copy.deepcopy(value)
        elif isinstance(value, PreTrainedConfig):
            kind = {} if name in inner else {"model_type": value.model_type}
            values[name] = kind | values_of(value, wanted.sub_configs[name] if name in inner else type(value))
    return values


def weightless(value: object, suffix: str) -> object:
    """A tensor on meta has no values; a list of them is its parameters under other names. Functions by what they do:
    one of the module's own class stands in a variant of it as well."""
    if isinstance(value, torch.Tensor):
        return describe(value)
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [weightless(item, suffix) for item in value]
    if isinstance(value, Mapping):
        return {key: weightless(item, suffix) for key, item in value.items()}
    return resolved(value, suffix, ()) if isinstance(value, (FunctionType, MethodType)) else plain(value)


def fingerprint(model: nn.Module) -> object:
    """What compiling must leave alone."""
    slots = [(path, id(module), type(module) if module is not None else None) for path, module in walk(model)]
    tensors = [(name, id(tensor)) for name, tensor in model.named_parameters(remove_duplicate=False)]
    return slots, tensors, [hook_count(module) for _, module in walk(model)], repr(getattr(model, "config", None))


def hook_count(module: nn.Module | None) -> Mapping[str, int]:
    if module is None:
        return {}
    held = {name: value for name, value in vars(module).items() if name.endswith("_hooks")}
    return {name: len(value) for name, value in held.items() if isinstance(value, dict)}
