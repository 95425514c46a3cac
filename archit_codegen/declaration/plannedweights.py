"""What a planned `_init_weights` is, as a syntax tree."""

import ast

from .edits import Guard, InitWeights
from .plannedsites import new_expression, new_statements

SUPER_INIT_WEIGHTS = "@torch.no_grad()\ndef _init_weights(self, module):\n    super()._init_weights(module)\n"


def extend_init_weights(cls: ast.ClassDef, edit: InitWeights) -> None:
    function = _init_weights(cls)
    if function is None:
        (added,) = new_statements(SUPER_INIT_WEIGHTS)
        assert isinstance(added, ast.FunctionDef)
        function = added
        cls.body.append(function)
    function.body += new_statements(edit.text)


def guard(cls: ast.ClassDef, edit: Guard) -> None:
    """A test before each statement that reads it, an `if` with all that is in it; an `elif` stays as it is."""
    function = _init_weights(cls)
    assert function is not None
    holder = f"{function.args.args[1].arg}.{edit.holder}"
    test = f'hasattr({holder}, "{edit.name}")'

    def guarded(body: list[ast.stmt], *, follows: bool = False) -> list[ast.stmt]:
        return [new for statement in body for new in tested(statement, follows)]

    def tested(statement: ast.stmt, follows: bool) -> list[ast.stmt]:
        read: ast.AST | None = statement
        if isinstance(statement, ast.If | ast.For | ast.While | ast.With | ast.Try):
            read = statement.test if isinstance(statement, ast.If) else None
            statement.body = guarded(statement.body)
            if not isinstance(statement, ast.With):
                chain = statement.orelse
                statement.orelse = guarded(chain, follows=_is_elif(statement, chain))
        if follows or read is None or not _reads(read, f"{holder}.{edit.name}"):
            return [statement]
        return [ast.If(new_expression(test), [statement], [])]

    function.body = guarded(function.body)


def _is_elif(statement: ast.stmt, chain: list[ast.stmt]) -> bool:
    """An `elif` stands in the column of its `if`."""
    return len(chain) == 1 and isinstance(chain[0], ast.If) and chain[0].col_offset == statement.col_offset


def _reads(node: ast.AST, text: str) -> bool:
    return any(isinstance(inner, ast.Attribute) and ast.unparse(inner) == text for inner in ast.walk(node))


def _init_weights(cls: ast.ClassDef) -> ast.FunctionDef | None:
    found = (item for item in cls.body if isinstance(item, ast.FunctionDef) and item.name == "_init_weights")
    return next(found, None)
