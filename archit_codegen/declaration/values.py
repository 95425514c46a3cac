"""Live values as data: what an attribute or an argument holds, without the object itself."""

import inspect
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from enum import Enum
from functools import lru_cache
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import torch
from torch import nn

from ..errors import UnwritableValue
from .configcalls import config_arguments, config_state, object_arguments
from .digests import function_digest, patch_digest
from .faces import PLAIN
from .held import Patch
from .ir import (
    ClassRef,
    CodeRef,
    ConfigCopy,
    ConfigRef,
    Literal,
    Member,
    ModuleRef,
    Opaque,
    Structure,
    Value,
    is_special,
)
from .literal import is_plain_identifier, is_writable, literal_names, write_literal
from .origins import is_config
from .ownership import is_user_layer
from .wrapping import as_written, wrapper_layers

DEPTH = 5
FREE = "free:"  # before the digest of a function that is called without the module it stands on
TIES = "tie_word_embeddings"
ATTENTION = "_attn_implementation"  # in no dict of a config, but part of what its modules do


def class_ref(cls: type) -> ClassRef:
    return ClassRef(cls.__module__, cls.__qualname__)


def config_paths(config: Any, objects: dict[int, Any]) -> dict[int, str]:
    """The config and its sub-configs by identity, with their paths from the root config; ``objects`` gets them all."""
    paths: dict[int, str] = {}
    pending = [("", config)] if hasattr(config, "__dict__") else []
    while pending:
        path, current = pending.pop()
        if id(current) in paths:
            continue
        paths[id(current)] = path
        objects[id(current)] = current
        for name, value in sorted(vars(current).items(), reverse=True):
            if is_config(value):
                pending.append((f"{path}.{name}" if path else name, value))
    return paths


def _state(config: Any, ties: bool) -> dict[str, Any]:
    return {name: value for name, value in config_state(config).items() if ties or name != TIES}


def _config_text(config: Any, ties: bool) -> str:
    return f"a {type(config).__name__} with {_state(config, ties)!r}"


def _attention(config: Any) -> object:
    return getattr(config, ATTENTION, None)


def _changed_fields(config: Any, original: Any, ties: bool) -> list[str] | None:
    """The fields that make one config of the other; None where attributes alone do not. A config that went through no
    model has no attention implementation yet, and a copy of the model's has."""
    now, before = _state(config, ties), _state(original, ties)
    changed = sorted(name for name in now | before if repr(now.get(name)) != repr(before.get(name)))
    plain = type(config) is type(original) and now.keys() >= before.keys()
    if not plain or not all(name in vars(config) and is_plain_identifier(name) for name in changed):
        return None
    if _attention(config) == _attention(original):
        return changed
    return None if _attention(config) is None else [ATTENTION, *changed]


def _keyword_arguments(value: Any) -> list[str] | None:
    """The fields of a dataclass that a call has to give so that it makes an equal object; None if none does."""
    cls = type(value)
    given = [f.name for f in fields(value) if f.init and is_plain_identifier(f.name) and _differs(f, value)]
    try:
        same = vars(cls(**{name: getattr(value, name) for name in given})) == vars(value)
    except Exception:  # whatever the class does with its arguments, this is not the call
        return None
    return given if same else None


def _differs(entry: Field[Any], value: Any) -> bool:
    default = entry.default if entry.default_factory is MISSING else entry.default_factory()
    return default is MISSING or bool(getattr(value, entry.name, None) != default)


@lru_cache(maxsize=4096, typed=True)
def _plain(value: bool | int | str | None) -> Literal:
    """The literal of a plain value, one object for all that are equal: they are compared often."""
    return Literal(write_literal(value))


class Values:
    """Turns objects of one model into values; keeps the code objects that values refer to."""

    def __init__(self, configs: Mapping[int, str], objects: dict[int, Any]) -> None:
        self.configs = configs
        self.objects = objects
        self.paths: Mapping[int, str] = {}
        self._config_texts: dict[tuple[int, bool], Value] = {}

    def of(self, value: Any, depth: int = 0) -> Value:
        """The value as data. Equal data means that the objects count as equal."""
        if type(value) in PLAIN:
            return _plain(value)
        if type(value) is float:
            return Literal(write_literal(value))  # zero has two signs, and they are equal
        if is_config(value):
            return self._config(value, ties=False)  # what a module has of it: ties are told by the tensors
        if isinstance(value, nn.Module):
            return Opaque(f"the module {self.paths.get(id(value), 'that is not registered')}")
        if isinstance(value, torch.Tensor):
            return Opaque(f"a tensor of shape {tuple(value.shape)} and {value.dtype}")
        if isinstance(value, type | FunctionType | BuiltinFunctionType | MethodType):
            return self.code(value)
        if (
            isinstance(value, Enum)
            and is_plain_identifier(value.name)
            and type(value).__members__.get(value.name) is value
        ):
            return Member(self.code(type(value)), value.name)
        return self._literal(value, depth)

    def _literal(self, value: Any, depth: int) -> Value:
        try:
            text = write_literal(value)
            return Literal(text, literal_names(value) if "torch" in text else frozenset())
        except UnwritableValue:
            return self._structure(value, depth)

    def argument(self, value: Any) -> Value:
        """As `of`, but a module is a reference, so that a construction can name it."""
        if type(value) in PLAIN:
            return _plain(value)
        if isinstance(value, nn.Module):
            return ModuleRef(id(value))
        if is_config(value):
            return self._config(value, ties=True)  # of which a model may be built
        if isinstance(value, list | tuple) and any(isinstance(item, nn.Module) for item in value):
            return Structure(_kind(value), tuple((str(i), self.argument(item)) for i, item in enumerate(value)))
        if isinstance(value, dict) and any(isinstance(item, nn.Module) for item in value.values()):
            return self._mapping(value, [self.argument(item) for item in value.values()])
        return self.of(value)

    def code(self, value: Any) -> CodeRef:
        function = getattr(value, "__func__", value)
        mine = any(is_user_layer(layer) for layer in wrapper_layers(function))
        function = as_written(function) if mine else inspect.unwrap(function)
        self.objects[id(function)] = function
        digest = function_digest(function) if isinstance(function, FunctionType) else ""
        module = getattr(function, "__module__", None) or "builtins"
        return CodeRef(module, getattr(function, "__qualname__", type(function).__name__), id(function), digest)

    def method(self, name: str, value: Any, owner: nn.Module) -> CodeRef:
        """What stands on a module in the place of a method: the same for modules to which it does the same."""
        bound = getattr(value, "__self__", None) is owner
        function = value.__func__ if bound else value
        if isinstance(function, MethodType):
            return CodeRef("", f"method of another object ({function.__qualname__})", id(owner))
        if not isinstance(function, FunctionType):
            return replace(self.code(value), digest="")
        if is_special(name):
            return CodeRef("", "special method", id(owner))
        patch = Patch(function, owner, bound)
        self.objects[id(patch)] = patch
        written = as_written(function)
        digest = patch_digest(function, owner)
        module = str(written.__globals__.get("__name__"))
        return CodeRef(module, written.__code__.co_qualname, id(patch), digest if bound else f"{FREE}{digest}")

    def layer(self, function: FunctionType) -> CodeRef:
        """A function as it is, whatever it wraps."""
        self.objects[id(function)] = function
        digest = function_digest(function)
        return CodeRef(str(function.__globals__.get("__name__")), function.__code__.co_qualname, id(function), digest)

    def _config(self, config: Any, ties: bool) -> Value:
        path = self.configs.get(id(config))
        if path is not None:
            return ConfigRef(path)
        key = id(config), ties
        if key not in self._config_texts:
            self.objects[id(config)] = config
            self._config_texts[key] = self._equal_config(config, ties)
        return self._config_texts[key]

    def _equal_config(self, config: Any, ties: bool) -> Value:
        """A deep copy of a config that says the same is as good as the config."""
        text = _config_text(config, ties)
        originals = [(path, self.objects[key]) for key, path in self.configs.items() if key in self.objects]
        for path, original in originals:
            if _config_text(original, ties) == text and _attention(original) == _attention(config):
                return ConfigRef(path)
        described = Opaque(_config_text(config, ties=False))
        return self._config_copy(config, originals, ties) or self._config_call(config, ties) or described

    def copy_of_given(self, config: Any, name: str, given: Any) -> ConfigCopy | None:
        """A config as a copy of the one that the declared call was given as an argument."""
        names = _changed_fields(config, given, ties=True)
        fields = tuple((field, self.of(getattr(config, field))) for field in names or ())
        plain = fields and not any(isinstance(value, Opaque) for _, value in fields)
        return ConfigCopy(f"@{name}", fields) if plain else None

    def _config_call(self, config: Any, ties: bool) -> Structure | None:
        names = config_arguments(config)
        if names is None:
            return None
        items = tuple((name, self.of(vars(config)[name])) for name in names if ties or name != TIES)
        made = Structure(type(config).__name__, items, self.code(type(config)))
        return None if any(isinstance(value, Opaque) for _, value in items) else made

    def _config_copy(self, config: Any, originals: list[tuple[str, Any]], ties: bool) -> ConfigCopy | None:
        """The config of the model, or one within it, with other values in the fewest fields."""
        known = ((path, _changed_fields(config, original, ties)) for path, original in originals)
        found = [(path, names) for path, names in known if names is not None]
        if not found:
            return None
        path, names = min(found, key=lambda item: len(item[1]))
        fields = tuple((name, self.of(getattr(config, name))) for name in names)
        return None if any(isinstance(value, Opaque) for _, value in fields) else ConfigCopy(path, fields)

    def _structure(self, value: Any, depth: int) -> Value:
        kind = _kind(value)
        if depth >= DEPTH:
            return Opaque(f"a {kind}")
        if isinstance(value, list | tuple | set | frozenset):
            members = sorted(value, key=_description) if isinstance(value, set | frozenset) else value
            return Structure(kind, tuple((str(i), self.of(item, depth + 1)) for i, item in enumerate(members)))
        if isinstance(value, Mapping):
            return self._mapping(value, [self.of(item, depth + 1) for item in value.values()])
        if is_dataclass(value):
            given = _keyword_arguments(value)
            names = [f.name for f in fields(value)] if given is None else given
            items = tuple((name, self.of(getattr(value, name, None), depth + 1)) for name in names)
            return Structure(kind, items, None if given is None else self.code(type(value)))
        state = getattr(value, "__dict__", None)
        if state and (arguments := object_arguments(value)) is not None:
            items = tuple((name, self.of(state[name], depth + 1)) for name in arguments)
            return Structure(kind, items, self.code(type(value)))
        if state:
            return Structure(kind, tuple((name, self.of(item, depth + 1)) for name, item in sorted(state.items())))
        plain = getattr(type(value), "__repr__", None) is object.__repr__
        return Opaque(f"a {kind}" if plain else f"{kind} {_description(value)}")

    def _mapping(self, value: Mapping[Any, Any], members: Sequence[Value]) -> Structure:
        kind, plain = _kind(value), all(is_writable(key) for key in value)
        keys = [write_literal(key) if plain else _description(key) for key in value]
        shown = Structure(kind if plain else f"{kind} of such keys", tuple(zip(keys, members, strict=True)))
        if type(value) is not OrderedDict or not plain:
            return shown
        named = all(type(key) is str and is_plain_identifier(key) for key in value)
        items = tuple(zip(value, members, strict=True)) if named else (("", replace(shown, kind="dict")),)
        return Structure(kind, items, self.code(OrderedDict))


def _kind(value: Any) -> str:
    """The name of a type; a subclass of a container has no literal, whatever it calls itself."""
    cls = type(value)
    exact = cls in (list, tuple, dict)
    return (
        f"{cls.__module__}.{cls.__name__}" if cls.__name__ in ("list", "tuple", "dict") and not exact else cls.__name__
    )


def _description(value: Any) -> str:
    """The text of an object, for comparisons and messages alone: it is its class's own code, and no literal."""
    try:
        return repr(value)
    except Exception:  # the user's code may raise anything
        return f"a {type(value).__name__}"
