"""A live function as a ``def`` statement of a chosen name, and the values it closes over."""

import ast
import re
from types import FunctionType

from archit_codegen.declaration.literal import check_identifier
from archit_codegen.declaration.livesource import function_source
from archit_codegen.declaration.names import Edit, splice
from archit_codegen.declaration.wrapping import as_written
from archit_codegen.errors import SourceUnavailable

DEFINITION = re.compile(rb"(?:class|(?:async\s+)?def)\s+(\w+)")


def function_as_def(function: FunctionType, name: str) -> str:
    """The source of ``def <name>(...)`` for a function (decorators kept) or a lambda."""
    check_identifier("the name of a function", name)
    inner = as_written(function)
    text = function_source(inner).text
    return _lambda_as_def(text, name) if inner.__name__ == "<lambda>" or _is_lambda(inner) else renamed(text, name)


def renamed(text: str, name: str) -> str:
    """A definition under another name; references to it stay as they are."""
    return splice(text, [name_edit(text, name)])


def name_edit(text: str, name: str) -> Edit:
    """The edit that renames the one definition of a text."""
    node = ast.parse(text).body[0]
    line = text.split("\n")[node.lineno - 1].encode()
    found = DEFINITION.match(line, node.col_offset)
    if found is None:
        raise SourceUnavailable(name, "the name of its definition is not on its first line", "Write it on one line")
    return Edit((node.lineno, found.start(1)), (node.lineno, found.end(1)), name)


def _is_lambda(function: FunctionType) -> bool:
    return function.__code__.co_name == "<lambda>"


def _lambda_as_def(text: str, name: str) -> str:
    # Parentheses, since the expression may span lines.
    node = ast.parse(f"({text})", mode="eval").body
    assert isinstance(node, ast.Lambda)
    body = ast.get_source_segment(f"({text})", node.body) or ""
    result = f"(\n        {body}\n    )" if "\n" in body else body
    return f"def {name}({ast.unparse(node.args)}):\n    return {result}\n"
