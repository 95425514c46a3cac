"""What planned methods are, as syntax trees."""

import ast

from .edits import Method, NewMethod
from .plannedsites import new_statements

Function = ast.FunctionDef | ast.AsyncFunctionDef
METHOD = "_archit_method"


def method_of(function: ast.AST) -> str | None:
    """The code of the planned method that a function of the tree is, which has a scope of its own."""
    return getattr(function, METHOD, None)


def add_method(cls: ast.ClassDef, edit: NewMethod) -> None:
    cls.body += new_statements(edit.text)


def replace_method(cls: ast.ClassDef, edit: Method) -> None:
    new = [_marked(method) for method in (*edit.helpers, edit)]
    body: list[ast.stmt] = []
    placed = False
    for item in cls.body:
        if isinstance(item, Function) and item.name == edit.name:
            if edit.keep is not None:
                item.name = edit.keep
                body.append(item)
            body += new
            placed = True
        elif not _is_empty(item):
            body.append(item)
    cls.body = body if placed else [*body, *new]


def _marked(edit: Method) -> ast.stmt:
    (new,) = ast.parse(edit.text).body
    setattr(new, METHOD, edit.code)
    return new


def _is_empty(item: ast.stmt) -> bool:
    return isinstance(item, ast.Pass) or (
        isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant) and item.value.value is ...
    )
