"""Parametrized modules (`torch.nn.utils.parametrize`): their own class below the one that torch makes at run time."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn
from torch.nn.utils import parametrizations, parametrize

from ..errors import ArchitError, UnsupportedChange
from .ir import Argument, Construction, Parametrization, Value, join

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
    if "parametrizations" not in module._modules:  # to ask for it raises and catches an error
        return ()
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


def parametrize_like(
    module: nn.Module,
    live: Any,
    path: str,
    value: Callable[[Any], Value],
    construct: Callable[[nn.Module, str], tuple[Construction, nn.Module]],
) -> Mapping[str, tuple[Parametrization, ...]]:
    """Registers on ``module`` what is registered on the live module alone, removes what is not, and says how.

    ``construct`` makes a parametrization of the user's anew.

    Raises:
        UnsupportedChange: they cannot be registered on `meta`, where models are built before they are loaded.
    """
    before, after = parametrized_names(module), parametrized_names(live)
    calls: dict[str, tuple[Parametrization, ...]] = {}
    try:
        for name in (name for name in before if name not in after):
            parametrize.remove_parametrizations(module, name)  # the class is put back in place
            calls[name] = ()
        for name in (name for name in after if name not in before):
            parts = live.parametrizations[name]
            calls[name] = tuple(
                _registered(module, name, part, path, value, construct, parts.unsafe) for part in parts
            )
    except ArchitError:
        raise
    except Exception as error:  # registering runs the user's code
        raise UnsupportedChange(
            path,
            f"its parametrization cannot be registered on the meta device ({type(error).__name__}: {error})",
            "Write its `forward` and `right_inverse` so that they run on tensors without values.",
        ) from error
    return calls


def _registered(
    module: nn.Module,
    name: str,
    part: nn.Module,
    path: str,
    value: Callable[[Any], Value],
    construct: Callable[[nn.Module, str], tuple[Construction, nn.Module]],
    unsafe: bool,
) -> Parametrization:
    own = torch_function(module, name, part)
    if own is not None:
        getattr(parametrizations, own[0])(module, **own[1])
        return Parametrization(own[0], tuple(Argument(key, value(v), "parameter", True) for key, v in own[1].items()))
    construction, made = construct(part, join(path, name))
    parametrize.register_parametrization(module, name, made, unsafe=unsafe)
    return Parametrization(None, construction=construction, unsafe=unsafe)
