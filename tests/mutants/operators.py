"""Every single mistake of some kinds that a file can hold, as exchanges of one field of one node.

What is not planted, because it means the same:
- the order of import statements, and of the names in one: nothing that is imported has effects;
- blanks at the ends of a docstring's lines and its indentation: the formatter's;
- a change after which the file has the same syntax tree, such as swapping two equal arguments;
- the operands of `+` or `==` swapped: that is no operator here.
What does not compile is not planted either: anybody would catch it.
"""

import ast
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

Function = ast.FunctionDef | ast.AsyncFunctionDef
SHAPED = {
    "Linear",
    "Embedding",
    "LayerNorm",
    "Conv2d",
    "Parameter",
    "zeros",
    "empty",
    "Dropout",
    "arange",
    "ones",
    "full",
}
BUFFERS = {"register_buffer", "Buffer"}
OTHER_OPERATOR: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Pow: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.BitXor: ast.BitOr,
    ast.MatMult: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Not: ast.UAdd,
    ast.USub: ast.UAdd,
}


@dataclass(frozen=True, slots=True, eq=False)
class Mutation:
    """One field of one node holds another value."""

    kind: str
    node: ast.AST
    field: str
    value: object
    line: int

    def text(self, tree: ast.Module) -> str:
        """The text of the whole file with the mistake; the tree is left as it was."""
        before = getattr(self.node, self.field)
        setattr(self.node, self.field, self.value)
        try:
            return ast.unparse(tree) + "\n"
        finally:
            setattr(self.node, self.field, before)


def mutations(tree: ast.Module) -> Iterator[Mutation]:
    """All of them, in the order of the text."""
    reader = _Reader(tree)
    for node in ast.walk(tree):
        for operator in OPERATORS:
            for kind, owner, field, value in operator(node, reader):
                yield Mutation(kind, owner, field, value, getattr(node, "lineno", 0))


class _Reader:
    """Names that a file uses, from which to take another one; and which strings are docstrings."""

    def __init__(self, tree: ast.Module) -> None:
        self.names = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
        self.attributes = sorted({node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)})

    def other(self, names: list[str], name: str) -> str:
        return names[(names.index(name) + 1) % len(names)]


Exchange = tuple[str, ast.AST, str, object]
Operator = Callable[[ast.AST, _Reader], Iterator[Exchange]]


def literals(node: ast.AST, _: _Reader) -> Iterator[Exchange]:
    if isinstance(node, ast.Constant) and (other := _other_value(node.value)) is not ...:
        yield "literal", node, "value", other


def _other_value(value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 2 if value else 1.0
    return f"{value}x" if isinstance(value, str) else 0 if value is None else ...


def names(node: ast.AST, reader: _Reader) -> Iterator[Exchange]:
    if isinstance(node, ast.Name):
        yield "name", node, "id", reader.other(reader.names, node.id)
    if isinstance(node, ast.Attribute):
        yield "name", node, "attr", reader.other(reader.attributes, node.attr)
    if isinstance(node, ast.ClassDef):
        yield "name", node, "name", f"{node.name}X"


def arguments(node: ast.AST, _: _Reader) -> Iterator[Exchange]:
    if not isinstance(node, ast.Call):
        return
    if node.args:
        yield "argument", node, "args", node.args[:-1]
    if len(node.args) > 1:
        yield "argument", node, "args", [node.args[1], node.args[0], *node.args[2:]]
    if node.keywords:
        yield "argument", node, "keywords", node.keywords[1:]
        yield "argument", node, "keywords", [ast.keyword("extra", word.value) if word is node.keywords[0] else word
                                             for word in node.keywords]  # fmt: skip
    yield "argument", node, "keywords", [*node.keywords, ast.keyword("bias", ast.Constant(False))]


def shapes(node: ast.AST, _: _Reader) -> Iterator[Exchange]:
    if isinstance(node, ast.Call) and _called(node) in SHAPED:
        for place, argument in enumerate(node.args):
            if not isinstance(argument, ast.Starred):
                larger = ast.BinOp(argument, ast.Add(), ast.Constant(1))
                yield "shape", node, "args", [*node.args[:place], larger, *node.args[place + 1 :]]


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def buffers(node: ast.AST, _: _Reader) -> Iterator[Exchange]:
    if isinstance(node, ast.Call) and _called(node) in BUFFERS:
        others = [word for word in node.keywords if word.arg != "persistent"]
        persistent = others != node.keywords
        yield "buffer", node, "keywords", [*others, ast.keyword("persistent", ast.Constant(persistent))]
        yield "buffer", node, "func", ast.Attribute(ast.Name("nn", ast.Load()), "Parameter", ast.Load())


def ties(node: ast.AST, _: _Reader) -> Iterator[Exchange]:
    target = node.targets[0] if isinstance(node, ast.Assign) else None
    if isinstance(target, ast.Name) and target.id == "_tied_weights_keys" and isinstance(node, ast.Assign):
        yield "tie", node, "value", ast.Constant(None)
        if isinstance(node.value, ast.Dict) and node.value.keys:
            yield "tie", node.value, "keys", node.value.values
            yield "tie", node, "value", ast.Dict(node.value.keys[:-1], node.value.values[:-1])


def methods(node: ast.AST, _: _Reader) -> Iterator[Exchange]:
    if not isinstance(node, ast.ClassDef):
        return
    for place, item in enumerate(node.body):
        if isinstance(item, Function):
            yield "method", item, "name", f"{item.name}_"
            yield "method", node, "body", [*node.body[:place], *node.body[place + 1 :]] or [ast.Pass()]
            if item.decorator_list:
                yield "method", item, "decorator_list", item.decorator_list[1:]
            else:
                yield "method", item, "decorator_list", [ast.Name("staticmethod", ast.Load())]
    extra = ast.parse("def extra_repr(self):\n    return ''\n").body
    yield "method", node, "body", [*node.body, *extra]


def parameters(node: ast.AST, _: _Reader) -> Iterator[Exchange]:
    if not isinstance(node, Function):
        return
    given = node.args
    if given.defaults:
        yield "parameter", given, "defaults", given.defaults[1:]
    for argument in (*given.args, *given.kwonlyargs):
        yield "parameter", argument, "arg", f"{argument.arg}_"
        if argument.annotation is not None:
            yield "annotation", argument, "annotation", None
    if len(given.args) > 2:
        yield "parameter", given, "args", [given.args[0], given.args[2], given.args[1], *given.args[3:]]
    if given.kwarg is not None:
        yield "parameter", given, "kwarg", None
    yield "annotation", node, "returns", None if node.returns is not None else ast.Constant(None)


def orders(node: ast.AST, _: _Reader) -> Iterator[Exchange]:
    for field in ("body", "orelse"):
        body = getattr(node, field, None)
        for place in range(len(body) - 1 if isinstance(body, list) else 0):
            one, other = body[place], body[place + 1]
            if not isinstance(one, ast.Import | ast.ImportFrom) and not isinstance(other, ast.Import | ast.ImportFrom):
                yield "order", node, field, [*body[:place], other, one, *body[place + 2 :]]


def operators(node: ast.AST, _: _Reader) -> Iterator[Exchange]:
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.UnaryOp | ast.AugAssign) and type(node.op) in OTHER_OPERATOR:
        yield "operator", node, "op", OTHER_OPERATOR[type(node.op)]()
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OTHER_OPERATOR:
        yield "operator", node, "ops", [OTHER_OPERATOR[type(node.ops[0])](), *node.ops[1:]]


def branches(node: ast.AST, _: _Reader) -> Iterator[Exchange]:
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield "branch", node, "test", ast.UnaryOp(ast.Not(), node.test)
    if isinstance(node, ast.If):
        yield "branch", node, "orelse", [] if node.orelse else [ast.Raise(ast.Name("ValueError", ast.Load()), None)]
    if isinstance(node, ast.comprehension):
        yield "branch", node, "ifs", [] if node.ifs else [ast.Name("i", ast.Load())]
    if isinstance(node, ast.Return) and node.value is not None:
        yield "branch", node, "value", None


def statements(node: ast.AST, _: _Reader) -> Iterator[Exchange]:
    for field in ("body", "orelse"):
        body = getattr(node, field, None)
        for place in range(len(body) if isinstance(body, list) else 0):
            kept = [*body[:place], *body[place + 1 :]]
            if not isinstance(body[place], ast.Pass | Function):
                yield "statement", node, field, kept or [ast.Pass()]
    if isinstance(node, ast.Module | ast.ClassDef | Function):
        extra = ast.parse("self.training = False" if isinstance(node, Function) else "training = False").body
        yield "statement", node, "body", [*node.body, *extra]


def bases(node: ast.AST, _: _Reader) -> Iterator[Exchange]:
    if isinstance(node, ast.ClassDef):
        yield "base", node, "bases", [ast.Name("object", ast.Load()), *node.bases[1:]]
        yield "base", node, "bases", [*node.bases, ast.Name("object", ast.Load())]
        yield "base", node, "decorator_list", node.decorator_list[1:] or [ast.Name("staticmethod", ast.Load())]


def imports(node: ast.AST, _: _Reader) -> Iterator[Exchange]:
    if isinstance(node, ast.ImportFrom):
        yield "import", node, "module", f"{node.module}_"
        yield "import", node, "level", 1 - node.level
    if isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield "import", alias, "name", f"{alias.name}_"
            yield "import", alias, "asname", f"{alias.asname or alias.name.replace('.', '_')}_"
        yield "import", node, "names", [*node.names, ast.alias("nn" if isinstance(node, ast.ImportFrom) else "os")]


def exports(node: ast.AST, _: _Reader) -> Iterator[Exchange]:
    if isinstance(node, ast.List) and node.elts and all(isinstance(item, ast.Constant) for item in node.elts):
        yield "list", node, "elts", node.elts[1:]
        yield "list", node, "elts", [*node.elts, deepcopy(node.elts[0])]
        yield "list", node, "elts", node.elts[::-1]


OPERATORS: tuple[Operator, ...] = (
    *(literals, names, arguments, shapes, buffers, ties, methods, parameters, orders, operators, branches),
    *(statements, bases, imports, exports),
)
