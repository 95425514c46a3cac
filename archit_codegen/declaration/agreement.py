"""What a class or function statement says besides code: bases, attributes, docstring, defaults."""

import ast
import inspect
import sys
from collections.abc import Iterator
from types import FunctionType

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
UNKNOWN = object()


def agrees(cls: type, node: ast.ClassDef) -> bool:
    """Whether a class statement can have made this class, as far as literals and names tell."""
    return bases_agree(cls, node) and (not is_plain(cls, node) or _attributes_agree(cls, node))


def is_plain(cls: type, node: ast.ClassDef) -> bool:
    """Whether attributes stay what the body assigns: no decorator and no metaclass that rewrites them."""
    return not node.decorator_list and type(cls).__module__ in {"builtins", "abc"} and not issubclass(cls, tuple)


def changed_attributes(cls: type, node: ast.ClassDef) -> Iterator[str]:
    """Attributes whose live value is not what the statement says."""
    for name, value in literal_attributes(node).items():
        if value is not UNKNOWN and not same_value(vars(cls).get(name, UNKNOWN), value):
            yield name


def literal_attributes(node: ast.ClassDef) -> dict[str, object]:
    """The attributes that the body binds at its top level, with their values where these are literals."""
    found: dict[str, object] = {}
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            value = literal_value(statement.value)
            found.update((name, value) for target in statement.targets for name in _names(target))
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            found.update((name, literal_value(statement.value)) for name in _names(statement.target))
        else:
            found.update((name, UNKNOWN) for name in bound_names(statement))
    return found


def bound_names(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement may bind where it stands."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
    else:
        if isinstance(statement, ast.ExceptHandler) and statement.name:
            yield statement.name
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
                yield from bound_names(child)  # type: ignore[arg-type]  # handlers and cases hold statements
            else:
                yield from _names(child)


def defaults_agree(function: FunctionType, node: ast.AST | None) -> bool:
    """Whether the literal defaults in the text are the live ones; other expressions are not evaluated."""
    if not isinstance(node, Function):
        return True
    live = list(function.__defaults__ or ())
    declared = [literal_value(default) for default in node.args.defaults]
    by_name = function.__kwdefaults__ or {}
    named = {
        argument.arg: literal_value(default)
        for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        if default is not None
    }
    return (
        len(live) == len(declared)
        and by_name.keys() == named.keys()
        and all(value is UNKNOWN or same_value(item, value) for item, value in zip(live, declared, strict=True))
        and all(value is UNKNOWN or same_value(by_name[name], value) for name, value in named.items())
    )


def literal_value(node: ast.expr) -> object:
    """The value of a literal; of anything else, ``UNKNOWN``."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return UNKNOWN


def same_value(one: object, other: object) -> bool:
    """Equal in value and in every type, ``nan`` included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return same_value(list(one.items()), list(other.items()))
    if isinstance(one, float | complex):
        return repr(one) == repr(other)
    return bool(one == other)


def bases_agree(cls: type, node: ast.ClassDef) -> bool:
    if len(node.bases) != len(cls.__bases__):
        return not node.bases or hasattr(cls, "__orig_bases__")
    return all(_base_agrees(cls, base, expression) for base, expression in zip(cls.__bases__, node.bases, strict=True))


def _base_agrees(cls: type, base: type, expression: ast.expr) -> bool:
    if isinstance(expression, ast.Attribute):
        return expression.attr == base.__name__ or _looked_up(cls, expression) in {UNKNOWN, base}
    # A name that is bound to something else by now (a cell that ran again) is still the name of the base.
    if isinstance(expression, ast.Name) and expression.id != base.__name__:
        return _looked_up(cls, expression) in {UNKNOWN, base}
    return True


def _looked_up(cls: type, expression: ast.expr) -> object:
    """What a dotted name means in the module of a class."""
    if isinstance(expression, ast.Attribute):
        return getattr(_looked_up(cls, expression.value), expression.attr, UNKNOWN)
    module = sys.modules.get(cls.__module__)
    value = vars(module).get(expression.id, UNKNOWN) if module and isinstance(expression, ast.Name) else UNKNOWN
    return value if isinstance(value, type) or type(value).__name__ == "module" else UNKNOWN


def _attributes_agree(cls: type, node: ast.ClassDef) -> bool:
    attributes = literal_attributes(node)
    return not any(changed_attributes(cls, node)) and ("__doc__" in attributes or _docstring_agrees(cls, node))


def _docstring_agrees(cls: type, node: ast.ClassDef) -> bool:
    documented, live = ast.get_docstring(node), vars(cls).get("__doc__")
    if documented is None and "__dataclass_fields__" in vars(cls):
        return True  # dataclasses write a docstring of their own
    # `python -OO` drops docstrings, and 3.13 removes their indentation.
    return live is None if documented is None else live is None or inspect.cleandoc(live) == documented


def _names(node: ast.AST) -> Iterator[str]:
    for child in ast.walk(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id
