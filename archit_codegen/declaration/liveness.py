"""Whether a user's class or function still is what its statement says; else a copy of the text would lose a change."""

import ast
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MemberDescriptorType

from archit_codegen.declaration.agreement import (
    UNKNOWN,
    bases_agree,
    bound_names,
    changed_attributes,
    defaults_agree,
    is_plain,
    literal_value,
    same_value,
)
from archit_codegen.declaration.constants import evaluate, says
from archit_codegen.declaration.literal import is_writable, write_literal
from archit_codegen.declaration.names import Edit
from archit_codegen.declaration.ownership import is_user_code
from archit_codegen.declaration.samecode import same_code
from archit_codegen.declaration.wrapping import closure_values
from archit_codegen.errors import UnsupportedChange

Lookup = Callable[[str], object]
REACH = 4


def check_class(cls: type, node: ast.ClassDef, body: CodeType, lookup: Lookup) -> None:
    """Raises ``UnsupportedChange`` where the class was changed after its statement was executed."""
    changed = [*_patched(cls, node, body), *_added(cls, node)]
    if not bases_agree(cls, node):
        changed.append("__bases__")
    if is_plain(cls, node):
        changed += [*changed_attributes(cls, node), *_rebound(cls, node, lookup)]
    if changed:
        reason = f"`{changed[0]}` was changed on the class after it was defined"
        raise UnsupportedChange(cls.__qualname__, reason, "Write the change into the class statement.")


def check_function(function: FunctionType, node: ast.AST) -> None:
    """Raises ``UnsupportedChange`` for attributes that no decorator can have set."""
    decorated = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.decorator_list
    if vars(function) and not decorated:
        reason = f"the attribute `{min(vars(function))}` was set on the function after it was defined"
        raise UnsupportedChange(function.__qualname__, reason, "Use a class, or a constant of the module.")


def default_edits(
    function: FunctionType, node: ast.AST, lookup: Lookup, apart: Callable[[object], bool] = lambda value: False
) -> Iterator[Edit]:
    """Literals for default expressions that would give another value now than when the ``def`` was executed; those
    whose value is ``apart`` are left alone."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or not defaults_agree(function, node):
        return
    for expression, live in _defaults(function, node):
        if literal_value(expression) is UNKNOWN and not apart(live) and not _still_says(expression, live, lookup):
            yield from _as_literal(function, expression, live, lookup)


def reachable(value: object, depth: int = REACH) -> Iterator[FunctionType]:
    """Functions under a value: wrapped by decorators, with ``functools.wraps`` or without."""
    if isinstance(value, property):
        inner: list[object] = [value.fget, value.fset, value.fdel]
    elif isinstance(value, FunctionType):
        yield value
        inner = [value.__dict__.get("__wrapped__"), *closure_values(value).values()]
    else:
        names = ("__func__", "__wrapped__", "func")
        inner = [] if isinstance(value, type) else [getattr(value, "__dict__", {}).get(name) for name in names]
        inner += [getattr(value, "__func__", None)] if isinstance(value, staticmethod | classmethod) else []
    for item in inner if depth else ():
        if item is not None:
            yield from reachable(item, depth - 1)


def _patched(cls: type, node: ast.ClassDef, body: CodeType) -> Iterator[str]:
    codes = [constant for constant in body.co_consts if isinstance(constant, CodeType)]
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            live = vars(cls).get(_mangled(cls, statement.name))
            declared = [code for code in codes if code.co_name == statement.name]
            if not any(same_code(found.__code__, code) for found in reachable(live) for code in declared):
                yield statement.name


def _added(cls: type, node: ast.ClassDef) -> Iterator[str]:
    """What the class has without its body, its decorators, its metaclass or its bases having put it there."""
    # A base may make a dataclass of each subclass, as the configs of transformers do.
    if node.decorator_list or type(cls) is not type or issubclass(cls, tuple) or "__dataclass_fields__" in vars(cls):
        return
    declared = {_mangled(cls, name) for statement in node.body for name in bound_names(statement)}
    hooked = any("__init_subclass__" in vars(base) for base in cls.__mro__[1:-1])
    for name, value in vars(cls).items():
        special = name.startswith("__") and name.endswith("__") and not isinstance(value, FunctionType)
        if name in declared or special or isinstance(value, MemberDescriptorType):
            continue
        if not hooked or (isinstance(value, FunctionType) and is_user_code(value) and not _inherited(cls, value)):
            yield name


def _inherited(cls: type, function: FunctionType) -> bool:
    """A wrapper around a method of a base, as ``GradientCheckpointingLayer`` puts on each of its subclasses."""
    under = {id(found) for found in reachable(function)}
    return any(
        id(found) in under
        for base in cls.__mro__[1:]
        for value in vars(base).values()
        for found in reachable(value, 2)
    )


def _rebound(cls: type, node: ast.ClassDef, lookup: Lookup) -> Iterator[str]:
    """Attributes whose expression would give something else by now."""
    inside = {name for statement in node.body for name in bound_names(statement)}
    for statement in node.body:
        if isinstance(statement, ast.Assign) and not inside & _mentioned(statement.value):
            value = evaluate(statement.value, _names(statement.value, lookup))
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
            for name in names if value is not UNKNOWN else ():
                live = vars(cls).get(_mangled(cls, name))
                if not says(value, live) and not same_value(value, live):
                    yield name


def _mangled(cls: type, name: str) -> str:
    private = name.startswith("__") and not name.endswith("__")
    return f"_{cls.__name__.lstrip('_')}{name}" if private else name


def _defaults(
    function: FunctionType, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
) -> Iterator[tuple[ast.expr, object]]:
    yield from zip(node.args.defaults, function.__defaults__ or (), strict=True)
    for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        if default is not None:
            yield default, (function.__kwdefaults__ or {})[argument.arg]


def _still_says(expression: ast.expr, live: object, lookup: Lookup) -> bool:
    value = evaluate(expression, _names(expression, lookup))
    return says(value, live) or (value is not UNKNOWN and same_value(value, live))


def _as_literal(function: FunctionType, expression: ast.expr, live: object, lookup: Lookup) -> Iterator[Edit]:
    if is_writable(live):
        start = (expression.lineno, expression.col_offset)
        yield Edit(start, (expression.end_lineno or 0, expression.end_col_offset or 0), write_literal(live))
    elif any(is_writable(value) for value in _names(expression, lookup).values()) or isinstance(expression, ast.Name):
        reason = f"a default of type {type(live).__name__} may not be what its expression gives now"
        raise UnsupportedChange(function.__qualname__, reason, "Write the default as a literal or as a class.")


def _names(expression: ast.expr, lookup: Lookup) -> dict[str, object]:
    return {name: value for name in sorted(_mentioned(expression)) if (value := lookup(name)) is not UNKNOWN}


def _mentioned(expression: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
