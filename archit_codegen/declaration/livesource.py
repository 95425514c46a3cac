"""The source text of live classes and functions, believed only if it compiles to the code that is live."""

import ast
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType

from archit_codegen.declaration.agreement import agrees, defaults_agree
from archit_codegen.declaration.dedent import dedent
from archit_codegen.declaration.samecode import same_code
from archit_codegen.declaration.sourcefile import (
    Compiled,
    Definition,
    SourceFile,
    cells,
    first_line,
    source_file,
    source_of_code,
)
from archit_codegen.declaration.unchanged import Remembered
from archit_codegen.errors import SourceUnavailable

NO_TEXT = "no source text is found ({})"
DEFINE_IN_FILE = "Define it in a file or in a notebook cell"
RELOAD = "Restart the process (or run the cell again), so that the text and the live code are the same"
CHANGED = "its text changed since it was imported"


@dataclass(frozen=True, slots=True)
class SourceText:
    """Whole lines of a file, dedented; ``line`` is the first of them, ``indent`` the columns that were removed."""

    text: str
    file: str
    line: int
    indent: int


@dataclass(frozen=True, slots=True)
class Located:
    """A definition in its file, with the code compiled from it."""

    file: SourceFile
    node: Definition | ast.Lambda
    compiled: Compiled


# Of classes with one statement, which is theirs if it declares their functions.
_located: Remembered[Located] = Remembered()


def class_source(cls: type) -> SourceText:
    """The text of the class statement, decorators included; raises ``SourceUnavailable``."""
    return _cut(locate_class(cls))


def function_source(function: FunctionType) -> SourceText:
    """The text of the ``def`` statement, decorators included, or of the lambda expression."""
    return _cut(locate_function(function))


def locate_class(cls: type) -> Located:
    """The class statement in its file."""
    if (seen := _located.seen(cls)) is not None:
        return seen
    functions = _written_in(cls)
    if (known := _located.get(cls, functions)) is not None:
        return known
    if not (files := files_of_class(cls)):
        raise SourceUnavailable(cls.__qualname__, NO_TEXT.format(cls.__module__), DEFINE_IN_FILE)
    for file in files:
        located = [found for found in _class_statements(file, cls, functions) if _holds(found.compiled, functions)]
        if located:
            found = _live_one(cls, located, functions)
            only = functions and len(file.codes[cls.__qualname__]) == 1
            return _located.keep(cls, functions, file, found) if only else found
    raise SourceUnavailable(cls.__qualname__, f"{CHANGED} ({files[0].name})", RELOAD)


def locate_function(function: FunctionType) -> Located:
    """The ``def`` statement or lambda expression in its file."""
    code, name = function.__code__, function.__qualname__
    file = source_of_code(code)
    if file is None:
        raise SourceUnavailable(name, NO_TEXT.format(code.co_filename), DEFINE_IN_FILE)
    found = [item for item in _function_statements(file, code) if defaults_agree(function, item.node)]
    if not found:
        raise SourceUnavailable(name, f"{CHANGED} ({file.name})", RELOAD)
    exact = [item for item in found if item.compiled.code.co_firstlineno == code.co_firstlineno]
    return _only(name, exact or found)


def matches_source(function: FunctionType) -> bool:
    """Whether the code of a function is what its file declares under its qualified name."""
    code = function.__code__
    file = source_of_code(code)
    if file is None:
        return False
    known = file.memo.get(id(code))
    if known is None:
        # The code is kept with the answer: an id is unique among living objects only.
        known = file.memo[id(code)] = (
            code,
            any(same_code(code, item.code) for item in _codes(file, code.co_qualname)),
        )
    return known[1]


def matches_defaults(function: FunctionType) -> bool:
    """Whether the literal defaults in the text of a function are the live ones."""
    try:
        locate_function(function)
    except SourceUnavailable:
        return False
    return True


def declared_code(file: str, qualname: str, live: CodeType | None = None) -> CodeType | None:
    """The code that the text of a file declares for a function.

    None if there is none. Where there are several (on branches, or a property and its setter): the one that is equal
    to ``live``, or the one that all of them are.
    """
    source = source_file(file)
    found = [] if source is None else [item.code for item in _codes(source, qualname)]
    if live is not None and len(found) > 1:
        found = [code for code in found if same_code(code, live)]
    return found[0] if found and all(same_code(found[0], code) for code in found) else None


def own_functions(cls: type) -> list[FunctionType]:
    """The functions that stand in the class, out of properties, decorators and the wrappers of transformers."""
    return [function for value in list(vars(cls).values()) for function in written_functions(value)]


def written_functions(value: object) -> Iterator[FunctionType]:
    """The functions that someone wrote under a wrapper (staticmethod, property, ``functools.wraps``, partial)."""
    if isinstance(value, property):
        for accessor in (value.fget, value.fset, value.fdel):
            yield from written_functions(accessor)
    elif isinstance(value, FunctionType):
        yield innermost(value)
    elif isinstance(value, staticmethod | classmethod):
        yield from written_functions(value.__func__)
    elif isinstance(value, functools.partialmethod | functools.cached_property | functools.singledispatchmethod):
        yield from written_functions(value.__dict__.get("func"))
    elif not isinstance(value, type) and isinstance(getattr(value, "__wrapped__", None), FunctionType):
        yield from written_functions(getattr(value, "__wrapped__", None))


def innermost(function: FunctionType) -> FunctionType:
    """The function at the end of the ``__wrapped__`` chain, also through wrappers that do not keep one."""
    seen = {id(function)}
    while (inner := _wrapped(function)) is not None and id(inner) not in seen:
        function = inner
        seen.add(id(function))
    return function


def _wrapped(function: FunctionType) -> FunctionType | None:
    inner = function.__dict__.get("__wrapped__")
    if isinstance(inner, FunctionType):
        return inner
    # `use_kernelized_func` of transformers before 5.4 wraps the `__init__` of a class without `functools.wraps`.
    if "<locals>" not in function.__qualname__ or not function.__module__.startswith("transformers."):
        return None
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    methods = [value for value in cells if isinstance(value, FunctionType) and "." in value.__qualname__]
    return methods[0] if len(methods) == 1 else None


def _written_in(cls: type) -> list[FunctionType]:
    """The functions that stand in the statement of a class, by their names."""
    codes = ((function, function.__code__) for function in own_functions(cls))
    return [function for function, code in codes if code.co_qualname == f"{cls.__qualname__}.{code.co_name}"]


def files_of_class(cls: type) -> list[SourceFile]:
    """Where the statement may stand, the most trusted first: functions know their file, classes only their module."""
    if functions := _written_in(cls):
        codes = {(code.co_filename, code.co_flags): code for code in (function.__code__ for function in functions)}
        return list(dict.fromkeys(file for code in codes.values() if (file := source_of_code(code)) is not None))
    module = sys.modules.get(cls.__module__)
    names = [getattr(module, "__file__", None) or "", *(cells() if cls.__module__ == "__main__" else ())]
    return [file for name in names if name and (file := source_file(name)) is not None]


def _class_statements(file: SourceFile, cls: type, functions: list[FunctionType]) -> Iterator[Located]:
    for compiled in file.codes.get(cls.__qualname__, ()):
        node = file.node_of(compiled.code)
        if isinstance(node, ast.ClassDef) and (functions or agrees(cls, node)):
            yield Located(file, node, compiled)


def _holds(body: Compiled, functions: list[FunctionType]) -> bool:
    codes = [constant for constant in body.code.co_consts if isinstance(constant, CodeType)]
    return all(any(same_code(function.__code__, code) for code in codes) for function in functions)


def _live_one(cls: type, located: list[Located], functions: list[FunctionType]) -> Located:
    """Among statements that declare the same functions: the one with these defaults, attributes and bases."""
    agreeing = [found for found in located if isinstance(found.node, ast.ClassDef) and agrees(cls, found.node)]
    with_defaults = [found for found in agreeing or located if _defaults_hold(found, functions)]
    if not with_defaults:
        raise SourceUnavailable(cls.__qualname__, f"{CHANGED} ({located[0].file.name})", RELOAD)
    lines = {function.__code__.co_firstlineno for function in functions}
    exact = [found for found in with_defaults if lines and lines <= _lines(found.compiled)]
    return _only(cls.__qualname__, exact or with_defaults)


def _defaults_hold(found: Located, functions: list[FunctionType]) -> bool:
    codes = [constant for constant in found.compiled.code.co_consts if isinstance(constant, CodeType)]
    return all(
        any(
            same_code(function.__code__, code) and defaults_agree(function, found.file.node_of(code)) for code in codes
        )
        for function in functions
    )


def _lines(body: Compiled) -> set[int]:
    return {constant.co_firstlineno for constant in body.code.co_consts if isinstance(constant, CodeType)}


def _only(name: str, found: list[Located]) -> Located:
    """The last of several equal texts; different texts for one live object are not decided by guessing."""
    if len(found) > 1 and len({ast.dump(item.node) for item in found}) > 1:
        reason = f"several different statements could be its source ({found[0].file.name})"
        raise SourceUnavailable(name, reason, "Give them different names")
    return found[-1]


def _codes(file: SourceFile, qualname: str) -> list[Compiled]:
    return [item for item in file.codes.get(qualname, ()) if item.is_function]


def _function_statements(file: SourceFile, code: CodeType) -> Iterator[Located]:
    for compiled in _codes(file, code.co_qualname):
        if same_code(code, compiled.code):
            node = file.node_of(compiled.code)
            candidates = [node] if node else _lambdas(file, compiled.code)
            yield from (Located(file, item, compiled) for item in candidates)


def _lambdas(file: SourceFile, code: CodeType) -> list[ast.Lambda]:
    """The lambda expressions on the line of a code object that contain all of its positions, the innermost ones."""
    places = [(line, column) for line, _, column, _ in code.co_positions() if line and column]
    found = [
        node
        for node in file.lambdas.get(code.co_firstlineno, ())
        if all(_start(node) <= place <= _end(node) for place in places)
    ]
    return [node for node in found if not any(other is not node and _encloses(node, other) for other in found)]


def _encloses(outer: ast.Lambda, inner: ast.Lambda) -> bool:
    return _start(outer) <= _start(inner) and _end(inner) <= _end(outer)


def _start(node: ast.expr) -> tuple[int, int]:
    return (node.lineno, node.col_offset)


def _end(node: ast.expr) -> tuple[int, int]:
    return (node.end_lineno or node.lineno, node.end_col_offset or 0)


def _cut(located: Located) -> SourceText:
    file, node = located.file, located.node
    if isinstance(node, ast.Lambda):
        return SourceText(file.segment(node) + "\n", file.name, node.lineno, node.col_offset)
    start, end = first_line(node), node.end_lineno or node.lineno
    lines = file.lines[start - 1 : end]
    if node.col_offset:
        lines = dedent(lines, node.col_offset)
    text = "\n".join(lines) + "\n"
    if node.col_offset and ast.dump(ast.parse(text).body[0]) != ast.dump(node):
        raise SourceUnavailable(node.name, "its indentation cannot be removed", "Define it at the top of a module")
    return SourceText(text, file.name, start, node.col_offset)
