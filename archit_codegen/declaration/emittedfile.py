"""One emitted file as its syntax tree, and what each name at its top is bound to."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from archit_codegen.errors import ValidationFailed

from .importing import MISSING, Import

Definition = ast.ClassDef | ast.FunctionDef | ast.Assign | ast.AnnAssign
EXPORTS = "__all__"


@dataclass(frozen=True, slots=True)
class Imported:
    """A name that an import binds; ``sibling`` is the file of the package that it comes from."""

    statement: Import
    sibling: str | None = None

    def value(self) -> object:
        module = sys.modules.get(self.statement.module)
        return MISSING if module is None else self.statement.value()


@dataclass(slots=True)
class EmittedFile:
    """Statements by the names that they bind. ``used`` collects the names that something needed."""

    path: str
    tree: ast.Module
    imports: dict[str, list[Imported]] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    notice: ast.If | None = None
    calls: list[ast.Expr] = field(default_factory=list)
    exports: list[object] = field(default_factory=list)
    postponed: bool = False
    used: set[str] = field(default_factory=set)

    @property
    def siblings(self) -> frozenset[str]:
        found = (item.sibling for items in self.imports.values() for item in items)
        return frozenset(sibling for sibling in found if sibling is not None)

    def refuse(self, node: ast.AST | None, reason: str) -> ValidationFailed:
        line = getattr(node, "lineno", None)
        return ValidationFailed(f"{self.path}, line {line}" if line else self.path, reason)

    def binds(self, name: str) -> bool:
        return name in self.imports or name in self.definitions

    def check_used(self) -> None:
        """Raises `ValidationFailed` for what nothing asked for."""
        for name in (*self.imports, *self.definitions):
            if name not in self.used:
                raise self.refuse(self.definitions.get(name), f"`{name}` is bound, and nothing uses it")
        said = dotted_names(self.tree)
        for items in self.imports.values():
            for item in items:
                # `import a.b` binds `a`: what it is there for is said by `a.b`.
                if item.statement.binds_root and len(items) > 1 and item.statement.module not in said:
                    raise self.refuse(None, f"nothing uses `import {item.statement.module}`")


def read_file(path: str, text: str) -> EmittedFile:
    """Raises `ValidationFailed` where the file is no Python, or has a statement of another kind than emitted files."""
    try:
        file = EmittedFile(path, ast.parse(text.encode()))
    except (SyntaxError, ValueError) as error:
        raise ValidationFailed(path, f"it is not Python: {error}") from error
    last = 0
    for statement in file.tree.body:
        rank = _read(file, statement)
        if rank < last:
            raise file.refuse(statement, "the statement stands in the wrong place")
        last = rank
    return file


def _read(file: EmittedFile, statement: ast.stmt) -> int:
    """Notes what a statement binds; its rank among the statements of a file."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        for name, imported in _imported(file, statement):
            known = file.imports.setdefault(name, [])
            if (file.postponed and name == "annotations") or (known and not imported.statement.binds_root):
                raise file.refuse(statement, f"`{name}` is bound twice")
            known.append(imported)
        return 0
    bound = _bound(statement)
    if bound == EXPORTS and isinstance(statement, ast.Assign) and isinstance(statement.value, ast.List):
        if file.exports:
            raise file.refuse(statement, "there are two lists of exports")
        file.exports = [getattr(item, "value", item) for item in statement.value.elts]
        return 4
    if bound is not None and isinstance(statement, Definition) and not file.binds(bound):
        file.definitions[bound] = statement
        return 2
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        file.calls.append(statement)
        return 3
    if isinstance(statement, ast.If) and file.notice is None:
        file.notice = statement
        return 1
    raise file.refuse(statement, "nothing planned this statement")


def _bound(statement: ast.stmt) -> str | None:
    if isinstance(statement, ast.ClassDef | ast.FunctionDef):
        return statement.name
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        return target.id if isinstance(target, ast.Name) else None
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        return statement.target.id if isinstance(statement.target, ast.Name) else None
    return None


def _imported(file: EmittedFile, statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Imported]]:
    for alias in statement.names:
        if isinstance(statement, ast.Import):
            name = alias.asname or alias.name.partition(".")[0]
            yield name, Imported(Import(alias.name, None, name))
        elif statement.module == "__future__" and alias.name == "annotations" and alias.asname is None:
            file.postponed = True
        elif statement.module is None or statement.level > 1 or alias.name == "*":
            raise file.refuse(statement, "nothing planned this import")
        else:
            name = alias.asname or alias.name
            yield (
                name,
                Imported(Import(statement.module, alias.name, name), statement.module if statement.level else None),
            )


def dotted_names(tree: ast.AST) -> frozenset[str]:
    """Every `a.b.c` in a text."""
    return frozenset(ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute))
