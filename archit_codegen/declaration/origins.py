"""Where the arguments of a surgery's own call came from: expressions over the model's config, read in its frame."""

import ast
import linecache
from collections.abc import Mapping
from functools import lru_cache
from types import FrameType
from typing import Any

from .ir import Site

PLAIN = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.Name, ast.Load, ast.Attribute)


def is_config(value: object) -> bool:
    """Whether this is a transformers config: asked by shape, so that this works without importing transformers."""
    return _is_config_class(type(value))  # type: ignore[arg-type]  # a class is hashable, whatever its objects are


@lru_cache(maxsize=4096)
def _is_config_class(cls: type[Any]) -> bool:
    # Asked of the class: reading anything of a config goes through methods of transformers written in Python.
    return hasattr(cls, "model_type") and callable(getattr(cls, "to_dict", None))


def config_of(model: object) -> Any:
    """The config of transformers that a root has; other libraries call other things a config."""
    config = getattr(model, "config", None)
    return config if is_config(config) else None


def argument_expressions(frame: FrameType, site: Site) -> Mapping[int | str, str]:
    """The arguments of the call at ``site`` that are arithmetic over config fields, as text over the name ``config``.

    ``Adapter(layer, model.config.hidden_size // 4)`` gives ``{1: "config.hidden_size // 4"}``. Names are looked up in
    the frame, and nothing but attributes of modules and configs is read. A lone name or attribute that is no config
    field is kept as ``"?name"``, a hint at what the value means, any other expression as ``"?"``; what was written as
    a literal stays one.
    """
    call = _call_at(site)
    if call is None:
        return {"*": "?"}
    found: dict[int | str, str] = {}
    if any(isinstance(value, ast.Starred) for value in call.args):
        return {}
    arguments: list[tuple[int | str, ast.expr]] = list(enumerate(call.args))
    arguments += [(word.arg, word.value) for word in call.keywords if word.arg]
    for key, value in arguments:
        if not isinstance(value, ast.Constant):
            found[key] = _over_config(value, frame) or _hint(value)
    return found


def _call_at(site: Site) -> ast.Call | None:
    lines = linecache.getlines(site.file)[site.line - 1 : site.end_line]
    if not lines:
        return None
    encoded = [line.encode() for line in lines]
    encoded[-1] = encoded[-1][: site.end_column]
    encoded[0] = encoded[0][site.column :]
    try:
        expression = ast.parse(b"(" + b"".join(encoded) + b")", mode="eval").body
    except (SyntaxError, ValueError):
        return None
    return expression if isinstance(expression, ast.Call) else None


def _over_config(expression: ast.expr, frame: FrameType) -> str | None:
    """The text with every chain that leads to a config replaced, if nothing else in it is a name."""
    reader = _ConfigReader(frame)
    rewritten = reader.visit(ast.parse(ast.unparse(expression), mode="eval").body)
    fine = all(isinstance(node, PLAIN) for node in ast.walk(rewritten))
    return ast.unparse(rewritten) if reader.seen and not reader.foreign and fine else None


def _hint(expression: ast.expr) -> str:
    if isinstance(expression, ast.Name):
        return f"?{expression.id}"
    return f"?{expression.attr}" if isinstance(expression, ast.Attribute) else "?"


class _ConfigReader(ast.NodeTransformer):
    def __init__(self, frame: FrameType) -> None:
        self.frame, self.seen, self.foreign = frame, False, False

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if is_config(self.value(node)):
            self.seen = True
            return ast.Name("config", ast.Load())
        node.value = self.visit(node.value)
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if is_config(self.value(node)):
            self.seen = True
            return ast.Name("config", ast.Load())
        self.foreign = True
        return node

    def value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            local = self.frame.f_locals
            return local[node.id] if node.id in local else self.frame.f_globals.get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self.value(node.value)
            return getattr(owner, node.attr, None) if hasattr(owner, "_modules") or is_config(owner) else None
        return None
