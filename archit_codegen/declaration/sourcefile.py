"""The text of a file or notebook cell, parsed and compiled once for each content."""

import __future__

import ast
import linecache
import os
import tokenize
import warnings
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import CodeType
from typing import Any

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")  # the fields of statements that hold statements
FUTURE_FLAGS = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names) & ~0xFF

# A cell may await at its top level; that changes no function in it.
CELL_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


@dataclass(frozen=True, slots=True)
class Compiled:
    """A code object of the file with the code it stands in; the module's own code has no parent."""

    code: CodeType
    parent: "Compiled | None"

    @property
    def is_function(self) -> bool:
        """Functions have fast locals, class bodies have none."""
        return bool(self.code.co_flags & 0x1)


@dataclass(frozen=True, eq=False)
class SourceFile:
    """One content of one file. ``flags`` are the ``__future__`` features that a notebook carries from cell to cell."""

    name: str
    text: str
    flags: int = 0
    memo: dict[int, tuple[CodeType, bool]] = field(default_factory=dict)

    @cached_property
    def lines(self) -> list[str]:
        # splitlines() also splits at form feeds and line separators, the parser does not.
        return self.text.split("\n")

    @cached_property
    def tree(self) -> ast.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            flags = ast.PyCF_ONLY_AST | CELL_FLAGS
            tree = compile(self.text, self.name, "exec", flags=flags, dont_inherit=True)
        assert isinstance(tree, ast.Module)
        return tree

    @cached_property
    def module(self) -> Compiled:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            flags = self.flags | CELL_FLAGS
            # From the text, not the tree: of most files the tree, 25 times as large, is never asked for.
            return Compiled(compile(self.text, self.name, "exec", flags=flags, dont_inherit=True), None)

    @cached_property
    def codes(self) -> dict[str, list[Compiled]]:
        """Functions, lambdas and class bodies by qualified name, in the order of the text."""
        found: dict[str, list[Compiled]] = {}
        for compiled in _nested(self.module):
            found.setdefault(compiled.code.co_qualname, []).append(compiled)
        return found

    @cached_property
    def nodes(self) -> dict[tuple[str, int], Definition]:
        """Definitions by name and first line, which are those of their code objects."""
        return {(node.name, first_line(node)): node for node in _definitions(self.tree)}

    @cached_property
    def lambdas(self) -> dict[int, list[ast.Lambda]]:
        """Lambda expressions by line."""
        found: dict[int, list[ast.Lambda]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Lambda):
                found.setdefault(node.lineno, []).append(node)
        return found

    def node_of(self, code: CodeType) -> Definition | None:
        return self.nodes.get((code.co_name, code.co_firstlineno))

    def segment(self, node: ast.expr) -> str:
        """The text of an expression; `ast` splits the whole file for that each time."""
        if "\r" in self.text:  # ends a line for the parser
            return ast.get_source_segment(self.text, node) or ""
        lines = [line.encode() for line in self.lines[node.lineno - 1 : node.end_lineno]]
        lines[-1] = lines[-1][: node.end_col_offset]
        lines[0] = lines[0][node.col_offset :]
        return b"\n".join(lines).decode()


_files: dict[tuple[str, int], tuple[object, SourceFile]] = {}


_run: ContextVar[dict[Hashable, Any] | None] = ContextVar("archit_run", default=None)


@contextmanager
def one_run() -> Iterator[None]:
    """Inside, files and classes stay what they are: none is looked at twice to see whether it changed."""
    token = _run.set({} if _run.get() is None else _run.get())
    try:
        yield
    finally:
        _run.reset(token)


def this_run() -> dict[Hashable, Any]:
    """What was looked at in this run; outside of one, nothing is kept."""
    run = _run.get()
    return {} if run is None else run


def source_file(name: str, flags: int = 0) -> SourceFile | None:
    """The file as it is now, parsed at most once for each content; None where there is no text or no syntax."""
    run, key = this_run(), (name, flags)
    if key not in run:
        run[key] = _source_file(name, flags)
    found: SourceFile | None = run[key]
    return found


def _source_file(name: str, flags: int) -> SourceFile | None:
    stamp = _stamp(name)
    known = _files.get((name, flags))
    if known is not None and known[0] == stamp:
        return known[1]
    text = _read(name)
    if text is None:
        return None
    if known is None or known[1].text != text:
        known = (stamp, SourceFile(name, text, flags))
    _files[name, flags] = (stamp, known[1])
    return known[1] if _has_syntax(known[1]) else None


def source_of_code(code: CodeType) -> SourceFile | None:
    """The file a live code object was compiled from."""
    # A file declares its features itself; only cells inherit those of other cells.
    flags = 0 if Path(code.co_filename).is_file() else code.co_flags & FUTURE_FLAGS
    return source_file(code.co_filename, flags)


def first_line(node: ast.stmt) -> int:
    """The line of the first decorator, else of the statement."""
    decorators = node.decorator_list if isinstance(node, DEFINITIONS) else ()
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def cells() -> list[str]:
    """The names under which notebook cells and interactive input are kept, newest first."""
    return [
        name
        for name, entry in reversed(linecache.cache.items())
        if len(entry) == 4 and not Path(name).is_file() and ("ipython-input" in name or "ipykernel_" in name)
    ]


def _definitions(node: ast.AST) -> Iterator[Definition]:
    """All definitions below a node: they are statements, so that expressions, most of a tree, need not be walked."""
    open_nodes = [node]
    while open_nodes:
        children = [child for block in BLOCKS for child in getattr(open_nodes[-1], block, ())]
        open_nodes[-1:] = children
        yield from (child for child in children if isinstance(child, DEFINITIONS))


def _nested(compiled: Compiled) -> Iterator[Compiled]:
    for constant in compiled.code.co_consts:
        if isinstance(constant, CodeType):
            child = Compiled(constant, compiled)
            yield child
            yield from _nested(child)


def _stamp(name: str) -> object:
    try:
        status = os.stat(name)  # noqa: PTH116  # thousands of times, and a `Path` costs more than the call
    except (OSError, ValueError):
        return "".join(linecache.getlines(name))
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _read(name: str) -> str | None:
    try:
        with tokenize.open(name) as file:
            return file.read()
    except (OSError, ValueError, SyntaxError):
        # Cells and archives are no files: linecache holds what their loaders gave it.
        return "".join(linecache.getlines(name)) or None


def _has_syntax(file: SourceFile) -> bool:
    try:
        return file.module is not None
    except (SyntaxError, ValueError, RecursionError):
        return False
