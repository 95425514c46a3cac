"""The syntax tree that an emitted class has to have: its original's, with the planned edits and the names that follow.

Made on the tree, apart from the rewriting of the text, to judge it.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

from .edits import (
    SWITCH,
    Assign,
    ClassAttribute,
    Constructs,
    Guard,
    InitWeights,
    Method,
    NewMethod,
    SourceEdit,
    Statement,
    Variant,
)
from .plannedmethods import add_method, method_of, replace_method
from .plannedrounds import Unplanned
from .plannedsites import edit_sites, marked, new_expression, new_statements
from .plannedweights import extend_init_weights, guard

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Original:
    """Where a class stands: whole lines of its file, the number of the first, and how far they are indented."""

    text: str
    line: int
    indent: int


@dataclass(frozen=True, slots=True)
class Followed:
    """``present``: what stands for a class of the original module; ``single``: names that are exchanged; ``package``:
    where the original's relative imports start; ``documented``: whether `@auto_docstring` takes a class of any name;
    ``listed``: what `_no_split_modules` calls a class of any module, ``unlisted``: names that it does without."""

    present: Mapping[str, tuple[str, ...]]
    single: Mapping[str, str]
    package: str
    documented: bool = True
    listed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unlisted: frozenset[str] = frozenset()


def planned_class(original: Original, variant: Variant, names: Followed) -> ast.ClassDef:
    """Raises `Unplanned` where an edit has no place."""
    cls = parsed(original)
    edit_sites(cls, variant.edits, original.line - (2 if original.indent else 1))
    _edit_initialiser(cls, variant.edits)
    for edit in variant.edits:
        if isinstance(edit, Method):
            replace_method(cls, edit)
        elif isinstance(edit, Guard):
            guard(cls, edit)
        elif isinstance(edit, InitWeights):
            extend_init_weights(cls, edit)
        elif isinstance(edit, NewMethod):
            add_method(cls, edit)
        elif isinstance(edit, ClassAttribute):
            _set_attribute(cls, edit)
    _follow(cls, variant, names)
    return cls


def parsed(original: Original) -> ast.ClassDef:
    """With the columns of the file: nothing is dedented, for a string would change."""
    tree = ast.parse(f"if True:\n{original.text}" if original.indent else original.text).body[0]
    cls = tree.body[0] if isinstance(tree, ast.If) else tree
    assert isinstance(cls, ast.ClassDef)
    return cls


# --- statements


def _edit_initialiser(cls: ast.ClassDef, edits: Sequence[SourceEdit]) -> None:
    mine = [edit for edit in edits if isinstance(edit, Assign | Statement)]
    if not mine:
        return
    function = _function(cls, "__init__")
    if function is None:
        cls.body.append(_initialiser([_text(edit) for edit in mine]))
        return
    rest = [edit for edit in mine if isinstance(edit, Statement) or not _assigned(function, edit)]
    new = new_statements("\n".join(map(_text, rest)))
    ends = (place for place, line in enumerate(function.body) if _is_post_init(line))
    place = next(ends, len(function.body))
    post, after = function.body[place : place + 1], function.body[place + 1 :]
    last = [line for line in new if after and SWITCH in ast.unparse(line)]
    new = [line for line in new if line not in last]
    if any(map(_sets_slot, after)) and any(map(_sets_slot, new)):
        function.body[place:] = [*after, *new, *post, *last]
    else:
        function.body[place:] = [*new, *post, *after, *last]


def _text(edit: Assign | Statement) -> str:
    return edit.text if isinstance(edit, Statement) else f"self.{edit.name} = {edit.text}"


def _function(cls: ast.ClassDef, name: str) -> Function | None:
    return next((item for item in cls.body if isinstance(item, Function) and item.name == name), None)


def _assigned(function: Function, edit: Assign) -> bool:
    """The right-hand side is another, where the attribute is named just once, to be assigned."""
    uses = [node for node in ast.walk(function) if isinstance(node, ast.Attribute) and _is_own(node, edit.name)]
    for line in function.body:
        if isinstance(line, ast.Assign) and len(line.targets) == 1 and uses == line.targets:
            line.value = new_expression(edit.text)
            return True
    return False


def _is_own(node: ast.Attribute, name: str) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self" and node.attr == name


def _sets_slot(line: ast.stmt) -> bool:
    targets = line.targets if isinstance(line, ast.Assign) else []
    return any(isinstance(t, ast.Attribute) and _is_own(t, t.attr) for t in targets)


def _is_post_init(line: ast.stmt) -> bool:
    return ast.unparse(line).strip().endswith("self.post_init()")


def _initialiser(lines: Sequence[str]) -> ast.stmt:
    takes = "config, *args, **kwargs" if any("config" in line for line in lines) else "*args, **kwargs"
    (function,) = new_statements(f"def __init__(self, {takes}):\n    super().__init__({takes})\n")
    assert isinstance(function, ast.FunctionDef)
    function.body += new_statements("\n".join(lines))
    return function


def _set_attribute(cls: ast.ClassDef, edit: ClassAttribute) -> None:
    (new,) = new_statements(f"{edit.name} = {edit.text}")
    assert isinstance(new, ast.Assign)
    lines = [line for line in cls.body if edit.name in _assigns(line)]
    if edit.extend and lines and isinstance(new.value, ast.List):
        old = getattr(lines[0], "value", None)
        new.value.elts[:0] = old.elts if isinstance(old, ast.List) else []
    place = cls.body.index(lines[0]) if lines else int(ast.get_docstring(cls) is not None)
    cls.body.insert(place, new)
    cls.body = [line for line in cls.body if line not in lines]


def _assigns(line: ast.stmt) -> set[str]:
    if isinstance(line, Function):
        return {line.name}
    targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


# --- names


def _follow(cls: ast.ClassDef, variant: Variant, names: Followed) -> None:
    bases = {**names.single, **dict(variant.bases)}
    for place, base in enumerate(cls.bases):
        if isinstance(base, ast.Name) and base.id in bases:
            cls.bases[place] = marked(ast.Name(bases[base.id], ast.Load()))
    follower = _Follower(names, variant)
    cls.name = variant.name
    cls.body = [follower.visit(item) for item in cls.body]
    decorators = cls.decorator_list if names.documented else [_introduced(d, variant) for d in cls.decorator_list]
    cls.decorator_list = [follower.visit(item) for item in decorators]


def _introduced(decorator: ast.expr, variant: Variant) -> ast.expr:
    plain = isinstance(decorator, ast.Name) and decorator.id == "auto_docstring"
    word = ast.keyword("custom_intro", ast.Constant(f"{variant.origin.name}, modified."))
    return ast.Call(decorator, [], [word]) if plain else decorator


class _Follower(ast.NodeTransformer):
    """A name stands for one class where it constructs, and for all that are present where it tests."""

    def __init__(self, names: Followed, variant: Variant) -> None:
        self.present = {**names.present, variant.origin.name: (variant.name,)}
        self.listed = {**names.listed, variant.origin.name: (variant.name,)}
        self.package, self.unlisted = names.package, names.unlisted
        one = {name: new[0] for name, new in self.present.items() if len(new) == 1}
        constructs = {edit.old: edit.new for edit in variant.edits if isinstance(edit, Constructs)}
        self.exchanged = {**one, **constructs, **names.single}

    def visit_Name(self, node: ast.Name) -> ast.Name:
        new = self.exchanged.get(node.id, node.id)
        return node if new == node.id else marked(ast.Name(new, node.ctx))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        target = node.target
        self.generic_visit(node)
        node.target = target
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if node.level and self.package:
            parts = self.package.split(".")
            base = parts[: len(parts) - node.level + 1]
            node.module, node.level = ".".join([*base, *([node.module] if node.module else [])]), 0
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        tests = isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass")
        tested = self.tested(node.args[1]) if tests and len(node.args) + len(node.keywords) == 2 else None
        self.generic_visit(node)
        if tested is not None:
            node.args[1] = tested
        return node

    def tested(self, classes: ast.expr) -> ast.expr | None:
        members = classes.elts if isinstance(classes, ast.Tuple) else [classes]
        if not any(self.stands_for(member) for member in members):
            return None
        expanded = [new for member in members for new in self.expanded(member)]
        return expanded[0] if len(expanded) == 1 else ast.Tuple(expanded, ast.Load())

    def stands_for(self, node: ast.expr) -> tuple[str, ...]:
        return self.present.get(node.id, ()) if isinstance(node, ast.Name) else ()

    def expanded(self, node: ast.expr) -> list[ast.expr]:
        new = self.stands_for(node)
        return [marked(ast.Name(name, ast.Load())) for name in new] if new else [deepcopy(node)]

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        target = node.targets[0]
        name = target.id if isinstance(target, ast.Name) else None
        value: ast.expr | None = None
        if name == "_can_record_outputs" and isinstance(node.value, ast.Dict):
            value = self.recorded(node.value)
        elif name == "_no_split_modules" and isinstance(node.value, ast.List):
            value = self.unsplit(node.value)
        self.generic_visit(node)
        node.value = node.value if value is None else value
        return node

    def recorded(self, table: ast.Dict) -> ast.Dict:
        # `**other` is a None among the keys, and stays.
        pairs = zip(table.keys, table.values, strict=True)
        values = [deepcopy(value) if key is None else self.recorder(value) for key, value in pairs]
        return ast.Dict(deepcopy(table.keys), values)

    def recorder(self, value: ast.expr) -> ast.expr:
        members = value.elts if isinstance(value, ast.List) else [value]
        expanded = [new for member in members for new in self.recorders(member)]
        alone = len(expanded) == 1 and not isinstance(value, ast.List)
        return expanded[0] if alone else ast.List(expanded, ast.Load())

    def recorders(self, value: ast.expr) -> Iterator[ast.expr]:
        if not isinstance(value, ast.Call):
            yield from self.expanded(value)
            return
        holder = next((word for word in value.keywords if word.arg == "target_class"), None)
        target = value.args[0] if value.args else (holder.value if holder is not None else None)
        for new in self.expanded(target) if target is not None else [None]:
            call = deepcopy(value)
            if new is not None and call.args:
                call.args[0] = new
            elif new is not None:
                next(word for word in call.keywords if word.arg == "target_class").value = new
            yield call

    def unsplit(self, value: ast.List) -> ast.List:
        texts = [item.value if isinstance(item, ast.Constant) else None for item in value.elts]
        if not all(isinstance(text, str) for text in texts):
            return deepcopy(value)
        names = [new for text in texts for new in self.listed.get(str(text), (str(text),))]
        return ast.List([ast.Constant(name) for name in names if name not in self.unlisted], ast.Load())


__all__ = ["Followed", "Original", "Unplanned", "method_of", "planned_class"]
