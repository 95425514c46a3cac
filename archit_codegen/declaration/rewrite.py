"""Applies the edits of a variant to the text of its class. Every edit is placed, or it is an error."""

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import libcst as cst

from .edits import (
    Assign,
    ClassAttribute,
    Guard,
    InitWeights,
    LoopEdit,
    Method,
    NewMethod,
    SiteEdit,
    SourceEdit,
    Statement,
    Variant,
)
from .excerpt import Excerpt, Wanted, excerpt
from .rewrite_body import (
    INIT,
    INIT_WEIGHTS,
    add_method,
    edit_initialiser,
    extend_init_weights,
    on_lines,
    replace_method,
    set_class_attribute,
)
from .rewrite_guards import guarded
from .rewrite_names import TABLES, Renames, follow_names, followed_names
from .rewrite_sites import SiteRewriter
from .source import ClassText


class UnplacedEdit(Exception):
    """An edit whose place was not found in the text; a bug, never the user's fault."""


def rewrite_class(source: ClassText, variant: Variant, renames: Renames) -> str:
    """The text of the variant: the declared class with its edits and the names that follow."""
    part = excerpt(source, _wanted(variant, renames))
    module = cst.parse_module(part.text)
    (written,) = (node for node in module.body if isinstance(node, cst.ClassDef))
    statement = on_lines(written)
    new = _edit_sites(statement, source, part, variant.edits)
    new = edit_initialiser(new, variant.edits)
    for edit in variant.edits:
        if isinstance(edit, Method):
            new = replace_method(new, edit)
        elif isinstance(edit, Guard):
            new = guarded(new, edit)
        elif isinstance(edit, InitWeights):
            new = extend_init_weights(new, edit)
        elif isinstance(edit, NewMethod):
            new = add_method(new, edit)
        elif isinstance(edit, ClassAttribute):
            new = set_class_attribute(new, edit)
    new = follow_names(new, variant, renames)
    text = part.restored(cst.Module([new.with_changes(leading_lines=[])]).code)
    if part.stub in text:
        raise UnplacedEdit(f"{source.node.name}: what was left out has no place")
    return text


def _wanted(variant: Variant, renames: Renames) -> Wanted:
    methods: dict[str, set[str]] = {name: set() for edit in variant.edits for name in _edited(edit)}
    assigned = {edit.name for edit in variant.edits if isinstance(edit, Assign)}
    methods.get(INIT, set()).update(f"self.{name}" for name in assigned)
    guards = [edit for edit in variant.edits if isinstance(edit, Guard)]
    methods.get(INIT_WEIGHTS, set()).update(f".{guard.holder}.{guard.name}" for guard in guards)
    sites = [edit.site for edit in variant.edits if isinstance(edit, SiteEdit | LoopEdit)]
    lines = {(site.line, site.end_line) for site in sites}
    attributes = {edit.name for edit in variant.edits if isinstance(edit, ClassAttribute)} | TABLES
    return Wanted(followed_names(variant, renames), bool(renames.package), methods, lines, attributes)


def _edited(edit: SourceEdit) -> Iterator[str]:
    """The methods that an edit has to find."""
    match edit:
        case SiteEdit(site=site) | LoopEdit(site=site):
            yield site.function.rpartition(".")[2]
        case Assign() | Statement():
            yield INIT
        case Method(name=name) | ClassAttribute(name=name):
            yield name
        case Guard() | InitWeights():
            yield INIT_WEIGHTS


@dataclass(slots=True)
class _Placed:
    sites: dict[cst.CSTNode, list[SiteEdit]] = field(default_factory=dict)
    loops: dict[cst.CSTNode, list[SiteEdit | LoopEdit]] = field(default_factory=dict)


def _edit_sites(
    statement: cst.ClassDef, source: ClassText, part: Excerpt, edits: Sequence[SourceEdit]
) -> cst.ClassDef:
    wanted = [edit for edit in edits if isinstance(edit, SiteEdit | LoopEdit)]
    if not wanted:
        return statement
    placed = _Placed()
    for function in dict.fromkeys(edit.site.function for edit in wanted):
        mine = [edit for edit in wanted if edit.site.function == function]
        _find(statement, source, part, function.rpartition(".")[2], mine, placed)
    rewriter = SiteRewriter(placed.sites, placed.loops, edits)
    names = {name for edit in wanted for name in _edited(edit)}
    body = [
        item.visit(rewriter) if isinstance(item, cst.FunctionDef) and item.name.value in names else item
        for item in statement.body.body
    ]
    return statement.with_changes(body=statement.body.with_changes(body=body))


def _find(
    statement: cst.ClassDef,
    source: ClassText,
    part: Excerpt,
    function: str,
    edits: Iterable[SiteEdit | LoopEdit],
    placed: _Placed,
) -> None:
    """Pairs the expressions of a method in the syntax tree, which have positions, with those of the concrete tree.

    Both list calls and subscripts in the order of the text, so that LibCST's position metadata, which costs more than
    the parse, is not needed.
    """
    spans = _spans(_method(source.node, function), part.nodes)
    collector = _Collector()
    _concrete_method(statement, function).visit(collector)
    if len(spans) != len(collector.nodes):
        raise UnplacedEdit(f"{source.node.name}.{function}")
    for edit in edits:
        span = (edit.site.line, edit.site.column, edit.site.end_line, edit.site.end_column)
        if span not in spans:
            raise UnplacedEdit(str(edit.site))
        node, loop = collector.nodes[spans.index(span)]
        if isinstance(edit, SiteEdit):
            placed.sites.setdefault(node, []).append(edit)
        if loop is not None:
            placed.loops.setdefault(loop, []).append(edit)


def _method(node: ast.ClassDef, name: str) -> ast.AST:
    found = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == name]
    if len(found) != 1:
        raise UnplacedEdit(f"{node.name}.{name}")
    return found[0]


def _concrete_method(node: cst.ClassDef, name: str) -> cst.FunctionDef:
    found = [item for item in node.body.body if isinstance(item, cst.FunctionDef) and item.name.value == name]
    if len(found) != 1:
        raise UnplacedEdit(f"{node.name.value}.{name}")
    return found[0]


def _spans(function: ast.AST, left_out: Collection[ast.AST]) -> list[tuple[int, int, int, int]]:
    nodes: list[ast.expr] = []
    pending = [function]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Call | ast.Subscript):
            nodes.append(node)
        pending += [child for child in ast.iter_child_nodes(node) if child not in left_out]
    spans = [(n.lineno, n.col_offset, n.end_lineno or 0, n.end_col_offset or 0) for n in nodes]
    return sorted(spans, key=lambda span: (span[0], span[1], -span[2], -span[3]))


class _Collector(cst.CSTVisitor):
    """Calls and subscripts in the order of the text, each with the innermost loop around it."""

    def __init__(self) -> None:
        self.nodes: list[tuple[cst.CSTNode, cst.CSTNode | None]] = []
        self._loops: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Call | cst.Subscript):
            self.nodes.append((node, self._loops[-1] if self._loops else None))
        if isinstance(node, cst.BaseComp | cst.For):
            self._loops.append(node)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, cst.BaseComp | cst.For):
            self._loops.pop()
