"""Planned edits of construction sites, made on the syntax tree: the judge of what the rewriting of the text did.

Written apart from it (the text is rewritten with LibCST); what the two have in common is the plan.
"""

import ast
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TypeVar

from .conditions import at_index, condition, free_index
from .edits import ORIGINAL, Alternative, Arguments, Callee, Constructs, LoopEdit, SiteEdit, SourceEdit
from .ir import Site
from .plannedrounds import Unplanned, learnt_order, learnt_test, planned_test

Span = tuple[int, int, int, int]
LOOPS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp, ast.For)
NEW = "_archit_new"
Tree = TypeVar("Tree", bound=ast.AST)


def new_expression(text: str) -> ast.expr:
    """An expression of the plan's, its names marked as such."""
    return marked(ast.parse(text, mode="eval").body)


def new_statements(text: str) -> list[ast.stmt]:
    """Statements of the plan's, their names marked as such."""
    return [marked(statement) for statement in ast.parse(text).body]


def marked(tree: Tree) -> Tree:
    for node in ast.walk(tree):
        setattr(node, NEW, True)
    return tree


def is_new(node: ast.AST) -> bool:
    """Whether the plan put this node in: its names mean what the plan says, not what they mean in the original."""
    return getattr(node, NEW, False)


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop on the way down, with the name that counts its rounds."""

    node: ast.AST
    index: str


def edit_sites(cls: ast.ClassDef, edits: Sequence[SourceEdit], offset: int) -> None:
    """Makes the edits in place; ``offset`` is the number of lines above the class in the file of the sites."""
    wanted = [edit for edit in edits if isinstance(edit, SiteEdit | LoopEdit)]
    if not wanted:
        return
    by_span: dict[Span, list[SiteEdit | LoopEdit]] = {}
    for edit in wanted:
        by_span.setdefault(_span(edit.site, offset), []).append(edit)
    walker = _Walker(by_span, {edit.old: edit.new for edit in edits if isinstance(edit, Constructs)})
    walker.visit(cls)
    if by_span:
        raise Unplanned(f"{cls.name}, line {min(by_span)[0]}")


def _span(site: Site, offset: int) -> Span:
    return (site.line - offset, site.column, site.end_line - offset, site.end_column)


class _Walker(ast.NodeTransformer):
    """Inner expressions first, so that a new expression holds what became of the old one."""

    def __init__(self, edits: dict[Span, list[SiteEdit | LoopEdit]], constructs: Mapping[str, str]) -> None:
        self.edits, self.constructs = edits, constructs
        self.loops: list[Loop] = []
        self.names: list[set[str]] = []
        self.on_loops: dict[ast.AST, list[SiteEdit | LoopEdit]] = {}

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.FunctionDef):
            self.names.append({name for inner in node.body for name in _names(inner)})
            self.generic_visit(node)
            self.names.pop()
            return node
        if isinstance(node, LOOPS):
            return self.visit_loop(node)
        if isinstance(node, ast.Call | ast.Subscript):
            return self.visit_site(node)
        return self.generic_visit(node)

    def visit_loop(self, node: ast.AST) -> ast.AST:
        clause = _clause(node)
        name = _index_name(clause)
        index = name if name is not None and name != "_" else free_index(set(_names(node)))
        self.loops.append(Loop(node, index))
        self.generic_visit(node)
        index = self.loops.pop().index
        for edit in sorted(self.on_loops.pop(node, ()), key=lambda edit: isinstance(edit, LoopEdit)):
            if isinstance(edit, LoopEdit):
                _reorder(clause, edit, index)
            elif edit.choices[0][0]:
                _count_rounds(clause, index)
        return node

    def visit_site(self, node: ast.Call | ast.Subscript) -> ast.AST:
        span = (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)
        edits = () if is_new(node) else self.edits.pop(span, ())
        for edit in edits:
            if self.loops:
                self.on_loops.setdefault(self.loops[-1].node, []).append(edit)
        self.generic_visit(node)
        result: ast.expr = node
        for edit in edits:
            if isinstance(edit, SiteEdit):
                result = self.chosen(edit, node)
        return result

    def chosen(self, edit: SiteEdit, node: ast.expr) -> ast.expr:
        if not edit.choices[0][0]:
            return node if self.follows(edit.choices[0][1]) else _made(edit.choices[0][1], node)
        if edit.tests:
            return self.tested(edit, node)
        choices = [(indices, at_index(one, self.loops[-1].index)) for indices, one in edit.choices]
        everywhere = sum(len(indices) for indices, _ in choices) == len(edit.indices)
        result = _made(choices.pop()[1], node) if everywhere else node
        for indices, alternative in reversed(choices):
            test = planned_test(indices, edit.indices, self.loops[-1].index)
            result = marked_only(ast.IfExp(test, _made(alternative, node), result))
        return result

    def tested(self, edit: SiteEdit, node: ast.expr) -> ast.expr:
        result, taken = node, set[int]()
        for test, (indices, alternative) in reversed(list(zip(edit.tests, edit.choices, strict=True))):
            made = _made(at_index(alternative, self.loops[-1].index), node)
            if test:
                words = learnt_test(test, indices, edit.indices, edit.count, self.loops[-1].index)
                result = marked_only(ast.IfExp(words, made, result))
            elif taken or result is not node:
                raise Unplanned(f"what is done otherwise is not the last of {edit.tests}")
            else:
                result = made
            taken.update(indices)
        if "" in edit.tests and taken != set(edit.indices):
            raise Unplanned(f"{edit.tests} leave a round out")
        return result

    def follows(self, alternative: Alternative) -> bool:
        """Whether the renaming of a class, wherever the function names it, is all there is to do."""
        if not isinstance(alternative, Callee):
            return False
        new = alternative.name.removesuffix("._from_config")
        return self.constructs.get(alternative.old) == new and alternative.old in self.names[-1]


def marked_only(node: ast.IfExp) -> ast.IfExp:
    setattr(node, NEW, True)
    return node


def _names(node: ast.AST) -> Iterable[str]:
    for inner in ast.walk(node):
        for field in ("id", "attr", "arg", "name"):
            if isinstance(text := getattr(inner, field, None), str):
                yield text


def _made(alternative: Alternative, node: ast.expr) -> ast.expr:
    """What an alternative makes of the expression; the expression itself may be needed again."""
    node = deepcopy(node)
    if not isinstance(alternative, Callee | Arguments):
        original = node if alternative.held is None else _made(alternative.held, node)
        result = _Original(original).visit(new_expression(alternative.text))
        assert isinstance(result, ast.expr)
        return result
    if not isinstance(node, ast.Call):
        raise Unplanned(ast.unparse(node))
    if isinstance(alternative, Callee):
        node.func = new_expression(alternative.name)
        return node
    return _with_arguments(node, dict(alternative.changes))


class _Original(ast.NodeTransformer):
    def __init__(self, original: ast.expr) -> None:
        self.original = original

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return deepcopy(self.original) if node.id == ORIGINAL else node


def _with_arguments(call: ast.Call, changes: dict[int | str, str | None]) -> ast.Call:
    arguments: list[ast.expr] = []
    for position, argument in enumerate(call.args):
        text = changes.pop(position, "")
        if text is not None:
            arguments.append(new_expression(text) if text else argument)
    keywords: list[ast.keyword] = []
    for word in call.keywords:
        text = "" if word.arg is None else changes.pop(word.arg, "")
        if text is not None:
            keywords.append(ast.keyword(word.arg, new_expression(text) if text else word.value))
    added = [ast.keyword(str(key), new_expression(text)) for key, text in changes.items() if text is not None]
    call.args, call.keywords = arguments, [*keywords, *added]
    return call


# --- loops


def _clause(node: ast.AST) -> ast.comprehension | ast.For:
    if isinstance(node, ast.For):
        return node
    assert isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp)
    return node.generators[0]


def _index_name(clause: ast.comprehension | ast.For) -> str | None:
    target, called = clause.target, _counter(clause.iter)
    if isinstance(target, ast.Name) and called == "range":
        return target.id
    if isinstance(target, ast.Tuple) and called == "enumerate":
        return target.elts[0].id if isinstance(target.elts[0], ast.Name) else None
    return None


def _counter(iterable: ast.expr) -> str | None:
    """``range`` or ``enumerate``, called with one argument."""
    if isinstance(iterable, ast.Call) and isinstance(iterable.func, ast.Name):
        return iterable.func.id if len(iterable.args) + len(iterable.keywords) == 1 else None
    return None


def _count_rounds(clause: ast.comprehension | ast.For, index: str) -> None:
    """The loop gets a name for its count, unless it has that."""
    name = _index_name(clause)
    if name == index:
        return
    target = ast.Name(index, ast.Store())
    if name is not None and isinstance(clause.target, ast.Tuple):
        clause.target.elts[0] = target
    elif name is not None:
        clause.target = target
    else:
        clause.target = ast.Tuple([target, clause.target], ast.Store())
        clause.iter = ast.Call(marked(ast.Name("enumerate", ast.Load())), [clause.iter], [])


def _reorder(clause: ast.comprehension | ast.For, edit: LoopEdit, index: str) -> None:
    _count_rounds(clause, index)
    kept = sorted(set(edit.order))
    if edit.test is not None:
        count = (edit.count, edit.size)
        if not edit.in_order:
            clause.iter = learnt_order(edit.test, edit.order, count)
            return
        assert isinstance(clause, ast.comprehension)
        clause.ifs = [learnt_test(edit.test, kept, range(edit.size), count, index)]
        return
    if not kept or list(edit.order) != kept:
        clause.iter = new_expression(repr(edit.order))
        return
    assert isinstance(clause, ast.comprehension)
    gone = sorted(set(range(edit.size)) - set(kept))
    if len(gone) == 1:
        test = f"{index} != {gone[0]}"
    elif len(gone) < len(kept) and " in " in condition(kept, range(edit.size), index):
        test = f"{index} not in {{{', '.join(map(str, gone))}}}"
    else:
        clause.ifs = [planned_test(kept, range(edit.size), index)]
        return
    clause.ifs = [ast.parse(test, mode="eval").body]
