"""Parametrized modules (`torch.nn.utils.parametrize`): their own class below the one that torch makes at run time."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.nn.utils import parametrizations, parametrize

# torch's own parametrizations are private classes, each behind a public function of this name.
FUNCTIONS = {
    "_WeightNorm": parametrizations.weight_norm,
    "_SpectralNorm": parametrizations.spectral_norm,
    "_Orthogonal": parametrizations.orthogonal,
}

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def plain_class(module: nn.Module) -> type[nn.Module]:
    """The class of a module, as it was before a parametrization gave it a class of its own."""
    cls = type(module)
    return cls.__mro__[1] if cls.__module__ == parametrize.__name__ and parametrize.is_parametrized(module) else cls


def parametrized_names(module: nn.Module) -> tuple[str, ...]:
    """The tensors of a module that are computed by a parametrization."""
    return tuple(module.parametrizations) if parametrize.is_parametrized(module) else ()  # type: ignore[arg-type]  # a ModuleDict


def torch_function(module: nn.Module, name: str, part: Any) -> tuple[str, Mapping[str, Any]] | None:
    """The public function of torch that registers ``part`` for a tensor, with the arguments that are not its defaults;
    None for a parametrization of anybody else."""
    function: Any = FUNCTIONS.get(type(part).__name__) if type(part).__module__ == parametrizations.__name__ else None
    if function is None:
        return None
    defaults = {key: parameter.default for key, parameter in inspect.signature(function).parameters.items()}
    if function is parametrizations.spectral_norm:
        defaults["dim"] = int(isinstance(module, TRANSPOSED))
    given = {"name": name} | {key: value for key, value in _kept(part).items() if key in defaults}
    return function.__name__, {key: value for key, value in given.items() if value != defaults[key]}


def _kept(part: Any) -> Mapping[str, Any]:
    """The arguments that torch's parametrizations keep as attributes."""
    kept = {name: value for name, value in vars(part).items() if name in ("dim", "eps", "n_power_iterations")}
    if type(part).__name__ == "_Orthogonal":
        kept = {"orthogonal_map": part.orthogonal_map.name, "use_trivialization": "base" in part._buffers}
    return kept
