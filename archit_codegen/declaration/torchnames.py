"""What this process put into the modules of torch that everybody uses."""

import functools
import sys
from types import BuiltinFunctionType, FunctionType, ModuleType

import torch
from torch import nn

from ..errors import UnsupportedChange
from .ownership import is_of_user

NAMESPACES: tuple[ModuleType, ...] = (torch.nn.functional, torch.nn, torch)


def check_torch(name: str) -> None:
    """Raises ``UnsupportedChange`` where a name of torch gives what torch did not put there."""
    for namespace in NAMESPACES:
        value = vars(namespace).get(name)
        if callable(value) and not _is_own(name, value, namespace):
            given = getattr(value, "__qualname__", type(value).__qualname__)
            raise UnsupportedChange(
                f"{namespace.__name__}.{name}",
                f"it was patched in this process by {given}, for every model alike",
                "Undo that, and put the function or class into the modules that shall use it.",
            )


def _is_own(name: str, value: object, namespace: ModuleType) -> bool:
    if is_of_user(value):
        return False
    if not isinstance(value, type | FunctionType | BuiltinFunctionType):
        return not isinstance(value, functools.partial)
    root = str(value.__module__).partition(".")[0]
    if namespace is nn and value.__name__ != name:
        return False  # all classes of that module stand there under their own names
    return root in ("torch", "typing_extensions") or root in sys.stdlib_module_names
