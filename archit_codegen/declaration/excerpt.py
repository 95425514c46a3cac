"""The part of a class that is parsed to be edited: methods, and statements of methods, in which nothing changes are
left out, and put back as they stood."""

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from .source import ClassText
from .sourcefile import first_line

POST_INIT = "post_init"  # what stands after it decides where new statements go
INDENT = 4  # that of emitted text, to which edited statements are set
Lines = tuple[int, int]  # the first line and the last


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to stand in an excerpt: statements that use one of the ``names`` (or import, if there may be relative
    ``imports``); of the ``methods`` that are edited those in which one of their own texts stands, or that hold certain
    ``lines``; of the class's own those that set certain ``attributes``."""

    names: Collection[str]
    imports: bool
    methods: Mapping[str, Collection[str]]
    lines: Collection[Lines]
    attributes: Collection[str] = ()

    def sets(self, node: ast.stmt) -> bool:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        return any(isinstance(target, ast.Name) and target.id in self.attributes for target in targets)

    def uses(self, node: ast.stmt, text: str, method: str) -> bool:
        if any(own in text for own in self.methods.get(method, ())):
            return True
        if not any(name in text for name in self.names) and not (self.imports and "import" in text):
            return False
        return any(
            node.id in self.names if isinstance(node, ast.Name) else self.imports and isinstance(node, ast.ImportFrom)
            for node in ast.walk(node)
        )

    def holds(self, node: ast.stmt) -> bool:
        first, last = node.lineno, node.end_lineno or node.lineno
        return any(first <= start and end <= last for start, end in self.lines)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """``text`` has a ``stub`` in the place of each text of ``left_out``; ``nodes`` are what these say."""

    text: str
    stub: str
    left_out: dict[str, str]
    nodes: frozenset[ast.AST]

    def restored(self, text: str) -> str:
        """The edited text with all that was left out."""
        return "\n".join(self.left_out.get(line, line) for line in text.split("\n"))


def excerpt(source: ClassText, wanted: Wanted) -> Excerpt:
    """All of a class but what is not ``wanted``."""
    lines = source.dedented.split("\n")
    stub = "_left_out"
    while stub in source.text:
        stub += "_"
    left_out: dict[str, str] = {}
    nodes: list[ast.AST] = []
    kept: list[str] = []
    done = 0
    for part in _unwanted(source, lines, wanted):
        start, end = first_line(part[0]) - source.line, _last_line(part[-1]) - source.line + 1
        name = f"{stub}{len(left_out)}"
        method = isinstance(part[0], ast.FunctionDef) and part[0] in source.node.body
        line = " " * (part[0].col_offset - source.indent) + (f"def {name}(): ..." if method else name)
        left_out[line] = "\n".join(lines[start:end])
        nodes += part
        kept += [*lines[done:start], line]
        done = end
    return Excerpt("\n".join([*kept, *lines[done:]]), stub, left_out, frozenset(nodes))


def _unwanted(source: ClassText, lines: list[str], wanted: Wanted) -> Iterator[list[ast.stmt]]:
    """Whole methods, and runs of other statements, in the order of the text."""
    run: list[ast.stmt] = []
    apart = _on_lines_of_their_own(source.node, source.node.body)
    for node in source.node.body:
        text = _text(source, lines, node)
        method = node.name if isinstance(node, ast.FunctionDef) else ""
        kept = node not in apart or wanted.uses(node, text, method)
        if not kept and not method and not _stands_for_itself(node) and not wanted.sets(node):
            run.append(node)
            continue
        if run:
            yield run
            run = []
        if isinstance(node, ast.FunctionDef) and node in apart:
            if kept or method in wanted.methods:
                yield from _Method(source, lines, method, wanted).runs(node)
            else:
                yield [node]
    if run:
        yield run


def _stands_for_itself(node: ast.stmt) -> bool:
    """What is looked for in the body of a class whatever it says: a docstring, `pass` and `...`."""
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


@dataclass(slots=True)
class _Method:
    source: ClassText
    lines: list[str]
    name: str
    wanted: Wanted

    def runs(self, owner: ast.stmt) -> Iterator[list[ast.stmt]]:
        """Runs of statements inside of another, at any depth."""
        for block in _blocks(owner):
            yield from self._of_block(owner, block)

    def _of_block(self, owner: ast.stmt, block: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
        run: list[ast.stmt] = []
        apart = _on_lines_of_their_own(owner, block)
        last = False
        for node in block:
            text = _text(self.source, self.lines, node)
            last = last or POST_INIT in text
            if node in apart and not (last or self.wanted.holds(node) or self.wanted.uses(node, text, self.name)):
                run.append(node)
                continue
            if run:
                yield run
                run = []
            if not self._is_tested(node):
                yield from self.runs(node)
        if run:
            yield run

    def _is_tested(self, node: ast.stmt) -> bool:
        """Whether a condition says what is edited: then all that depends on it may be indented anew."""
        if not isinstance(node, ast.If):
            return False
        test = "\n".join(self.lines[node.lineno - self.source.line : _last_line(node.test) - self.source.line + 1])
        return any(own in test for own in self.wanted.methods.get(self.name, ()))


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks of a statement, in the order of the text."""
    if isinstance(node, ast.FunctionDef | ast.With | ast.If | ast.For | ast.While):
        yield node.body
    if isinstance(node, ast.If | ast.For | ast.While):
        yield node.orelse


def _on_lines_of_their_own(owner: ast.stmt, block: list[ast.stmt]) -> set[ast.stmt]:
    """Statements of a block that are indented as emitted text is; `elif` is none."""
    shared = {one for pair in pairwise(block) if _last_line(pair[0]) >= first_line(pair[1]) for one in pair}
    indented = {node for node in block if node.col_offset == owner.col_offset + INDENT}
    return {node for node in indented - shared if first_line(node) > owner.lineno}


def _text(source: ClassText, lines: list[str], node: ast.stmt) -> str:
    return "\n".join(lines[first_line(node) - source.line : _last_line(node) - source.line + 1])


def _last_line(node: ast.stmt | ast.expr) -> int:
    return node.end_lineno or node.lineno
