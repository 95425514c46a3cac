"""What a function that stands on a module holds of it: the module itself, what is in it, and its methods."""

from dataclasses import dataclass
from types import CodeType, FunctionType, MethodType

import torch
from torch import nn

from .literal import is_writable
from .ownership import is_user_layer
from .wrapping import as_written, closure_values


@dataclass(frozen=True, slots=True)
class Patch:
    """A function that stands in the place of a method, on a module or (without one) on a class.

    ``bound``: it is called with the module as its first argument, else with the arguments alone.
    """

    function: FunctionType
    owner: nn.Module | None
    bound: bool


@dataclass(frozen=True, slots=True)
class HeldMethod:
    """A bound method of a module: ``path`` leads to that from the module that holds it ("" is the module itself)."""

    path: str
    name: str
    function: FunctionType
    current: bool  # whether the name still gives this method


def held_part(value: object, module: nn.Module) -> str | None:
    """The path of a module, parameter or buffer in a module ("" for itself), or of an object that it keeps as an
    attribute, such as its config; None for anything else."""
    if isinstance(value, nn.Module):
        return next((path for path, part in module.named_modules() if part is value), None)
    if isinstance(value, torch.Tensor):
        tensors = (*module.named_parameters(), *module.named_buffers())
        return next((path for path, tensor in tensors if tensor is value), None)
    if callable(value) or is_writable(value):
        return None
    return next((name for name, kept in vars(module).items() if kept is value and not name.startswith("_")), None)


def held_method(value: object, module: nn.Module) -> HeldMethod | None:
    """The bound method of the module, or of what is in it; None for anything else."""
    if not isinstance(value, MethodType) or not isinstance(value.__func__, FunctionType):
        return None
    owner, function = value.__self__, value.__func__
    path = held_part(owner, module) if isinstance(owner, nn.Module) else None
    if path is None:
        return None
    by_name = {name for base in type(owner).__mro__ for name, member in vars(base).items() if member is function}
    name = min(by_name, default=function.__name__)
    current = name not in vars(owner) and getattr(type(owner), name, None) is function
    return HeldMethod(path, name, function, current)


def needing(value: object, module: nn.Module) -> tuple[FunctionType, bool] | None:
    """The user's function under a value that can run as a method of the module alone, and whether it takes that as its
    first argument: a method bound to it that its class does not have, or a function that holds something of it."""
    if isinstance(value, MethodType):
        function = value.__func__
        if value.__self__ is module and isinstance(function, FunctionType) and is_user_layer(as_written(function)):
            return function, True
        return None
    if isinstance(value, FunctionType) and is_user_layer(as_written(value)) and _holds(value, module, frozenset()):
        return value, False
    return None


def held_values(function: FunctionType) -> list[object]:
    """What a function holds: what it closes over, its defaults, and what it reads of modules in the global names."""
    named = (function.__kwdefaults__ or {}).values()
    read = (function.__globals__.get(name) for name in _global_names(function.__code__))
    of_modules = [value for value in read if isinstance(value, nn.Module | MethodType | torch.Tensor)]
    return [*closure_values(function).values(), *(function.__defaults__ or ()), *named, *of_modules]


def _global_names(code: CodeType) -> list[str]:
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return [*code.co_names, *(name for constant in inner for name in _global_names(constant))]


def _holds(function: FunctionType, module: nn.Module, seen: frozenset[int]) -> bool:
    if id(function) in seen:
        return False
    seen |= {id(function)}
    return any(
        _holds(value, module, seen) if isinstance(value, FunctionType) else said_of(value, module) is not None
        for value in held_values(as_written(function))
    )


def said_of(value: object, module: nn.Module) -> str | None:
    """The same text for what two modules alike hold of themselves; None for what is not theirs."""
    if (path := held_part(value, module)) is not None:
        return f"own {path}"
    if (method := held_method(value, module)) is not None:
        return f"own {method.path}.{method.name} {method.current}"
    return None
