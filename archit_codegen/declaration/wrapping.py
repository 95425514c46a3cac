"""Functions in wrappers: which of them a statement gives, and what they close over."""

import ast
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType

from archit_codegen.declaration.agreement import UNKNOWN
from archit_codegen.declaration.livesource import innermost, locate_function
from archit_codegen.declaration.names import bindings, parameters
from archit_codegen.declaration.sourcefile import source_of_code
from archit_codegen.errors import SourceUnavailable


def closure_values(function: FunctionType) -> Mapping[str, object]:
    """The free variables of a function with their values; a cell that was never filled is left out."""
    found: dict[str, object] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue
    return found


def local_names(function: FunctionType) -> frozenset[str]:
    """What the functions around its statement call something of their own: in its decorators and defaults, too."""
    code = function.__code__
    file = source_of_code(code)
    outer, _, _ = code.co_qualname.rpartition(".<locals>.")
    names: set[str] = set()
    while outer and file is not None:
        for compiled in file.codes.get(outer, ()):
            node = file.node_of(compiled.code)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names |= bindings(node.body).bound | {argument.arg for argument in parameters(node.args)}
        outer, _, _ = outer.rpartition(".<locals>.")
    return frozenset(names)


def wrapper_layers(value: object) -> Iterator[FunctionType]:
    """A function and those that it says it wraps, outermost first; nothing of what is no function."""
    seen: list[FunctionType] = []
    while isinstance(value, FunctionType) and value not in seen:
        seen.append(value)
        yield value
        value = value.__dict__.get("__wrapped__")


def as_written(function: FunctionType) -> FunctionType:
    """The function whose statement gives this one, by its decorators.

    A wrapper that somebody's call put around it stands in no decorator, and is itself what is written.
    """
    layers = list(wrapper_layers(function))
    depths = (depth for depth in range(len(layers) - 1, 0, -1) if _made_by_decorators(layers[depth], layers[:depth]))
    return layers[next(depths, 0)]


def is_wraps(decorator: ast.expr) -> bool:
    """Whether it is `functools.wraps(...)`, which notes what a function wraps, and puts nothing around it."""
    called = decorator.func if isinstance(decorator, ast.Call) else None
    return "wraps" in (getattr(called, "id", ""), getattr(called, "attr", ""))


def _made_by_decorators(function: FunctionType, wrappers: list[FunctionType]) -> bool:
    """Whether the decorators of the function's statement may have made these wrappers, the outermost first."""
    try:
        node = locate_function(function).node
    except SourceUnavailable:
        return False
    if isinstance(node, ast.Lambda):
        return False
    decorators = iter([decorator for decorator in node.decorator_list if not is_wraps(decorator)])
    scope = {**function.__globals__, **closure_values(function)}
    return all(any(_may_make(decorator, scope, wrapper) for decorator in decorators) for wrapper in wrappers)


def _may_make(decorator: ast.expr, scope: Mapping[str, object], wrapper: FunctionType) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    first, *names = ast.unparse(called).split(".")
    value = scope.get(first, UNKNOWN)
    for name in names:
        value = getattr(value, name, UNKNOWN)
    if value is UNKNOWN:
        return True  # a local name of where it was written
    if isinstance(value, FunctionType):
        return any(_contains(layer.__code__, wrapper.__code__) for layer in (value, innermost(value)))
    module = value.__module__ if isinstance(value, type) else type(value).__module__
    return module.partition(".")[0] == str(wrapper.__globals__.get("__name__")).partition(".")[0]


def _contains(code: CodeType, inner: CodeType) -> bool:
    return code is inner or any(isinstance(item, CodeType) and _contains(item, inner) for item in code.co_consts)
