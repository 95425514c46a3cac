"""Statements of `_init_weights` that run where a module has what they read."""

import libcst as cst

from .edits import Guard
from .rewrite_body import INIT_WEIGHTS


def guarded(node: cst.ClassDef, edit: Guard) -> cst.ClassDef:
    """The class with a test before each statement of its `_init_weights` that reads it."""
    body = [
        item.visit(_Guarded(item, edit))
        if isinstance(item, cst.FunctionDef) and item.name.value == INIT_WEIGHTS
        else item
        for item in node.body.body
    ]
    return node.with_changes(body=node.body.with_changes(body=body))


class _Guarded(cst.CSTTransformer):
    def __init__(self, function: cst.FunctionDef, edit: Guard) -> None:
        self._holder = f"{function.params.params[1].name.value}.{edit.holder}"
        self._name = edit.name
        self._elifs: list[cst.If] = []

    def visit_If(self, node: cst.If) -> None:
        if isinstance(node.orelse, cst.If):
            self._elifs.append(node.orelse)

    def leave_If(self, original_node: cst.If, updated_node: cst.If) -> cst.BaseStatement:
        follows = any(node is original_node for node in self._elifs)
        return updated_node if follows or not self._reads(original_node.test) else self._tested(updated_node)

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement:
        return self._tested(updated_node) if self._reads(original_node) else updated_node

    def _reads(self, node: cst.CSTNode) -> bool:
        finder = _Finder(f"{self._holder}.{self._name}")
        node.visit(finder)
        return finder.found

    def _tested(self, node: cst.If | cst.SimpleStatementLine) -> cst.If:
        test = cst.parse_expression(f'hasattr({self._holder}, "{self._name}")')
        inner = node.with_changes(leading_lines=[])
        return cst.If(test=test, body=cst.IndentedBlock([inner]), leading_lines=node.leading_lines)


class _Finder(cst.CSTVisitor):
    def __init__(self, text: str) -> None:
        self._text, self.found = text, False

    def visit_Attribute(self, node: cst.Attribute) -> None:
        self.found = self.found or cst.Module([]).code_for_node(node) == self._text
