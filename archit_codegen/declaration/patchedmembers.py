"""What of a class of a library is not what its file declares."""

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType

from torch import nn

from ..errors import UnsupportedChange
from .livesource import declared_code, written_functions
from .ownership import is_user_code, is_user_layer
from .samecode import same_code
from .source import module_tree
from .sourcefile import SourceFile, source_file
from .topnames import stored_names
from .unchanged import Remembered
from .wrapping import closure_values, wrapper_layers

# What transformers, and the libraries that it loads, set on classes of models themselves.
SET_BY_LIBRARIES = frozenset(
    {
        "config_class",
        "kernel_layer_name",
        "__backends",
        "_auto_class",
        "_can_set_attn_implementation_cached_value",
        "_can_set_experts_implementation_cached_value",
    }
)
# Of classes of which no method was patched.
_as_declared: Remembered[bool] = Remembered()


def patched_members(cls: type) -> Mapping[str, FunctionType]:
    """The functions that stand in a class of a library for what its file declares.

    Raises:
        UnsupportedChange: something else stands there.
    """
    if _as_declared.seen(cls):
        return {}
    if is_user_code(cls):
        return {}  # the text of a user's class is compared with its code when it is read
    parts = [part for name, value in list(vars(cls).items()) for part in (name, type(value), *_every_layer(value))]
    if _as_declared.get(cls, parts):
        return {}
    found = dict(_patched_methods(cls))
    source = _file_of(cls)
    if source is not None and not found:
        _as_declared.keep(cls, parts, source, True)
    return found


def _file_of(cls: type) -> SourceFile | None:
    return source_file(getattr(sys.modules.get(cls.__module__), "__file__", None) or "")


def _every_layer(value: object) -> Iterator[FunctionType]:
    """All functions that may tell whether a member of a class was patched."""
    if not isinstance(value, FunctionType | staticmethod | classmethod):
        yield from written_functions(value)
    for layer in layers_of(value):
        yield layer
        if layer.__closure__:
            yield from (held for held in closure_values(layer).values() if isinstance(held, FunctionType))


def _patched_methods(cls: type) -> Iterator[tuple[str, FunctionType]]:
    file = _file_of(cls)
    stored = {} if file is None else stored_names(file, cls.__qualname__)
    for name, value in list(vars(cls).items()):
        layers = list(layers_of(value))
        users = [layer for layer in layers if is_user_layer(layer)]
        unbound = bool(stored) and name not in stored and issubclass(cls, nn.Module)
        if not layers:
            _check_object(cls, name, value, unbound)
        elif users or (file is not None and (unbound and _is_alias(layers[-1], cls))):
            yield name, (users or layers)[0]
        elif file is not None and _stand_in(layers, cls, name, file.name):
            yield name, layers[0]


def _check_object(cls: type, name: str, value: object, unbound: bool) -> None:
    """Raises ``UnsupportedChange`` for what is no function, and what no statement of the class put there."""
    what = "a property" if isinstance(value, property) else f"a {type(value).__name__}"
    written = list(written_functions(value))
    if any(map(is_user_layer, written)) or (not isinstance(value, type) and is_user_code(type(value))):
        reason = f"{what} of the class was patched in this process, for every model alike"
    elif not unbound and _is_replaced(cls, name, written):
        reason = f"{what} stands there in this process, and is not what its statement says"
    elif unbound and not _is_set_by_libraries(cls, name):
        reason = f"{what} was set on the class in this process, and its statement does not bind it"
    else:
        return
    remedy = "Undo that, and derive a class of your own with it."
    raise UnsupportedChange(f"{cls.__qualname__}.{name}", reason, remedy)


def _is_set_by_libraries(cls: type, name: str) -> bool:
    hidden = name.startswith("_") and (cls.__module__.partition(".")[0] == "torch" or name.startswith("_abc_"))
    return hidden or name in SET_BY_LIBRARIES or (name.startswith("__") and name.endswith("__"))


def _is_replaced(cls: type, name: str, written: Sequence[FunctionType]) -> bool:
    """Whether the class declares a function of that name, and none of these is it."""
    file = _file_of(cls)
    qualname = f"{cls.__qualname__}.{name}"
    if file is None or not any(item.is_function for item in file.codes.get(qualname, ())):
        return False
    declared = [item.code for item in file.codes[qualname]]
    return not any(same_code(function.__code__, code) for function in written for code in declared)


def _is_alias(function: FunctionType, cls: type) -> bool:
    """Whether a function that no statement of the class binds was not put there by its library: that gives classes
    functions of modules."""
    code = function.__code__
    root = str(function.__globals__.get("__name__")).partition(".")[0]
    own = cls.__module__.partition(".")[0]
    return own != "torch" and (root != own or ("." in code.co_qualname and "<locals>" not in code.co_qualname))


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
