"""What stands in the modular file: subclasses that say what their base classes do not, and nothing else.

The full classes are judged before: each statement of a subclass has to be one of theirs, and what a subclass leaves
out has to be its base class's.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy

from .draft import ClassDraft, Draft
from .emittedfile import EmittedFile
from .plannedclass import parsed

INIT, RECORDED = "__init__", "_can_record_outputs"
OTHER = "it does not say what the full class says"


def check_modular(modular: EmittedFile, modeling: EmittedFile, draft: Draft) -> None:
    """Raises `ValidationFailed` for other classes, statements, names or exports than planned."""
    classes = [each.variant.name for each in draft.classes]
    others = [name for name in draft.statements if name in modular.definitions]
    if list(modular.definitions) != [*others, *classes] or modular.calls or modular.notice is not None:
        raise modular.refuse(modular.notice, "it has other classes or statements than planned")
    if modular.exports != draft.exports or modular.postponed is not draft.postponed:
        raise modular.refuse(None, f"it exports {modular.exports}, should be {draft.exports}")
    _check_names(modular, modeling, draft)
    for name in others:
        _demand(modular, modular.definitions[name], _same(modular.definitions[name], modeling.definitions[name]))
    # A class of the user's stands in full.
    full = {name for name in classes if _same(modular.definitions[name], modeling.definitions[name])}
    for each in draft.classes:
        statement, whole = modular.definitions[each.variant.name], modeling.definitions[each.variant.name]
        assert isinstance(statement, ast.ClassDef) and isinstance(whole, ast.ClassDef)
        if each.variant.name not in full:
            _Subclass(modular, statement, whole, each, draft, full).check()


def _check_names(modular: EmittedFile, modeling: EmittedFile, draft: Draft) -> None:
    """What is imported is what the full file imports, or a class that one of the subclasses derives from."""
    bases = {(each.variant.origin.module, each.variant.origin.name) for each in draft.classes}
    for name, items in modular.imports.items():
        base = len(items) == 1 and (items[0].statement.module, name) in bases and items[0].statement.name == name
        if items != modeling.imports.get(name) and not base:
            raise modular.refuse(None, f"`{name}` is not what the full file imports")


def _demand(file: EmittedFile, node: ast.AST, said: bool) -> None:
    if not said:
        raise file.refuse(node, OTHER)


class _Subclass:
    """One class of the modular file, beside the full one and the original."""

    def __init__(
        self,
        file: EmittedFile,
        statement: ast.ClassDef,
        full: ast.ClassDef,
        each: ClassDraft,
        draft: Draft,
        others: set[str],
    ) -> None:
        self.file, self.statement, self.full = file, statement, full
        self.original = parsed(each.original)
        self.variants = {other.variant.name: other.variant.origin.name for other in draft.classes}
        self.origins = {name: origin for name, origin in self.variants.items() if name not in others}

    def check(self) -> None:
        self.check_head()
        emitted = [item for item in self.statement.body if not isinstance(item, ast.Pass)]
        expected = {id(item): self.without_super(item) for item in self.full.body if not _is_docstring(item)}
        rest = iter(expected.items())
        said = set()
        for item in emitted:
            place = next((key for key, full in rest if self.stands_for(item, full)), None)
            _demand(self.file, item, place is not None)
            said.add(place)
        for item in self.full.body:
            if id(item) in expected and id(item) not in said:
                _demand(self.file, self.statement, self.inherited(item))
        known = {_name(item) for item in self.full.body}
        _demand(self.file, self.statement, all(_name(item) in known for item in self.original.body))

    def check_head(self) -> None:
        bases = [ast.unparse(base) for base in self.full.bases if ast.unparse(base) in self.variants]
        documented = [item for item in self.full.decorator_list if ast.unparse(item).startswith("auto_docstring")]
        same = [ast.unparse(base) for base in self.statement.bases] == [*bases, self.original.name]
        decorators = _all_same(self.statement.decorator_list, documented)
        _demand(self.file, self.statement, same and decorators and not self.statement.keywords)

    def stands_for(self, item: ast.stmt, full: ast.stmt) -> bool:
        if isinstance(item, ast.FunctionDef) and isinstance(full, ast.FunctionDef) and item.name == full.name == INIT:
            self.check_initialiser(item, full)
            return True
        return _same(item, full)

    def inherited(self, item: ast.stmt) -> bool:
        """Whether the base class says the same: a test for a declared class holds for its subclasses."""
        if isinstance(item, ast.FunctionDef) and item.name == INIT:
            return self.initialises_the_same(item)
        calls = (node.func for node in ast.walk(item) if isinstance(node, ast.Call))
        if any(isinstance(called, ast.Name) and called.id in self.variants for called in calls):
            return False
        declared = _Declared(self.origins).visit(deepcopy(item))
        return any(_same(declared, _Declared({}).visit(deepcopy(other))) for other in self.original.body)

    # --- __init__

    def initialises_the_same(self, full: ast.FunctionDef) -> bool:
        before = self.own_statements(self.original_initialiser)
        known = {ast.dump(item) for item in before}
        after = self.own_statements(full)
        return all(ast.dump(item) in known for item in after) and _targets(before) <= _targets(after)

    def check_initialiser(self, item: ast.FunctionDef, full: ast.FunctionDef) -> None:
        """What the base class makes, less what is gone, then statements of the full one in their order."""
        before, after = self.own_statements(self.original_initialiser), self.own_statements(full)
        gone = sorted(_targets(before) - _targets(after))
        start = [f"super().__init__({_passed(full)})", *(f"del self.{name}" for name in gone)]
        head, rest = item.body[: len(start)], item.body[len(start) :]
        _demand(self.file, item, [ast.unparse(each) for each in head] == start)
        _demand(self.file, item, _same(_without_body(item), _without_body(full)))
        last = [each for each in after if ast.unparse(each) == "self.post_init()"]
        ordered = iter([*(each for each in after if each not in last), *last])
        for each in rest:
            _demand(self.file, each, any(_same(each, other) for other in ordered))
        known = {ast.dump(each) for each in (*before, *rest)}
        _demand(self.file, item, all(ast.dump(each) in known for each in after))

    @property
    def original_initialiser(self) -> ast.FunctionDef | None:
        found = (item for item in self.original.body if isinstance(item, ast.FunctionDef) and item.name == INIT)
        return next(found, None)

    def own_statements(self, function: ast.FunctionDef | None) -> list[ast.stmt]:
        body = [] if function is None else function.body
        return [
            item for item in body if not (_is_docstring(item) or ast.unparse(item).startswith("super().__init__("))
        ]

    def without_super(self, item: ast.stmt) -> ast.stmt:
        """The next class is not that of the original any more: its base class is called by name."""
        if not isinstance(item, ast.FunctionDef) or item.name == INIT or not self.original.bases:
            return item
        return _BaseCalls(self.original.bases[0], item.name).visit(deepcopy(item))  # type: ignore[no-any-return]  # visitors are untyped


class _BaseCalls(ast.NodeTransformer):
    def __init__(self, base: ast.expr, method: str) -> None:
        self.base, self.method = base, method

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if ast.unparse(node.func) == f"super().{self.method}":
            node.func = ast.Attribute(self.base, self.method, ast.Load())
            node.args = [ast.Name("self", ast.Load()), *node.args]
        return node


class _Declared(ast.NodeTransformer):
    """Declared names for new ones, each class once in a test for several, and where outputs are recorded."""

    def __init__(self, origins: Mapping[str, str]) -> None:
        self.origins = origins
        self.recorded = False

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        self.recorded = _name(node) == RECORDED
        self.generic_visit(node)
        self.recorded = False
        return node

    def visit_List(self, node: ast.List) -> ast.expr:
        self.generic_visit(node)
        members = list({ast.dump(item): item for item in node.elts}.values())
        node.elts = members if self.recorded else node.elts
        return members[0] if self.recorded and len(members) == 1 else node

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.origins.get(node.id, node.id), node.ctx)

    def visit_Tuple(self, node: ast.Tuple) -> ast.expr:
        self.generic_visit(node)
        texts = {ast.unparse(item) for item in node.elts}
        several = len(node.elts) > 1 and len(texts) == 1 and texts <= set(self.origins.values())
        return node.elts[0] if several else node


def _same(one: ast.AST, other: ast.AST) -> bool:
    return ast.dump(one) == ast.dump(other)


def _all_same(some: Sequence[ast.AST], others: Sequence[ast.AST]) -> bool:
    return len(some) == len(others) and all(_same(one, other) for one, other in zip(some, others, strict=True))


def _is_docstring(item: ast.stmt) -> bool:
    return isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant) and isinstance(item.value.value, str)


def _name(item: ast.stmt) -> str | None:
    """The function or attribute that a statement of a class body defines."""
    if isinstance(item, ast.FunctionDef | ast.ClassDef):
        return item.name
    targets = item.targets if isinstance(item, ast.Assign) else [getattr(item, "target", None)]
    return next((target.id for target in targets if isinstance(target, ast.Name)), None)


def _without_body(function: ast.FunctionDef) -> ast.FunctionDef:
    bare = deepcopy(function)
    bare.body = [ast.Pass()]
    return bare


def _targets(statements: Sequence[ast.stmt]) -> set[str]:
    """Attributes of ``self`` that statements, those of branches included, assign."""
    return set(_assigned(statements))


def _assigned(statements: Sequence[ast.stmt]) -> Iterator[str]:
    for node in (node for statement in statements for node in ast.walk(statement)):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                yield target.attr


def _passed(function: ast.FunctionDef) -> str:
    """The parameters of a function as arguments of a call."""
    given = function.args
    texts = [item.arg for item in (*given.posonlyargs, *given.args)][1:]
    texts += [f"*{given.vararg.arg}"] if given.vararg is not None else []
    texts += [f"{item.arg}={item.arg}" for item in given.kwonlyargs]
    return ", ".join([*texts, *([f"**{given.kwarg.arg}"] if given.kwarg is not None else [])])
