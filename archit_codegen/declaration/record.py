"""Watches modules being built: which call, with which arguments, from which expression of which file.

A pass-through ``nn.Module.__new__`` is installed once and stays; it is idle while nothing records. (Removing it again
would break construction: ``object.__new__`` then refuses the arguments.) What was built inside `record()` is
remembered for as long as the module lives.
"""

import ast
import sys
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from itertools import islice
from types import CodeType, FrameType
from typing import Any

from torch import nn

from ..errors import InvalidDeclaration
from .ir import Site
from .origins import argument_expressions

NESTED = {"<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>", "<lambda>"}


@dataclass(slots=True)  # thousands are made: a frozen one takes three times as long
class Call:
    """A construction as it was seen. ``args`` is None where a ``__new__`` of the class's own hides the arguments;
    ``texts`` are the argument expressions over the config, by position or keyword, where its text is known;
    ``counters`` the whole numbers among the owner's local names, which tell the iteration of a loop."""

    cls: type
    args: tuple[Any, ...] | None
    kwargs: Mapping[str, Any]
    site: Site | None
    owner: int | None
    owner_class: type | None
    ordinal: int
    direct: bool
    counters: Mapping[str, int] = field(default_factory=dict)
    texts: Mapping[int | str, str] = field(default_factory=dict)
    copied: bool = False


class Recording:
    """The calls of one recording, by the identity of what they built."""

    def __init__(self, *, keep: bool) -> None:
        self.calls: dict[int, Call] = {}
        self._references: dict[int, Any] = {}
        self._counts: dict[tuple[int | None, int], int] = {}
        self._keep = keep

    def add(self, module: nn.Module, call: Call) -> None:
        key = id(module)
        self.calls[key] = call
        self._references[key] = module if self._keep else weakref.ref(module, lambda _: self._forget(key))

    def next_ordinal(self, owner: int | None, site: Site) -> int:
        key = owner, id(site)  # one object for each place, which costs less to look up than its columns
        ordinal = self._counts.get(key, 0)
        self._counts[key] = ordinal + 1
        return ordinal

    def _forget(self, key: int) -> None:
        self.calls.pop(key, None)
        self._references.pop(key, None)


_active: ContextVar[Recording | None] = ContextVar("archit_recording", default=None)
_recorded = Recording(keep=False)
_expressions: dict[int, tuple[Any, str]] = {}


@contextmanager
def record() -> Iterator[None]:
    """Modules that are built inside have exact, recorded constructor calls; a surgery belongs in here.

    Raises:
        InvalidDeclaration: the interpreter keeps no columns (``PYTHONNODEBUGRANGES``), so that no expression can be
            told from its neighbours on the same line.
    """
    with recording(_recorded):
        yield


@contextmanager
def recording(target: Recording) -> Iterator[Recording]:
    """Record into ``target`` while the block runs."""
    _install()
    _check_columns()
    token = _active.set(target)
    try:
        yield target
    finally:
        _active.reset(token)


def initialiser(module: nn.Module, expression: str) -> nn.Module:
    """Say by hand how ``module`` is constructed: an expression over ``config``, for example
    ``"Expr(config.hidden_size)"``. Returns the module.

    Raises:
        InvalidDeclaration: ``expression`` is no call of the module's class.
    """
    name = type(module).__name__
    try:
        tree = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise InvalidDeclaration(f"initialiser: {expression!a} is no expression ({error}).") from error
    if not (isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == name):
        raise InvalidDeclaration(f"initialiser: {expression!a} has to be a call of {name}(...).")
    key = id(module)
    _expressions[key] = (weakref.ref(module, lambda _: _expressions.pop(key, None)), ast.unparse(tree))
    return module


def recorded_call(module: nn.Module) -> Call | None:
    """The call that built ``module``, if it was built inside `record()`."""
    return _recorded.calls.get(id(module))


def named_expression(module: nn.Module) -> str | None:
    """The expression given by `initialiser`."""
    entry = _expressions.get(id(module))
    return entry[1] if entry is not None and entry[0]() is module else None


def _install() -> None:
    if "__new__" not in nn.Module.__dict__:
        # Explicitly static: only a `__new__` in a class body is made so by itself, and `self.__new__(cls)` is in use.
        nn.Module.__new__ = staticmethod(_new)  # type: ignore[method-assign]  # the hook is the point


def _new(cls: type, *args: Any, **kwargs: Any) -> Any:
    # The next __new__ after nn.Module's in the MRO, which is object's for all but exotic classes.
    instance = super(nn.Module, cls).__new__(cls)  # type: ignore[misc]  # cls is a Module class by construction
    target = _active.get()
    if target is not None:
        _see(target, instance, cls, args, kwargs, sys._getframe(1))
    return instance


def _see(
    target: Recording, instance: nn.Module, cls: type, args: tuple[Any, ...], kwargs: dict[str, Any], caller: FrameType
) -> None:
    if caller.f_code.co_name == "__newobj__":
        original = _copied_from(caller)
        if original is not None and id(original) in target.calls:
            target.add(instance, replace(target.calls[id(original)], copied=True))
        return
    hidden = caller.f_code.co_name == "__new__"
    while caller.f_code.co_name in {"__new__", "__call__"} and caller.f_back is not None:
        caller = caller.f_back
    owner, frame, local = _owner_frame(caller)
    site = _site(frame if frame is not None else caller)
    owner_key = None if owner is None else id(owner)
    ordinal = target.next_ordinal(owner_key, site) if site is not None else 0
    surgery = target is _recorded and owner is None and site is not None and not hidden
    texts = argument_expressions(caller, site) if surgery and site is not None else {}
    direct = frame is caller or frame is None
    owner_class = None if owner is None else type(owner)
    counters = {name: value for name, value in local.items() if type(value) is int}
    arguments = None if hidden else args
    call = Call(cls, arguments, kwargs, site, owner_key, owner_class, ordinal, direct, counters, texts)
    target.add(instance, call)


def _copied_from(frame: FrameType) -> object:
    # copy._reconstruct(x, memo, func, args, ...) calls copyreg.__newobj__(cls).
    outer = frame.f_back
    return outer.f_locals.get("x") if outer is not None and outer.f_code.co_name == "_reconstruct" else None


def _owner_frame(frame: FrameType | None) -> tuple[nn.Module | None, FrameType | None, Mapping[str, Any]]:
    """The nearest frame outwards that runs a method of a module, and in it the innermost comprehension on the way,
    with its local names: a frame makes a dictionary of them each time it is asked.

    A function that is given a module counts as well where a method called it; else it is a part of the surgery.
    """
    inner: FrameType | None = None
    while frame is not None:
        code = frame.f_code
        if code.co_name in NESTED:
            inner = inner or frame
        elif code.co_argcount:
            local = frame.f_locals
            first = local.get(code.co_varnames[0])
            if isinstance(first, nn.Module) and (_is_method(code) or _called_by_method(frame.f_back)):
                if inner is not None and _lies_in(inner.f_code, code):
                    return first, inner, inner.f_locals
                return first, frame, local
            inner = None
        else:
            inner = None
        frame = frame.f_back
    return None, None, {}


def _called_by_method(frame: FrameType | None) -> bool:
    while frame is not None:
        code = frame.f_code
        if _is_method(code) and isinstance(frame.f_locals.get(code.co_varnames[0]), nn.Module):
            return True
        frame = frame.f_back
    return False


def _is_method(code: CodeType) -> bool:
    owner = code.co_qualname.rpartition(".")[0]
    return bool(owner and not owner.endswith("<locals>") and code.co_argcount)


def _lies_in(inner: CodeType, outer: CodeType) -> bool:
    return any(
        constant is inner or (isinstance(constant, CodeType) and _lies_in(inner, constant))
        for constant in outer.co_consts
    )


_sites: dict[tuple[int, int], tuple[CodeType, Site | None]] = {}


def _site(frame: FrameType) -> Site | None:
    """The expression that a frame is at: one object for each."""
    code, instruction = frame.f_code, frame.f_lasti
    # By identity: codes are hashed with all that they hold. The code is kept, so that no other one gets its number.
    key = id(code), instruction
    if key not in _sites:
        _sites[key] = code, _located(code, instruction)
    return _sites[key][1]


def _located(code: CodeType, instruction: int) -> Site | None:
    line, end_line, column, end_column = next(islice(code.co_positions(), instruction // 2, None))
    if line is None or end_line is None or column is None or end_column is None:
        return None
    function = code.co_qualname.partition(".<locals>.<")[0] if code.co_name in NESTED else code.co_qualname
    return Site(code.co_filename, function, line, column, end_line, end_column)


def _check_columns() -> None:
    position = next(iter(_check_columns.__code__.co_positions()), (None,) * 4)
    if position[2] is None:
        raise InvalidDeclaration(
            "The interpreter runs without columns (PYTHONNODEBUGRANGES or -X no_debug_ranges), so construction sites "
            "cannot be told apart. Run it without that setting."
        )
