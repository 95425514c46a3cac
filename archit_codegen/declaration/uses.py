"""The names that emitted text uses for live objects: short for torch, plain for what is imported or copied."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from ..errors import UnsupportedChange
from .changes import Added, AttributeChanged, Change, Delta, Parametrized, Replaced
from .importing import Import, import_of, importable
from .ir import Argument, CodeRef, ConfigCopy, Construction, Member, Structure, Value
from .ownership import is_user_code
from .usercode import UserCode, collect

TORCH = ((nn, "nn"), (nn.functional, "nn.functional"), (torch, "torch"))


class UsedNames:
    """Names for the classes and functions that constructions and attributes refer to.

    The user's are copied (or, with ``copy=False``, imported); ``imports`` are the bindings that the names need.
    """

    def __init__(self, objects: Mapping[int, Any], delta: Delta, reserved: frozenset[str], *, copy: bool) -> None:
        self._objects = objects
        self._copy = copy
        codes = list(dict.fromkeys(code.key for code in _codes_of_delta(delta)))
        self.roots = [objects[key] for key in codes if is_user_code(objects[key])] if copy else []
        self._reserved = reserved
        self.user = collect(self.roots, reserved=reserved)
        self.imports: dict[str, Import] = {}

    def add_roots(self, roots: list[Any]) -> UserCode:
        """Copy more of the user's definitions; names given before stay."""
        self.roots.extend(root for root in roots if root not in self.roots)
        self.user = collect(self.roots, reserved=self._reserved)
        return self.user

    def name_of(self, code: CodeRef) -> str:
        """The expression that gives the object in the emitted modelling file."""
        value = self._objects[code.key]
        if self._copy and is_user_code(value) and getattr(value, "__closure__", None):
            raise UnsupportedChange(
                code.qualname,
                "it is held as a value, and closes over what a copy of it would have to be given",
                "Define it at the top of a module, or as a class that keeps what it needs as attributes.",
            )
        if self._copy and is_user_code(value):
            return self.user.names[value]
        name = getattr(value, "__name__", code.qualname)
        for namespace, prefix in TORCH:
            if getattr(namespace, name, None) is value:
                self.imports[prefix.partition(".")[0]] = root_import(prefix)
                return f"{prefix}.{name}"
        found = importable(value, name) if is_user_code(value) else import_of(value, name)
        if found is None:
            raise UnsupportedChange(
                code.qualname, f"it cannot be imported from {code.module}", "Define it at the top of a module."
            )
        self.imports[name] = found
        return name


def root_import(prefix: str) -> Import:
    return Import("torch", "nn", "nn") if prefix.startswith("nn") else Import("torch", None, "torch")


def _codes_of_delta(delta: Delta) -> Iterator[CodeRef]:
    for edit in delta.edits:
        for construction in _constructions(edit):
            yield from _codes_of_construction(construction)
        if isinstance(edit, AttributeChanged):
            yield from _codes_of_value(edit.live)
        inner = getattr(edit, "delta", None)
        if inner is not None:
            yield from _codes_of_delta(inner)


def _constructions(edit: Change) -> Iterator[Construction]:
    if isinstance(edit, Replaced | Added):
        yield edit.construction
    elif isinstance(edit, Parametrized):
        yield from (call.construction for call in edit.calls if call.construction is not None)


def _codes_of_construction(construction: Construction) -> Iterator[CodeRef]:
    yield construction.code
    for argument in construction.arguments:
        yield from _codes_of_argument(argument)
    for _, nested in construction.children:
        yield from _codes_of_construction(nested)


def _codes_of_argument(argument: Argument) -> Iterator[CodeRef]:
    yield from _codes_of_value(argument.value)


def _codes_of_value(value: Value) -> Iterator[CodeRef]:
    if isinstance(value, CodeRef):
        yield value
    elif isinstance(value, Member):
        yield value.code
    elif isinstance(value, ConfigCopy):
        for _, item in value.fields:
            yield from _codes_of_value(item)
    elif isinstance(value, Structure):
        yield from () if value.code is None else (value.code,)
        for _, item in value.items:
            yield from _codes_of_value(item)
