"""What stands in the original source: the text of a class, and the expression at a construction site."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .characters import COOKIE, RELATIVE
from .edits import Loop, SiteText
from .ir import Site
from .livesource import locate_class
from .sourcefile import SourceFile, first_line, source_file

IMPORT = re.compile(r"^(\s*)(from|import)\b")
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)

CONDITIONS = (ast.If, ast.IfExp, ast.BoolOp, ast.Match, ast.Try, ast.While, ast.Lambda, ast.FunctionDef)


@dataclass(frozen=True, slots=True)
class ClassText:
    """The statement of a class as it stands in its file: whole lines, from its first decorator."""

    file: str
    line: int
    text: str
    indent: int
    node: ast.ClassDef
    license: str

    @property
    def dedented(self) -> str:
        """The text as it would stand at the margin; lines inside strings that start further left stay."""
        if not self.indent:
            return self.text
        lines = self.text.split("\n")
        return "\n".join(line[self.indent :] if line[: self.indent].isspace() else line for line in lines)


def class_text(cls: type) -> ClassText:
    """The trusted source of a class.

    Raises:
        SourceUnavailable: there is none, or it is not the text of the live code.
    """
    if cls.__module__.partition(".")[0] == "torch":
        return _subclass_text(cls)
    located = locate_class(cls)
    assert isinstance(located.node, ast.ClassDef)
    start, end = first_line(located.node), located.node.end_lineno or located.node.lineno
    lines = list(located.file.lines[start - 1 : end])
    for number in _mistakable(located.node, located.file.lines):
        lines[number - start] = IMPORT.sub(r"\1>>> \2", lines[number - start])
    text = "\n".join(lines) + "\n"
    return ClassText(located.file.name, start, text, located.node.col_offset, located.node, _license(located.file))


def _mistakable(cls: ast.ClassDef, lines: Sequence[str]) -> Iterator[int]:
    """Lines of docstrings that transformers takes for imports of a file when it loads a package as remote code."""
    if not any(RELATIVE.match(line) for line in lines[cls.lineno - 1 : cls.end_lineno]):
        return  # nearly all: a walk takes as long as reading the class
    for node in ast.walk(cls):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False) is not None:
            first, last = node.body[0].lineno + 1, node.body[0].end_lineno or 0
            yield from (number for number in range(first, last + 1) if RELATIVE.match(lines[number - 1]))


def _subclass_text(cls: type) -> ClassText:
    """A class of torch's own is not copied: its variant is a subclass of it."""
    text = f"class {cls.__name__}(nn.{cls.__name__}):\n    pass\n"
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.ClassDef)
    return ClassText("", 0, text, 0, node, "")


def module_tree(file: str) -> ast.Module | None:
    """The syntax tree of a whole file."""
    source = source_file(file)
    return None if source is None else source.tree


def postpones(file: str) -> bool:
    """Whether a file says `from __future__ import annotations`: what stands in annotations there need not evaluate."""
    tree = module_tree(file)
    statements = tree.body if tree is not None else []
    futures = [node for node in statements if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    return any(alias.name == "annotations" for node in futures for alias in node.names)


@lru_cache(maxsize=4096)
def site_text(site: Site) -> SiteText | None:
    """The expression at a site with its surroundings; None where the text is not to be had."""
    file = source_file(site.file)
    function = None if file is None else _function(file, site)
    if file is None or function is None:
        return None
    found = _chain(function, site)
    if found is None:
        return None
    parents, node = found
    chain = [*parents, node]
    loops = [parent for parent, child in zip(parents, chain[1:], strict=True) if _repeats(parent, child)]
    return SiteText(
        text=file.segment(node),
        callee=file.segment(node.func) if isinstance(node, ast.Call) else None,
        arguments=tuple(_arguments(file, node)) if isinstance(node, ast.Call) else (),
        loop=_loop(file, loops[-1]) if loops else None,
        loops=len(loops),
        every=not loops or _every(loops[-1], chain[chain.index(loops[-1]) :]),
    )


def _function(file: SourceFile, site: Site) -> ast.AST | None:
    for compiled in file.codes.get(site.function, ()):
        node = file.node_of(compiled.code)
        if node is not None and node.lineno <= site.line <= (node.end_lineno or node.lineno):
            return node
    return None


def _chain(function: ast.AST, site: Site) -> tuple[list[ast.AST], ast.expr] | None:
    """The nodes from the function down to the expression with the site's very span, and that."""
    span = (site.line, site.column, site.end_line, site.end_column)
    chain = [function]
    while True:
        node = chain[-1]
        if isinstance(node, ast.expr) and _span(node) == span:
            return chain[:-1], node
        inner = next((child for child in _positioned(node) if _covers(_span(child), span)), None)
        if inner is None:
            return None
        chain.append(inner)


def _positioned(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if hasattr(child, "lineno"):
            yield child
        else:
            yield from _positioned(child)  # comprehension clauses have no position of their own


def _span(node: ast.AST) -> tuple[int, int, int, int]:
    return (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]  # as asked above


def _covers(outer: tuple[int, int, int, int], inner: tuple[int, int, int, int]) -> bool:
    return outer[:2] <= inner[:2] and inner[2:] <= outer[2:]


def _repeats(parent: ast.AST, child: ast.AST) -> bool:
    if isinstance(parent, COMPREHENSIONS):
        return child is not parent.generators[0].iter
    return isinstance(parent, ast.For | ast.While) and child is not getattr(parent, "iter", None)


def _every(loop: ast.AST, chain: list[ast.AST]) -> bool:
    """Whether no condition lies between a loop and the last node of the chain down from it."""
    leaves = any(isinstance(node, ast.Continue | ast.Break) for node in ast.walk(loop))
    return not leaves and not any(isinstance(node, CONDITIONS) for node in chain[1:])


def _loop(file: SourceFile, node: ast.AST) -> Loop | None:
    comprehension = isinstance(node, COMPREHENSIONS)
    if isinstance(node, COMPREHENSIONS):
        clause = node.generators[0]
        if len(node.generators) > 1 or clause.ifs:
            return None
        target, iterable = clause.target, clause.iter
    elif isinstance(node, ast.For):
        target, iterable = node.target, node.iter
    else:
        return None
    return Loop(comprehension, _index(target, iterable), _is_call(iterable, "range", 1), file.segment(iterable))


def _index(target: ast.expr, iterable: ast.expr) -> str | None:
    if isinstance(target, ast.Name) and _is_call(iterable, "range", 1):
        return target.id
    if isinstance(target, ast.Tuple) and isinstance(target.elts[0], ast.Name) and _is_call(iterable, "enumerate", 1):
        return target.elts[0].id
    return None


def _is_call(node: ast.expr, name: str, arguments: int) -> bool:
    named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    return named and isinstance(node, ast.Call) and len(node.args) == arguments and not node.keywords


def _arguments(file: SourceFile, call: ast.Call) -> Iterator[tuple[int | str, str]]:
    for position, value in enumerate(call.args):
        if isinstance(value, ast.Starred):
            return
        yield position, file.segment(value)
    yield from ((word.arg, file.segment(word.value)) for word in call.keywords if word.arg is not None)


@lru_cache(maxsize=256)
def _license(file: SourceFile) -> str:
    """The comment block at the head of a file that states its licence."""
    lines: list[str] = []
    marks = 0  # transformers marks generated files by a banner between two rows of lights
    for line in file.lines[: (file.tree.body[0].lineno - 1) if file.tree.body else 0]:
        if line.startswith("#"):
            # An interpreter, or an encoding, is that file's own: emitted ones are UTF-8.
            if not (line.startswith("#!") or COOKIE.match(line)):
                lines.append(line.rstrip())
            if "🚨" in line:
                marks = len(lines)
        elif not line.strip() and lines:
            break
    text = "\n".join(lines[marks:])
    return text if "icense" in text or "opyright" in text else ""
