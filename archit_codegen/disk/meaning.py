"""What a Python file says, whatever formatter went over it.

A black, an isort or a whitespace fixer beside archit in one pre-commit configuration must not make an "edit by hand"
of its work, nor the two take turns for ever. So line breaks, brackets, quotes, and the order of neighbouring imports
say nothing; names, values, the order of statements and every comment do.
"""

import ast
import hashlib
import io
import tokenize
import warnings
from collections.abc import Iterator


def meaning(source: bytes) -> str | None:
    """A hash of the syntax tree and of the comments; ``None`` for what is not Python.

    The tree is written by us, since `ast.dump` differs from one version of Python to the next.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an escape in a string, say: that is not asked here
            tree = ast.parse(source)
        comments = sorted(_comments(source))
    except (SyntaxError, ValueError, RecursionError, tokenize.TokenError):
        return None
    total = hashlib.sha256("\n".join(comments).encode("utf-8", "surrogatepass"))
    for piece in _tree(tree):
        total.update(piece.encode("utf-8", "surrogatepass") + b"\0")
    return f"sha256:{total.hexdigest()}"


def _comments(source: bytes) -> Iterator[str]:
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield "".join(token.string.lstrip("#").split())


def _tree(node: ast.AST) -> Iterator[str]:
    yield f"({type(node).__name__}"
    for name, value in ast.iter_fields(node):
        if value is None and not isinstance(node, ast.Constant):
            continue
        if isinstance(value, list):
            if value:
                yield name
                yield from _sequence(value)
        elif isinstance(value, ast.AST):
            yield name
            yield from _tree(value)
        elif name != "kind":
            yield f"{name}={value!r}"
    yield ")"


def _sequence(values: list[object]) -> Iterator[str]:
    """The members in order; imports that follow each other are sorted, name by name."""
    pending: list[str] = []
    for value in values:
        if isinstance(value, ast.Import | ast.ImportFrom):
            pending += _names(value)
            continue
        yield from sorted(set(pending))
        pending = []
        if isinstance(value, ast.AST):
            yield from _tree(value)
        else:
            yield repr(value)
    yield from sorted(set(pending))


def _names(statement: ast.Import | ast.ImportFrom) -> Iterator[str]:
    source = f"{'.' * statement.level}{statement.module}:" if isinstance(statement, ast.ImportFrom) else ""
    for alias in statement.names:
        yield f"import {source}{alias.name} {alias.asname}"
