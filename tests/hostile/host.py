"""The smallest model to which something hostile can be done, and what comes of it."""

import math
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import archit_codegen as archit
from tests.hostile.canary import SUNG

INPUTS = {"x": torch.ones(1, 3)}


class Tag(nn.Module):
    """Holds a value."""

    def __init__(self, value: Any = None) -> None:
        super().__init__()
        self.value = value

    def tell(self) -> Any:
        return None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Host(nn.Module):
    """A root of no library's."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.inner = nn.Linear(width, width)

    def tell(self) -> Any:
        return None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


class TaggedHost(Host):
    """With places for patched methods."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.tags = nn.ModuleList([Tag() for _ in range(8)])


def compiled(change: Callable[[Any], object], host: type[nn.Module] = Host, **options: Any) -> Any:
    """The package of a changed host, or the `ArchitError` that refuses it; nothing else may come out."""
    with archit.record():
        live = host(3)
        try:
            change(live)
        except (KeyError, TypeError, ValueError) as error:  # Python or torch itself does not have it
            return archit.ArchitError(str(error))
    settings = {"name": "hostile", "suffix": "WithEvil", "inputs": INPUTS} | options
    try:
        return archit.compile_model(live.eval(), **settings)
    except archit.ArchitError as error:
        # What is said about it is read on terminals, by people.
        assert str(error).isprintable(), ascii(str(error))
        assert "Please report this" not in str(error), str(error)
        return error


def rebuilt(package: Any) -> Any:
    """The root of an emitted package, built; nothing of the corpus was executed on the way."""
    module = package.load()
    for name, found in list(sys.modules.items()):
        if name.startswith(f"{module.__name__}.") and hasattr(found, package.root_class):
            built = getattr(found, package.root_class)(3)
            built(INPUTS["x"])
            assert SUNG == []
            return built
    raise AssertionError(package.root_class)


def alike(one: object, other: object) -> bool:
    """Equal with all types; the signs of zeros count, and a nan is like itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))  # type: ignore[arg-type]
    if isinstance(one, dict):
        return alike(list(one.items()), list(other.items()))  # type: ignore[attr-defined]
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)  # type: ignore[arg-type]
    return repr(one) == repr(other) if isinstance(one, float | complex) else bool(one == other)
