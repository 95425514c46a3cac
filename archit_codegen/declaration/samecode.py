"""Whether two code objects are the same code, wherever in a file they stand."""

import math
import weakref
from types import CodeType

Fingerprint = tuple[object, ...]
# Code objects never change; by identity, since to compare them is what takes the time.
_known: dict[int, tuple[weakref.ref[CodeType], Fingerprint]] = {}


def same_code(one: CodeType, other: CodeType) -> bool:
    """Equal instructions, constants (nested code included), names, variables, arguments, flags; not lines."""
    if one.co_qualname != other.co_qualname or one.co_code != other.co_code:
        return False
    return one is other or fingerprint(one) == fingerprint(other)


def fingerprint(code: CodeType) -> Fingerprint:
    """What decides that equality, hashable."""
    known = _known.get(id(code))
    if known is None or known[0]() is not code:
        key = id(code)
        known = _known[key] = (weakref.ref(code, lambda _: _known.pop(key, None)), _fingerprint(code))
    return known[1]


def _fingerprint(code: CodeType) -> Fingerprint:
    return (
        code.co_qualname,
        code.co_code,
        code.co_exceptiontable,
        tuple(_constant(constant) for constant in code.co_consts),
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags),
    )


def _constant(value: object) -> object:
    """A constant with its type: ``1 == True == 1.0`` and ``0.0 == -0.0`` are no equalities of source."""
    if isinstance(value, CodeType):
        return fingerprint(value)
    if isinstance(value, tuple):
        return ("tuple", tuple(_constant(item) for item in value))
    if isinstance(value, frozenset):
        return ("frozenset", frozenset(_constant(item) for item in value))
    if isinstance(value, float):
        return ("float", _number(value))
    if isinstance(value, complex):
        return ("complex", _number(value.real), _number(value.imag))
    return (type(value).__name__, value)


def _number(value: float) -> object:
    return (math.copysign(1.0, value), "nan" if math.isnan(value) else value)
