"""Constructor signatures: binding a call's arguments to parameters, and back."""

import inspect
from collections.abc import Mapping
from typing import Any

Bound = tuple[str, str, int | str, Any]  # parameter, kind, position or keyword in the call, value


_known: dict[type, tuple[inspect.Parameter, ...]] = {}
_positions: dict[type, tuple[str, ...]] = {}


def constructor_parameters(cls: type) -> tuple[inspect.Parameter, ...]:
    """The parameters of ``cls(...)``, without ``self``."""
    if cls not in _known:
        try:
            parameters = tuple(inspect.signature(cls.__init__).parameters.values())  # type: ignore[misc]  # any class
        except (TypeError, ValueError):
            parameters = ()
        _known[cls] = parameters[1:]
    return _known[cls]


def bound_arguments(cls: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Bound, ...]:
    """Each argument of the call with the parameter it goes to; members of ``*args`` one by one."""
    bound: list[Bound] = []
    positional = _positional(cls) if args else ()
    for index, value in enumerate(args):
        if index < len(positional):
            bound.append((positional[index], "parameter", index, value))
        else:
            bound.append((f"*{index}", "positional", index, value))
    bound.extend((name, "parameter", name, value) for name, value in kwargs.items())
    return tuple(bound)


def _positional(cls: type) -> tuple[str, ...]:
    if cls not in _positions:
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        _positions[cls] = tuple(p.name for p in constructor_parameters(cls) if p.kind in kinds)
    return _positions[cls]
