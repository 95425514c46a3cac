"""Compares the code that the process runs with the code that the installed source declares.

A patched class or module function hits the live model and its reference alike, so no comparison of the two can see it.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import Any

import torch

from ..errors import UnsupportedChange
from .importing import find_import
from .livesource import declared_code, matches_defaults, matches_source, own_functions, written_functions
from .ownership import is_user_code, is_user_layer, is_user_module
from .samecode import same_code
from .source import module_tree
from .sourcefile import SourceFile, source_file
from .unchanged import Remembered
from .wrapping import closure_values, wrapper_layers


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

    def methods(self, cls: type) -> Mapping[str, FunctionType]:
        """The methods, own and inherited, that stand in for declared ones."""
        if cls not in self._methods:
            found: dict[str, FunctionType] = {}
            for base in reversed(cls.__mro__):
                for name in vars(base):
                    found.pop(name, None)  # an override hides what was patched above it
                if not _is_fixed(base):
                    patched = _patched(base)
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
            value = scope.get(name)
            _check_torch(name)
            if isinstance(value, type):
                if _is_other_class(name, value, scope):
                    found[name] = value
            elif isinstance(value, FunctionType):
                if _is_patched(name, value, scope):
                    found[name] = value
                elif value.__globals__ is scope and (inner := self._reach_all(value)):
                    found |= inner
                    self.relays[id(value)] = value
            elif hasattr(type(value), "__getitem__") and hasattr(type(value), "items"):
                self._check_registry(name, value)
        return found

    def _reach_all(self, function: FunctionType) -> Mapping[str, Any]:
        return {k: v for written in written_functions(function) for k, v in self._reach(written).items()}

    def _check_registry(self, name: str, registry: Any) -> None:
        for key in self.config_values:
            try:
                entry = registry[key]
            except (KeyError, TypeError, IndexError, AttributeError):
                continue
            for function in written_functions(entry):
                if is_user_layer(function) or not matches_source(function):
                    raise UnsupportedChange(
                        name,
                        f"the config uses the entry {key!r}, which this process put in ({function.__qualname__})",
                        "Patch the `forward` of the modules that use it instead, so that a class can declare it.",
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


def _check_torch(name: str) -> None:
    for namespace in (torch.nn.functional, torch):
        value = vars(namespace).get(name)
        if isinstance(value, FunctionType) and is_user_layer(value):
            raise UnsupportedChange(
                f"{namespace.__name__}.{name}",
                f"it was patched in this process by {value.__qualname__}, for every model alike",
                "Undo that, and put the function into the `forward` of the modules that shall use it.",
            )


def _is_other_class(name: str, value: type, scope: Mapping[str, Any]) -> bool:
    """Whether a class of the module was exchanged for another one."""
    if value.__module__ == scope.get("__name__") and value.__qualname__ == name:
        return False
    source = source_file(str(scope.get("__file__", "")))
    return source is not None and _defines(source, name, ast.ClassDef)


def _is_fixed(cls: type) -> bool:
    return cls.__module__ in ("builtins", "abc", "typing")


def _names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names


MEMBERS = (FunctionType, staticmethod, classmethod, property)
# Of classes of which no method was patched.
_as_declared: Remembered[bool] = Remembered()


def _patched(cls: type) -> Mapping[str, FunctionType]:
    if _as_declared.seen(cls):
        return {}
    if is_user_code(cls):
        return {}  # the text of a user's class is compared with its code when it is read
    members = [value for value in list(vars(cls).values()) if isinstance(value, MEMBERS)]
    functions = [layer for value in members for layer in _every_layer(value)]
    if _as_declared.get(cls, functions):
        return {}
    found = dict(_patched_methods(cls))
    source = source_file(getattr(sys.modules.get(cls.__module__), "__file__", None) or "")
    if source is not None and not found:
        _as_declared.keep(cls, functions, source, True)
    return found


def _every_layer(value: object) -> Iterator[FunctionType]:
    """All functions that may tell whether a member of a class was patched."""
    if isinstance(value, property):
        yield from written_functions(value)
    for layer in _layers(value):
        yield layer
        if layer.__closure__:
            yield from (held for held in closure_values(layer).values() if isinstance(held, FunctionType))


def _patched_methods(cls: type) -> Iterator[tuple[str, FunctionType]]:
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    for name, value in list(vars(cls).items()):
        if isinstance(value, property) and any(is_user_layer(written) for written in written_functions(value)):
            raise UnsupportedChange(
                f"{cls.__qualname__}.{name}",
                "a property of the class was patched in this process, for every model alike",
                "Undo that, and derive a class of your own with that property.",
            )
        layers = list(_layers(value))
        users = [layer for layer in layers if is_user_layer(layer)]
        if users or (layers and file is not None and _stand_in(layers, cls, name, file)):
            yield name, (users or layers)[0]


def _layers(value: object) -> Iterator[FunctionType]:
    """The functions of a wrapper chain, outermost first."""
    return wrapper_layers(value.__func__ if isinstance(value, staticmethod | classmethod) else value)


def _stand_in(layers: list[FunctionType], cls: type, name: str, file: str) -> bool:
    """Whether none of the functions is the one that the class's file declares, if it declares one."""
    declared = [declared_code(file, f"{cls.__qualname__}.{name}", layer.__code__) for layer in layers]
    written = any(
        code is not None and same_code(code, layer.__code__) for code, layer in zip(declared, layers, strict=True)
    )
    if declared[0] is None or written or _decorated(layers[-1], cls, name, file):
        return False
    return not _wrapped_by_torch(layers[-1], cls, name, file)


def _decorated(function: FunctionType, cls: type, name: str, file: str) -> bool:
    """Whether the file puts this wrapper on the method, by a decorator of it, or of its class, that does not tell what
    it wraps."""
    tree = module_tree(file)
    nodes = ast.walk(tree or ast.Module([], []))
    classes = [node for node in nodes if isinstance(node, ast.ClassDef) and node.name == cls.__name__]
    members = [node for found in classes for node in found.body]
    methods = [node for node in members if isinstance(node, ast.FunctionDef) and node.name == name]
    written = [found for node in methods for found in node.decorator_list]
    written += [found for node in classes for found in node.decorator_list]
    decorators = {ast.unparse(found).partition("(")[0].rpartition(".")[2] for found in written}
    decorator = function.__code__.co_qualname.partition(".<locals>")[0]
    return decorator in decorators and _closes_over_declared(function, cls, name, file)


def _wrapped_by_torch(function: FunctionType, cls: type, name: str, file: str) -> bool:
    """Whether torch itself put this wrapper on a class of its own, as `torch.compile` does to `nn.Module.__init__`: it
    does so wherever it is used, and what is wrapped is what the file declares."""
    both = (cls.__module__, str(function.__globals__.get("__name__")))
    own = all(module.partition(".")[0] == "torch" for module in both)
    return own and _closes_over_declared(function, cls, name, file)


def _closes_over_declared(function: FunctionType, cls: type, name: str, file: str) -> bool:
    held = [value.__code__ for value in closure_values(function).values() if isinstance(value, FunctionType)]
    declared = [declared_code(file, f"{cls.__qualname__}.{name}", code) for code in held]
    return any(code is not None and same_code(code, inner) for code, inner in zip(declared, held, strict=True))


def _is_patched(name: str, value: FunctionType, scope: Mapping[str, Any]) -> bool:
    layers = list(_layers(value))
    if any(is_user_layer(layer) for layer in layers):
        return not is_user_code_scope(scope)
    source = source_file(str(scope.get("__file__", "")))
    if source is None:
        return False
    inner = layers[-1]
    if inner.__code__.co_filename != "<string>" and not (matches_source(inner) and _keeps_defaults(inner)):
        raise UnsupportedChange(
            f"{inner.__module__}.{name}",
            "its code or its defaults were changed in memory, and no text says so",
            "Undo that, and put a function of your own in its place.",
        )
    if inner.__globals__ is scope or not _defines(source, name, ast.FunctionDef):
        return False
    return not _imported(source.tree, name, scope, value)


def _keeps_defaults(function: FunctionType) -> bool:
    return not (function.__defaults__ or function.__kwdefaults__) or matches_defaults(function)


def is_user_code_scope(scope: Mapping[str, Any]) -> bool:
    """Whether globals are those of a module of the user's own."""
    module = sys.modules.get(str(scope.get("__name__", "")))
    return isinstance(module, ModuleType) and is_user_module(module)


def _defines(source: SourceFile, name: str, kind: type[ast.ClassDef | ast.FunctionDef]) -> bool:
    """Whether a statement of the file itself, not one within another, defines a name."""
    if name not in source.codes:
        return False
    return any(isinstance(node, kind) and node.name == name for node in source.tree.body)


def _imported(tree: ast.Module, name: str, scope: Mapping[str, Any], value: object) -> bool:
    return find_import([tree], name, scope, value, "") is not None
