"""Which global names a piece of source reads, and where; text replaced at positions."""

import ast
import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Position = tuple[int, int]
SILENT = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__class__"}


@dataclass(frozen=True, slots=True)
class NameUse:
    """A global name that is read: by a name, or inside a quoted annotation.

    ``deferred``: read when a function is called, not when the text is executed.
    """

    name: str
    node: ast.Name | ast.Constant
    deferred: bool
    annotation: bool

    @property
    def quoted(self) -> bool:
        return isinstance(self.node, ast.Constant)


@dataclass(frozen=True, slots=True)
class Edit:
    """New text for a range of the source; columns count bytes, as those of ``ast`` do."""

    start: Position
    end: Position
    text: str


@dataclass(frozen=True, slots=True)
class Scope:
    is_class: bool
    bound: frozenset[str]
    declared_global: frozenset[str]


@lru_cache(maxsize=256)
def free_globals(text: str) -> frozenset[str]:
    """The global names that a class or function reads and does not itself define; builtins and quotes excluded."""
    tree = ast.parse(text)
    own = bindings(tree.body).bound
    names = {use.name for use in global_uses(tree) if not use.quoted}
    return frozenset(names - own - BUILTINS)


def quoted_globals(text: str) -> frozenset[str]:
    """The global names that only quoted annotations mention; they need not exist."""
    names = {use.name for use in global_uses(ast.parse(text)) if use.quoted}
    return frozenset(names - BUILTINS) - free_globals(text)


def global_uses(tree: ast.Module) -> list[NameUse]:
    """Every place where the text reads a name of its module, in the order of the walk."""
    reader = _Reader()
    for statement in tree.body:
        reader.visit(statement)
    return reader.uses


def assigned_globals(tree: ast.AST) -> frozenset[str]:
    """The names that functions in the text declare ``global``."""
    return frozenset(name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names)


def splice(text: str, edits: Iterable[Edit]) -> str:
    """The text with every range replaced; ranges do not overlap."""
    lines = [line.encode() for line in text.split("\n")]
    for edit in sorted(set(edits), key=lambda edit: edit.start, reverse=True):
        (first, start), (last, end) = edit.start, edit.end
        joined = lines[first - 1][:start] + edit.text.encode() + lines[last - 1][end:]
        lines[first - 1 : last] = joined.split(b"\n")
    return b"\n".join(lines).decode()


def bindings(nodes: Sequence[ast.AST]) -> Scope:
    """What statements bind in the scope they stand in; nested scopes are left out."""
    bound: set[str] = set()
    outer: dict[type[ast.AST], set[str]] = {ast.Global: set(), ast.Nonlocal: set()}
    pending = [*nodes]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                bound.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
            pending += node.decorator_list
        elif isinstance(node, COMPREHENSIONS):
            # Only an assignment expression binds outside of its comprehension.
            walruses = (inner for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr))
            bound.update(walrus.target.id for walrus in walruses)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            outer[type(node)].update(node.names)
        elif not isinstance(node, ast.Lambda):
            bound.update(_bound_plainly(node))
            pending += _children(node)
    return Scope(False, frozenset(bound - outer[ast.Global] - outer[ast.Nonlocal]), frozenset(outer[ast.Global]))


def _bound_plainly(node: ast.AST) -> Iterable[str]:
    """Names that a node binds which stand in it as text."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        return (node.name,)
    if isinstance(node, ast.MatchMapping) and node.rest:
        return (node.rest,)
    return ()


def _children(node: ast.AST) -> list[ast.AST]:
    """As `ast.iter_child_nodes`, which takes several times as long, without contexts and operators."""
    found: list[ast.AST] = []
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST) and not isinstance(value, SILENT):
            found.append(value)
    return found


class _Reader:
    """Walks with the stack of scopes that Python would look names up in."""

    def __init__(self) -> None:
        self.uses: list[NameUse] = []
        self.scopes: list[Scope] = []
        self.deferred = 0
        self.annotation = False

    def visit_name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load) and self.is_global(node.id):
            self.uses.append(NameUse(node.id, node, self.deferred > 0, self.annotation))

    def visit_constant(self, node: ast.Constant) -> None:
        if self.annotation and isinstance(node.value, str):
            for name in _quoted_names(node.value):
                if self.is_global(name):
                    self.uses.append(NameUse(name, node, True, True))

    def visit_subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)
        kind = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
        # The strings of a Literal are values.
        self.annotate(node.slice, self.annotation and kind != "Literal")

    def visit_annotated(self, node: ast.AnnAssign) -> None:
        self.annotate(node.annotation, True)
        for child in (node.target, node.value):
            if child is not None:
                self.visit(child)

    def visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.visit_each(node.decorator_list)
        self.scopes.append(_type_parameters(node))
        self.visit_outside(node.args)
        self.annotate(node.returns, True)
        self.visit_inside(node.args, node.body)
        self.scopes.pop()

    def visit_lambda(self, node: ast.Lambda) -> None:
        self.visit_outside(node.args)
        self.visit_inside(node.args, [node.body])

    def visit_class(self, node: ast.ClassDef) -> None:
        self.visit_each(node.decorator_list)
        self.scopes.append(_type_parameters(node))
        self.visit_each([*node.bases, *node.keywords])
        inner = bindings(node.body)
        self.scopes.append(Scope(True, inner.bound, inner.declared_global))
        self.visit_each(node.body)
        self.scopes.pop()
        self.scopes.pop()

    def visit(self, node: ast.AST) -> None:
        method = VISITS.get(type(node))
        if method is not None:
            method(self, node)
        else:
            self.visit_each(_children(node))

    def visit_comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        # The first iterable is evaluated outside.
        first = node.generators[0]
        self.visit(first.iter)
        self.scopes.append(bindings([generator.target for generator in node.generators]))
        for generator in node.generators:
            self.visit_each([*([] if generator is first else [generator.iter]), *generator.ifs])
        self.visit_each([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        self.scopes.pop()

    def visit_outside(self, arguments: ast.arguments) -> None:
        self.visit_each([default for default in (*arguments.defaults, *arguments.kw_defaults) if default])
        for argument in parameters(arguments):
            self.annotate(argument.annotation, True)

    def visit_inside(self, arguments: ast.arguments, body: Sequence[ast.AST]) -> None:
        inner = bindings(body)
        names = {argument.arg for argument in parameters(arguments)}
        self.scopes.append(Scope(False, inner.bound | names, inner.declared_global))
        self.deferred += 1
        self.visit_each(body)
        self.deferred -= 1
        self.scopes.pop()

    def annotate(self, node: ast.AST | None, annotation: bool) -> None:
        if node is not None:
            before, self.annotation = self.annotation, annotation
            self.visit(node)
            self.annotation = before

    def visit_each(self, nodes: Sequence[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def is_global(self, name: str) -> bool:
        for depth, scope in enumerate(reversed(self.scopes)):
            if name in scope.declared_global:
                return True
            if name in scope.bound and not (scope.is_class and depth > 0):
                return False
        return True


VISITS: Mapping[type[ast.AST], Callable[[_Reader, Any], None]] = {
    ast.Name: _Reader.visit_name,
    ast.Constant: _Reader.visit_constant,
    ast.Subscript: _Reader.visit_subscript,
    ast.AnnAssign: _Reader.visit_annotated,
    ast.FunctionDef: _Reader.visit_function,
    ast.AsyncFunctionDef: _Reader.visit_function,
    ast.Lambda: _Reader.visit_lambda,
    ast.ClassDef: _Reader.visit_class,
    **dict.fromkeys(COMPREHENSIONS, _Reader.visit_comprehension),
}


def parameters(arguments: ast.arguments) -> Iterator[ast.arg]:
    """Every parameter, starred ones included."""
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (argument for argument in (arguments.vararg, arguments.kwarg) if argument)


def _type_parameters(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Scope:
    names = (getattr(parameter, "name", "") for parameter in getattr(node, "type_params", ()))
    return Scope(False, frozenset(names), frozenset())


def _quoted_names(text: str) -> list[str]:
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return []
    return list(dict.fromkeys(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)))
