"""What the code of a function does, wherever it stands and whatever its variants are called: for the judge on meta."""

import ast
import dis
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import resolve_name
from itertools import groupby, takewhile
from types import CodeType, FunctionType
from typing import Any

from tests.judge import plain

LINED = {"NOP", "EXTENDED_ARG", "PUSH_NULL", "PRECALL"}
CONSTANT = (bool, int, float, complex, str, bytes, tuple, list, dict, type(None))
DOING = {"BINARY_OP", "BINARY_SUBSCR", "COMPARE_OP", "CONTAINS_OP", "IS_OP", "LOAD_CONST", "STORE_SUBSCR"}
DOING |= {"UNARY_INVERT", "UNARY_NEGATIVE", "UNARY_NOT", "UNARY_POSITIVE", "RETURN_VALUE", "RAISE_VARARGS"}
JUMPS = {*dis.hasjrel, *dis.hasjabs}


def as_function(value: object) -> FunctionType | None:
    """The function under what a library wraps around it; a wrapper of anyone else's is a function of its own."""
    if isinstance(value, property):
        value = value.fget
    value = getattr(value, "__func__", value)
    while isinstance(value, FunctionType) and "__wrapped__" in vars(value) and of_a_library(value):
        value = getattr(vars(value)["__wrapped__"], "__func__", vars(value)["__wrapped__"])
    return value if isinstance(value, FunctionType) else None


def of_a_library(function: FunctionType) -> bool:
    return str(function.__globals__.get("__name__")).partition(".")[0] in ("torch", "transformers", "contextlib")


def held_functions(function: FunctionType) -> list[FunctionType]:
    """What it closes over, and its defaults."""
    values = [cell.cell_contents for cell in function.__closure__ or ()]
    values += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    return [found for value in values if (found := as_function(value)) is not None]


def describe_function(function: FunctionType, suffix: str, above: tuple[FunctionType, ...]) -> object:
    """What the code does, wherever it stands and whatever its variants are called; docstrings left out."""
    if function in above:
        return "recursion"
    known = function.__globals__
    names = {name: resolved(known[name], suffix, (*above, function)) for name in loads(function) if name in known}
    names["__package__"] = known.get("__package__")
    return code_of(function.__code__, suffix, names), plain_defaults(function)


def resolved(value: object, suffix: str, above: tuple[FunctionType, ...]) -> object:
    """A function of transformers or of the user by its code, since two of one name cannot keep it in one file."""
    function = as_function(value)
    if function is not None and (function.__module__ or "").partition(".")[0] not in ("torch", "numpy", "builtins"):
        return describe_function(function, suffix, above)
    if isinstance(value, CONSTANT):
        return type(value).__name__, repr(plain(value))
    name = getattr(value, "__name__", None)
    return renamed(name, suffix) if isinstance(name, str) else type(value).__name__


def same_text(one: FunctionType, other: FunctionType, suffix: str) -> bool:
    """Functions in a method have annotations in its code: evaluated in one file, postponed in another."""
    texts = [unannotated(function) for function in (one, other)]
    nested = any(isinstance(value, CodeType) for value in one.__code__.co_consts)
    same = nested and renamed(texts[0], suffix) == renamed(texts[1], suffix)
    return same and read_by(one, suffix) == read_by(other, suffix)


def read_by(function: FunctionType, suffix: str) -> object:
    """What the globals mean that the code reads, annotations left aside, and its defaults."""
    known, written = function.__globals__, ast.parse(unannotated(function))
    named = {node.id for node in ast.walk(written) if isinstance(node, ast.Name)}
    names = {name: resolved(known[name], suffix, (function,)) for name in loads(function) if name in known}
    return {name: value for name, value in names.items() if name in named}, plain_defaults(function)


def does(function: FunctionType) -> list[tuple[str, object]]:
    """The operations of the code, without what names they are done on: for code that was moved to another scope."""
    found = ((name, value) for name, value in steps(function.__code__) if name in DOING or name.startswith("POP_JUMP"))
    return [(name, None if isinstance(value, CodeType) else repr(value)) for name, value in found]


def tested_variants(function: FunctionType, package: str) -> set[type]:
    """The classes of a package that stand in the code beside `isinstance`."""
    names = loads(function)
    found = [function.__globals__.get(name) for name in names] if "isinstance" in names else []
    return {cls for cls in found if isinstance(cls, type) and cls.__module__.startswith(f"{package}.")}


def unannotated(function: FunctionType) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
    return ast.unparse(tree)


@cache
def loads(function: FunctionType) -> tuple[str, ...]:
    codes = [function.__code__]
    for code in codes:
        codes += [value for value in code.co_consts if isinstance(value, CodeType)]
    return tuple(sorted({value for code in codes for name, value in steps(code) if name == "LOAD_GLOBAL"}))


@cache
def steps(code: CodeType) -> tuple[tuple[str, Any], ...]:
    """The instructions, without what the breaks of lines decide: NOPs, targets of jumps, how a method is called."""
    found = [step for step in dis.get_instructions(code) if step.opname not in LINED]
    names = [(step, "LOAD_ATTR" if step.opname == "LOAD_METHOD" else step.opname) for step in found]
    return tuple((name, None if step.opcode in JUMPS else step.argval) for step, name in names)


def plain_defaults(function: FunctionType) -> object:
    values = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    return [plain(value) for value in values]


def code_of(code: CodeType, suffix: str, names: Mapping[str, object]) -> object:
    found = absolute_imports(list(steps(code)), names.get("__package__"))
    body = [(name, operand(name, value, suffix, names)) for name, value in found]
    return code.co_varnames, code.co_freevars, list(with_one_variant(body))


def absolute_imports(body: list[tuple[str, Any]], package: object) -> list[tuple[str, Any]]:
    """`from .a import b` in another package has to name where it was: the two steps before hold level and names."""
    for index, (name, value) in enumerate(body):
        if name == "IMPORT_NAME" and (level := body[index - 2][1]):
            body[index - 2] = body[index - 2][0], 0
            body[index] = name, resolve_name("." * level + value, str(package))
    return body


def with_one_variant(body: list[tuple[str, object]]) -> Iterator[tuple[str, object]]:
    """`isinstance(module, (LayerWithX, LayerWithX2))` is `isinstance(module, Layer)`, on both sides."""
    kept: list[tuple[str, object]] = []
    for step in body:
        if step[0] == "BUILD_TUPLE" and kept and kept[-1][0] == "LOAD_GLOBAL":
            named = list(takewhile(lambda one: one[0] == "LOAD_GLOBAL", reversed(kept)))
            kept[len(kept) - len(named) :] = [one for one, _ in groupby(reversed(named))]
            continue  # how many there are is said by the steps before
        kept.append(step)
    yield from kept


def operand(step: str, value: object, suffix: str, names: Mapping[str, object]) -> object:
    if isinstance(value, CodeType):
        return code_of(value, suffix, names)
    if isinstance(value, frozenset):
        return sorted(map(repr, value))  # two equal sets need not be in one order
    return names[value] if step == "LOAD_GLOBAL" and value in names else renamed(value, suffix)


def renamed(value: object, suffix: str) -> object:
    return re.sub(rf"{suffix}\d*", "", value) if isinstance(value, str) else repr(value)
