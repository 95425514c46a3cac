"""What of a class of a library is not what its file declares."""

import ast
import sys
from collections.abc import Iterator, Mapping
from types import FunctionType

from ..errors import UnsupportedChange
from .livesource import declared_code, written_functions
from .ownership import is_user_code, is_user_layer
from .samecode import same_code
from .source import module_tree
from .sourcefile import source_file
from .unchanged import Remembered
from .wrapping import closure_values, wrapper_layers

MEMBERS = (FunctionType, staticmethod, classmethod, property)
# Of classes of which no method was patched.
_as_declared: Remembered[bool] = Remembered()


def patched_members(cls: type) -> Mapping[str, FunctionType]:
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
    for layer in layers_of(value):
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
        layers = list(layers_of(value))
        users = [layer for layer in layers if is_user_layer(layer)]
        if users or (layers and file is not None and _stand_in(layers, cls, name, file)):
            yield name, (users or layers)[0]


def layers_of(value: object) -> Iterator[FunctionType]:
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
