"""What a patch holds of the module that it stands on, and the method that it replaces, by way of its `self`."""

import ast
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any, TypeGuard

from torch import nn

from ..errors import UnsupportedChange
from .held import held_method, held_part, needing
from .livesource import innermost
from .membernames import path_text
from .names import Edit, global_uses, parameters, splice
from .ownership import is_user_code, is_user_layer
from .wrapping import as_written, is_wraps, wrapper_layers

OTHERWISE = "Make it an attribute of the patched module, and reach it from there."


@dataclass(frozen=True, slots=True)
class Receiver:
    """The `self` of a patched method: of which class, and on which module (none if the class itself was patched).

    ``others`` are the methods that are patched as well. ``earlier`` gives the name of the method that a function of
    the user's becomes which needs the module; its second argument tells whether the function takes that first.
    """

    method: str
    cls: type
    owner: nn.Module | None
    path: str
    others: Set[str]
    earlier: Callable[[FunctionType, bool], str] | None = None

    @property
    def native(self) -> bool:
        """Whether the class is torch's, of which a subclass is written."""
        return self.cls.__module__.partition(".")[0] == "torch"

    @property
    def keep(self) -> str:
        """The new name of the declared method."""
        return f"_original_{self.method}"

    def given(self, text: str, scope: Mapping[str, Any]) -> tuple[str, bool]:
        """The text in which `self` gives what is its own, and whether it uses the declared method.

        Raises:
            UnsupportedChange: it holds another module, or would find another method in the class that is written.
        """
        text = self._with_own(text, scope)
        self._check_own_class(text)
        originals = _Originals(self, text, scope)
        return splice(text, originals.edits()), originals.found

    # --- what is the module's own

    def _with_own(self, text: str, scope: Mapping[str, Any]) -> str:
        edits: list[Edit] = []
        tree, node = ast.parse(text), definition(text)
        noted = within_wraps(tree)
        for use in global_uses(tree):
            value = scope.get(use.name)
            if not isinstance(use.node, ast.Name) or self.is_original(value):
                continue
            if (own := self._own(use.name, value, first_argument(node))) is not None:
                # The body of the class has no `self`, but the methods above this one.
                edits.append(edit_of(use.node, own.rpartition(".")[2] if id(use.node) in noted else own))
                if not use.deferred and id(use.node) not in noted:
                    raise UnsupportedChange(
                        self.path, f"outside of its body it uses {use.name}, which is the module's", OTHERWISE
                    )
        if edits and _is_bound_again(node):
            reason = f"within it, {first_argument(node)} stands for something else"
            raise UnsupportedChange(self.path, reason, "Use another name there.")
        return splice(text, edits)

    def _own(self, name: str, value: object, receiver: str) -> str | None:
        if self.owner is not None:
            if (path := held_part(value, self.owner)) is not None:
                return path_text(receiver, path)
            method = held_method(value, self.owner)
            if method is not None and method.current:
                return f"{path_text(receiver, method.path)}.{method.name}"
            if (needs := needing(value, self.owner)) is not None and self.earlier is not None:
                return f"{receiver}.{self.earlier(*needs)}"
        if isinstance(value, nn.Module):
            raise UnsupportedChange(self.path, f"{name} is a module that is not in the patched one", OTHERWISE)
        if isinstance(value, MethodType) and isinstance(value.__self__, nn.Module):
            raise UnsupportedChange(
                self.path,
                f"{name} is a method of {_which(value, self.owner)}",
                "Call methods of the patched module, or of what is in it, as they are when it is compiled.",
            )
        return None

    # --- the declared method

    def is_original(self, value: object) -> bool:
        """Whether a value is the declared method, of this module if it is bound."""
        if isinstance(value, MethodType):
            mine = self.owner is not None and value.__self__ is self.owner
            return mine and self._is_declared(value.__func__)
        return self._is_declared(value)

    def _is_declared(self, function: object) -> bool:
        if not isinstance(function, FunctionType):
            return False
        foreign = any(is_user_layer(layer) for layer in wrapper_layers(function))
        if foreign and not is_user_code(self.cls):
            return False
        inner = as_written(function) if foreign else innermost(function)
        return inner.__code__.co_qualname in {f"{base.__qualname__}.{self.method}" for base in self.cls.__mro__}

    def _check_own_class(self, text: str) -> None:
        """On the object its class has the declared methods; in one that has the patched ones it would be another."""
        node = definition(text)
        receiver = first_argument(node)
        for found in ast.walk(node):
            if isinstance(found, ast.Attribute):
                misled = found.attr in self.others and is_own_class(found.value, receiver)
            else:
                misled = _is_super(found) and any(is_own_class(a, receiver) for a in found.args)
            if misled:
                raise UnsupportedChange(
                    self.path,
                    f"the patch looks up {ast.unparse(found)}, another method in the class that is written",
                    "Name the class whose method is meant.",
                )


class _Originals:
    """The uses of the declared method in the text of a patch; ``found`` tells whether there are any."""

    def __init__(self, receiver: Receiver, text: str, scope: Mapping[str, Any]) -> None:
        self.receiver, self.scope = receiver, scope
        self.tree = ast.parse(text)
        self.node = definition(text)
        self.calls = {id(call.func): call for call in ast.walk(self.tree) if isinstance(call, ast.Call)}
        self.noted = within_wraps(self.tree)
        names = [use.node for use in global_uses(self.tree) if isinstance(use.node, ast.Name)]
        self.names = [name for name in names if receiver.is_original(scope.get(name.id))]
        self.passed_on = self._passed_on()
        self.name = "self" if self.passed_on else first_argument(self.node)
        self.found = False

    def edits(self) -> Iterator[Edit]:
        for name in self.names:
            yield from self._edits(name, bound=isinstance(self.scope[name.id], MethodType))
        for node in ast.walk(self.tree):
            named = isinstance(node, ast.Attribute) and node.attr == self.receiver.method
            if named and isinstance(node, ast.Attribute) and is_own_class(node.value, self.name):
                yield from self._edits(node, bound=False)
        if self.passed_on and (rest := self.node.args.vararg) is not None:
            place = (rest.lineno, rest.col_offset - 1)
            yield Edit(place, place, "self, ")

    def _edits(self, node: ast.expr, bound: bool) -> Iterator[Edit]:
        self.found = True
        call = self.calls.get(id(node))
        first = call.args[0] if call is not None and call.args else None
        kept = self.receiver.keep
        if id(node) in self.noted:
            yield edit_of(node, self._native() if self.receiver.native else kept)
        elif bound or self.passed_on:
            yield edit_of(node, self._bound())
        elif call is not None and isinstance(first, ast.Name) and first.id == self.name and _is_followed(call):
            yield edit_of(node, self._bound())
            yield _without_first(call)
        else:
            yield edit_of(node, self._native() if self.receiver.native else f"type({self.name}).{kept}")

    def _bound(self) -> str:
        return f"super().{self.receiver.method}" if self.receiver.native else f"{self.name}.{self.receiver.keep}"

    def _native(self) -> str:
        return f"nn.{self.receiver.cls.__name__}.{self.receiver.method}"

    def _passed_on(self) -> bool:
        """Whether all arguments go to the declared method as they come, the module with them, as in
        `def inner(*args): return original(*args)`."""
        arguments = self.node.args
        if arguments.vararg is None or arguments.args or arguments.posonlyargs:
            return False
        rest = arguments.vararg.arg
        uses = {id(name) for name in ast.walk(self.tree) if isinstance(name, ast.Name) and name.id in (rest, "self")}
        functions = [name for name in self.names if isinstance(self.scope[name.id], FunctionType)]
        calls = [self.calls[id(name)] for name in functions if id(name) in self.calls]
        firsts = [call.args[0] for call in calls if call.args]
        spread = {id(first.value) for first in firsts if isinstance(first, ast.Starred)}
        functions = [name for name in functions if id(name) not in self.noted]
        return bool(uses) and uses == spread and len(calls) == len(functions)


def definition(text: str) -> ast.FunctionDef:
    """The one function of a text."""
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def within_wraps(tree: ast.Module) -> set[int]:
    """The nodes within calls of `functools.wraps`, by identity."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.expr) and is_wraps(node)]
    return {id(name) for call in calls for name in ast.walk(call)}


def first_argument(node: ast.FunctionDef) -> str:
    """What a method calls its module."""
    named = [*node.args.posonlyargs, *node.args.args]
    if not named and node.args.vararg is not None:
        return f"{node.args.vararg.arg}[0]"
    return named[0].arg if named else "self"


def is_own_class(node: ast.expr, receiver: str) -> bool:
    """``type(self)`` or ``self.__class__``."""
    if isinstance(node, ast.Call):
        called = isinstance(node.func, ast.Name) and node.func.id == "type" and len(node.args) == 1
        return called and ast.unparse(node.args[0]) == receiver
    return isinstance(node, ast.Attribute) and node.attr == "__class__" and ast.unparse(node.value) == receiver


def edit_of(node: ast.expr, text: str) -> Edit:
    """Other text for an expression."""
    return Edit((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0), text)


def _is_super(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _is_followed(call: ast.Call) -> bool:
    """Whether the first argument can be taken away without looking at commas."""
    return len(call.args) + len(call.keywords) > 1


def _without_first(call: ast.Call) -> Edit:
    first, *others = call.args
    second: ast.expr | ast.keyword = others[0] if others else call.keywords[0]
    return Edit((first.lineno, first.col_offset), (second.lineno, second.col_offset), "")


def _is_bound_again(node: ast.FunctionDef) -> bool:
    """Whether something within a method has the name of its first argument."""
    name = first_argument(node).partition("[")[0]
    inner = [
        found for found in ast.walk(node) if isinstance(found, ast.FunctionDef | ast.Lambda) and found is not node
    ]
    again = any(argument.arg == name for function in inner for argument in parameters(function.args))
    return again or any(
        isinstance(found, ast.Name) and found.id == name and not isinstance(found.ctx, ast.Load)
        for found in ast.walk(node)
    )


def _which(method: MethodType, owner: nn.Module | None) -> str:
    if owner is not None and held_part(method.__self__, owner) is not None:
        return "the patched module, or of one in it, that is patched too"
    return "one module" if owner is None else "another module"
