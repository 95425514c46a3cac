"""Compares the code that the process runs with the code that the installed source declares.

A patched class or module function hits the live model and its reference alike, so no comparison of the two can see it.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import Any

from torch import nn

from ..errors import UnsupportedChange
from .livesource import matches_defaults, matches_source, own_functions, written_functions
from .ownership import is_user_code, is_user_layer, is_user_module
from .patchedmembers import layers_of, patched_members
from .sourcefile import source_file
from .topnames import still_means
from .torchnames import check_torch


@dataclass(slots=True)
class Process:
    """What was patched in this process, as far as the classes of a model reach it.

    ``relays`` are functions of transformers that call a patched one: they have to be emitted to call it still.
    """

    config_values: frozenset[str] = frozenset()
    relays: dict[int, FunctionType] = field(default_factory=dict)
    _methods: dict[type, Mapping[str, FunctionType]] = field(default_factory=dict)
    _functions: dict[type, Mapping[str, Any]] = field(default_factory=dict)
    _reached: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    _exchanged: dict[tuple[int, str], bool] = field(default_factory=dict)

    def methods(self, cls: type) -> Mapping[str, FunctionType]:
        """The methods, own and inherited, that stand in for declared ones."""
        if cls not in self._methods:
            found: dict[str, FunctionType] = {}
            for base in reversed(cls.__mro__):
                if is_user_code(base):
                    _check_reached(base, found)
                for name in vars(base):
                    found.pop(name, None)  # an override hides what was patched above it
                if not _is_fixed(base):
                    patched = patched_members(base)
                    if patched and base.__module__.partition(".")[0] == "torch":
                        raise UnsupportedChange(
                            f"{base.__module__}.{base.__qualname__}.{min(patched)}",
                            "a class of torch's own was patched in this process, for every model alike",
                            "Undo that, and patch the modules that it is meant for.",
                        )
                    found |= patched
            self._methods[cls] = found
        return self._methods[cls]

    def functions(self, cls: type) -> Mapping[str, Any]:
        """The patched functions that the class's own methods reach by global names: name -> what stands there now."""
        if cls not in self._functions:
            found: dict[str, Any] = {}
            if not (_is_fixed(cls) or is_user_code(cls)):
                for function in own_functions(cls):
                    found |= self._reach(function)
            self._functions[cls] = found
        return self._functions[cls]

    def _reach(self, function: FunctionType) -> Mapping[str, Any]:
        if id(function) in self._reached:
            return self._reached[id(function)]
        found: dict[str, Any] = {}
        self._reached[id(function)] = found
        scope = function.__globals__
        for name in sorted(_names(function.__code__)):
            check_torch(name)
            if name in scope:
                self._reach_name(name, scope, found)
        return found

    def _reach_name(self, name: str, scope: Mapping[str, Any], found: dict[str, Any]) -> None:
        value = scope[name]
        if self._is_exchanged(name, value, scope):
            found[name] = value
        elif isinstance(value, FunctionType):
            if value.__globals__ is scope and (inner := self._reach_all(value)):
                found |= inner
                self.relays[id(value)] = value
        elif isinstance(value, type):
            _check_helper(name, value)
        elif hasattr(type(value), "__getitem__") and hasattr(type(value), "items"):
            self._check_registry(name, value)

    def _is_exchanged(self, name: str, value: Any, scope: Mapping[str, Any]) -> bool:
        """Whether a global name of a library was bound to another class or function than its file says."""
        key = id(scope), name
        if key not in self._exchanged:
            if isinstance(value, FunctionType):
                _check_code(name, value, scope)
            self._exchanged[key] = not is_user_code_scope(scope) and not still_means(name, value, scope)
        if self._exchanged[key] and not isinstance(value, type | FunctionType):
            raise UnsupportedChange(
                f"{scope.get('__name__')}.{name}",
                f"this process put another object in its place, a {type(value).__name__}",
                "Undo that, and put a function or class of your own there.",
            )
        return self._exchanged[key]

    def _reach_all(self, function: FunctionType) -> Mapping[str, Any]:
        return {k: v for written in written_functions(function) for k, v in self._reach(written).items()}

    def _check_registry(self, name: str, registry: Any) -> None:
        for key in self.config_values:
            try:
                entry = registry[key]
            except (KeyError, TypeError, IndexError, AttributeError):
                continue
            for function in written_functions(entry):
                put = [function] if is_user_layer(function) or not matches_source(function) else self._reach(function)
                for patched in put:
                    said = patched.__qualname__ if isinstance(patched, FunctionType) else patched
                    raise UnsupportedChange(
                        name,
                        f"the config uses the entry {key!r}, which this process put in or patched ({said})",
                        "Patch the `forward` of the modules that use it instead, so that a class can declare it.",
                    )


def _check_helper(name: str, cls: type) -> None:
    """Raises ``UnsupportedChange`` for a patched class of transformers that is no module: none is emitted for it."""
    if issubclass(cls, nn.Module):
        return
    for base in cls.__mro__:
        if _is_plain_class(base) and (patched := patched_members(base)):
            raise UnsupportedChange(
                f"{base.__module__}.{base.__qualname__}.{min(patched)}",
                f"it was patched in this process, and the model uses {name}",
                "Undo that, and use a class of your own.",
            )


def _is_plain_class(cls: type) -> bool:
    """Whether a statement of transformers made the class: named tuples and the Auto classes get methods otherwise."""
    if not cls.__module__.startswith("transformers.") or cls.__module__.startswith("transformers.models.auto."):
        return False
    source = source_file(getattr(sys.modules.get(cls.__module__), "__file__", None) or "")
    return source is not None and cls.__qualname__ in source.codes


def _check_reached(cls: type, patched: Mapping[str, FunctionType]) -> None:
    """Raises ``UnsupportedChange`` where a user's class may call a method that was patched above it: its copy would
    call the declared one."""
    named = {name for function in own_functions(cls) for name in _names(function.__code__)}
    for name in sorted(named & patched.keys()):
        raise UnsupportedChange(
            f"{cls.__qualname__}.{name}",
            "the class names a method that was patched in this process on a class of a library above it",
            "Undo that, and write the method into your class.",
        )


def strings_in(value: object) -> Iterator[str]:
    """Every string in nested dicts and lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from strings_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings_in(item)


def _is_fixed(cls: type) -> bool:
    return cls.__module__ in ("builtins", "abc", "typing")


def _names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names


def _check_code(name: str, value: FunctionType, scope: Mapping[str, Any]) -> None:
    layers = list(layers_of(value))
    if any(is_user_layer(layer) for layer in layers) or source_file(str(scope.get("__file__", ""))) is None:
        return
    inner = layers[-1]
    if inner.__code__.co_filename != "<string>" and not (matches_source(inner) and _keeps_defaults(inner)):
        raise UnsupportedChange(
            f"{inner.__module__}.{name}",
            "its code or its defaults were changed in memory, and no text says so",
            "Undo that, and put a function of your own in its place.",
        )


def _keeps_defaults(function: FunctionType) -> bool:
    return not (function.__defaults__ or function.__kwdefaults__) or matches_defaults(function)


def is_user_code_scope(scope: Mapping[str, Any]) -> bool:
    """Whether globals are those of a module of the user's own."""
    module = sys.modules.get(str(scope.get("__name__", "")))
    return isinstance(module, ModuleType) and is_user_module(module)
