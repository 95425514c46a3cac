"""The part of a class that is parsed to be edited: methods, and statements of methods, in which nothing changes are
left out, and put back as they stood."""

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from .source import ClassText
from .sourcefile import DEFINITIONS

POST_INIT = "post_init"  # what stands after it decides where new statements go
INDENT = 4  # that of emitted text, to which edited statements are set
Lines = tuple[int, int]  # the first line and the last


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to stand in an excerpt: statements that say one of the ``words``, and of the methods that are edited
    those that say one of their own, or hold certain ``lines``."""

    words: Collection[str]
    methods: Mapping[str, Collection[str]]
    lines: Collection[Lines]

    def says(self, text: str, method: str) -> bool:
        return any(word in text for word in (*self.words, *self.methods.get(method, ())))

    def holds(self, node: ast.stmt) -> bool:
        first, last = node.lineno, node.end_lineno or node.lineno
        return any(first <= start and end <= last for start, end in self.lines)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """``text`` has a stub in the place of each text of ``left_out``; ``nodes`` are what these say."""

    text: str
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
        start, end = _first_line(part[0]) - source.line, _last_line(part[-1]) - source.line + 1
        name = f"{stub}{len(left_out)}"
        method = isinstance(part[0], ast.FunctionDef) and part[0] in source.node.body
        line = f"{' ' * INDENT}def {name}(): ..." if method else f"{' ' * 2 * INDENT}{name}"
        left_out[line] = "\n".join(lines[start:end])
        nodes += part
        kept += [*lines[done:start], line]
        done = end
    return Excerpt("\n".join([*kept, *lines[done:]]), left_out, frozenset(nodes))


def _unwanted(source: ClassText, lines: list[str], wanted: Wanted) -> Iterator[list[ast.stmt]]:
    """Whole methods, and runs of statements of the others, in the order of the text."""
    for node in source.node.body:
        if not isinstance(node, ast.FunctionDef) or node.col_offset - source.indent != INDENT:
            continue
        if node.name in wanted.methods or wanted.says(_text(source, lines, node), node.name):
            yield from _runs(source, lines, node, wanted)
        else:
            yield [node]


def _runs(source: ClassText, lines: list[str], method: ast.FunctionDef, wanted: Wanted) -> Iterator[list[ast.stmt]]:
    run: list[ast.stmt] = []
    apart = _on_lines_of_their_own(method)
    last = False
    for node in method.body:
        text = _text(source, lines, node)
        last = last or POST_INIT in text
        fits = node in apart and node.col_offset - source.indent == 2 * INDENT
        if fits and not (last or wanted.holds(node) or wanted.says(text, method.name)):
            run.append(node)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _on_lines_of_their_own(method: ast.FunctionDef) -> set[ast.stmt]:
    shared = {one for pair in pairwise(method.body) if _last_line(pair[0]) >= _first_line(pair[1]) for one in pair}
    on_first = {node for node in method.body if _first_line(node) <= method.lineno}
    return set(method.body) - shared - on_first


def _text(source: ClassText, lines: list[str], node: ast.stmt) -> str:
    return "\n".join(lines[_first_line(node) - source.line : _last_line(node) - source.line + 1])


def _first_line(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, DEFINITIONS) else ()
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _last_line(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno
