"""Names of classes by which a live model and the emitted one can be compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from torch import nn

from archit_codegen.declaration.facts import ClassName
from archit_codegen.declaration.parametrized import plain_class


@dataclass(frozen=True)
class Patches:
    """The patched methods, name and what it does: of live modules by identity, of emitted classes by name."""

    live: Mapping[int, Mapping[str, str]]
    emitted: Mapping[str, Mapping[str, str]]


NO_PATCHES = Patches({}, {})


def names_of(package: ModuleType, origins: Mapping[str, str], patches: Patches = NO_PATCHES) -> ClassName:
    """Names classes by what they stand for, so that a variant and its original have one name, and by their patched
    methods: which of several variants stands at a path is seen by nothing else on meta."""

    known: dict[type, str] = {}

    def class_name(module: nn.Module) -> str:
        cls = plain_class(module)
        if cls not in known:  # a model has few classes, many times
            known[cls] = of_class(cls)
        methods = patches.live.get(id(module))
        return known[cls] + patched(methods) if methods else known[cls]

    def of_class(cls: type) -> str:
        if cls.__module__.startswith(f"{package.__name__}."):
            name = origins.get(cls.__qualname__, f"{cls.__module__}:{cls.__qualname__}")
            return name + patched(patches.emitted.get(cls.__qualname__, {}))
        return f"{cls.__module__}:{cls.__qualname__}"

    def patched(methods: Mapping[str, str]) -> str:
        return "".join([f", {name} patched ({code})" for name, code in sorted(methods.items())])

    return class_name
