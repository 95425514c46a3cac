"""What functions do, as text that is equal for functions that do the same."""

import hashlib
from itertools import takewhile
from types import CodeType, FunctionType, MethodType
from typing import Any

from torch import nn

from .held import held_values, said_of
from .literal import is_writable, write_literal
from .ownership import is_user_layer
from .wrapping import as_written, wrapper_layers


def code_digest(code: CodeType) -> str:
    """A hash of what a code object does, blind to its file and lines."""
    return hashlib.sha256(repr(_code_parts(code)).encode()).hexdigest()[:16]


def _code_parts(code: CodeType) -> tuple[object, ...]:
    constants = tuple(
        _code_parts(constant) if isinstance(constant, CodeType) else (type(constant).__name__, repr(constant))
        for constant in code.co_consts
    )
    return code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars


def function_digest(function: FunctionType) -> str:
    """What a function does: its code, what it closes over, and its defaults."""
    held = (write_literal(value) if is_writable(value) else str(id(value)) for value in held_values(function))
    return code_digest(function.__code__) + "".join(f" {text}" for text in held)


def patch_digest(function: FunctionType, owner: nn.Module, seen: tuple[int, ...] = ()) -> str:
    """The same for a function that stands on a module, as its statement gives it, with what its decorators hold: equal
    for modules alike to which it does the same."""
    written = as_written(function)
    layers = [*takewhile(lambda layer: layer is not written, wrapper_layers(function)), written]
    seen = (*seen, *map(id, layers))
    own = [layer for layer in layers if layer is written or is_user_layer(layer)]
    return " ".join(_layer_digest(layer, owner, seen) for layer in own)


def _layer_digest(function: FunctionType, owner: nn.Module, seen: tuple[int, ...]) -> str:
    held = (_held_digest(value, owner, seen) for value in held_values(function))
    return code_digest(function.__code__) + "".join(f" {text}" for text in held)


def _held_digest(value: Any, owner: nn.Module, seen: tuple[int, ...]) -> str:
    if is_writable(value):
        return write_literal(value)
    own = said_of(value, owner)
    function = value.__func__ if own is not None and isinstance(value, MethodType) else value
    if not isinstance(function, FunctionType):
        return str(id(value)) if own is None else own
    if id(function) in seen:
        return f"{own} {seen.index(id(function))} of these"
    if not is_user_layer(function):
        return f"{own} {id(function)}"
    return f"{own} {function.__globals__.get('__name__')}.{patch_digest(function, owner, seen)}"
