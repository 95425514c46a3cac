"""The uses of the method that a patch replaces, in the text of that patch."""

import ast
import sys
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from types import FunctionType, MethodType
from typing import Any

from torch import nn

from ..errors import UnsupportedChange
from .livesource import innermost
from .methodtext import edit_of, first_argument, is_own_class, only_definition, within_wraps
from .names import COMPREHENSIONS, Edit, global_uses
from .ownership import is_user_code, is_user_layer
from .sourcefile import source_file
from .wrapping import as_written, wrapper_layers

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, *COMPREHENSIONS)


@dataclass(frozen=True, slots=True)
class Declared:
    """The declared method of a class, and the module on which it is replaced (none if it was on the class itself)."""

    method: str
    cls: type
    owner: nn.Module | None
    path: str

    @property
    def declaring(self) -> type:
        """The class that declares the method for this one."""
        bases = (base for base in self.cls.__mro__ if self.method in vars(base))
        return next((base for base in bases if _declares(base, self.method)), self.cls)

    @property
    def above(self) -> bool:
        """Whether the declared method is that of a class above the one that is written: torch's classes get
        subclasses."""
        return is_of_torch(self.cls) or self.declaring is not self.cls

    @property
    def keep(self) -> str:
        """The new name of the declared method."""
        return self.free_name(f"_original_{self.method}")

    def free_name(self, name: str, taken: Container[str] = ()) -> str:
        """A name that neither the class nor the module has for something."""
        names = (name if number == 1 else f"{name}_{number}" for number in count(1))
        return next(n for n in names if n not in taken and not hasattr(self.cls, n) and not hasattr(self.owner, n))

    def is_original(self, value: object) -> bool:
        """Whether a value is the declared method, of this module if it is bound."""
        if isinstance(value, MethodType):
            mine = self.owner is not None and value.__self__ is self.owner
            return mine and self._is_declared(value.__func__)
        return self._is_declared(value)

    def _is_declared(self, function: object) -> bool:
        declaring = self.declaring
        if not isinstance(function, FunctionType):
            return False
        foreign = any(is_user_layer(layer) for layer in wrapper_layers(function))
        if foreign and not is_user_code(declaring):
            return False
        if vars(declaring).get(self.method) is function:
            return True
        inner = as_written(function) if foreign else innermost(function)
        module, name = inner.__globals__.get("__name__"), inner.__code__.co_qualname
        return module == declaring.__module__ and name == f"{declaring.__qualname__}.{self.method}"


class Originals:
    """The uses of the declared method in the text of a patch; ``found`` tells whether there are any, ``named`` are the
    classes that new text calls by their names."""

    def __init__(self, declared: Declared, text: str, scope: Mapping[str, Any]) -> None:
        self.declared, self.scope = declared, scope
        self.tree = ast.parse(text)
        self.node = only_definition(self.tree)
        self.calls = {id(call.func): call for call in ast.walk(self.tree) if isinstance(call, ast.Call)}
        self.noted = within_wraps(self.tree)
        names = [use.node for use in global_uses(self.tree) if isinstance(use.node, ast.Name)]
        self.names = [name for name in names if declared.is_original(scope.get(name.id))]
        inner = (node for node in ast.walk(self.node) if isinstance(node, SCOPES) and node is not self.node)
        self.deeper = {id(node) for scope in inner for node in ast.walk(scope)}
        self.passed_on = self._passed_on()
        self.name = "self" if self.passed_on else first_argument(self.node)
        self.found = False
        self.named: dict[str, type] = {}

    def edits(self) -> Iterator[Edit]:
        for name in self.names:
            yield from self._edits(name, bound=isinstance(self.scope[name.id], MethodType))
        for node in ast.walk(self.tree):
            named = isinstance(node, ast.Attribute) and node.attr == self.declared.method
            if named and isinstance(node, ast.Attribute) and is_own_class(node.value, self.name):
                yield from self._edits(node, bound=False)
        if self.passed_on and (rest := self.node.args.vararg) is not None:
            place = (rest.lineno, rest.col_offset - 1)
            yield Edit(place, place, "self, ")

    def _edits(self, node: ast.expr, bound: bool) -> Iterator[Edit]:
        self.found = True
        call = self.calls.get(id(node))
        first = call.args[0] if call is not None and call.args else None
        kept = self.declared.keep
        if id(node) in self.noted:
            yield edit_of(node, self._by_class() if self.declared.above else kept)
        elif bound or self.passed_on:
            yield edit_of(node, self._bound(node))
        elif call is not None and isinstance(first, ast.Name) and first.id == self.name and _is_followed(call):
            yield edit_of(node, self._bound(node))
            yield _without_first(call)
        else:
            yield edit_of(node, self._by_class() if self.declared.above else f"type({self.name}).{kept}")

    def _bound(self, node: ast.expr) -> str:
        if not self.declared.above:
            return f"{self.name}.{self.declared.keep}"
        # In a function within the method, `super()` would look at the arguments of that.
        above = f"super(__class__, {self.name})" if id(node) in self.deeper else "super()"
        return f"{above}.{self.declared.method}"

    def _by_class(self) -> str:
        declaring, method = self.declared.declaring, self.declared.method
        if is_of_torch(declaring):
            return f"nn.{declaring.__name__}.{method}"
        meant = self.scope.get(declaring.__name__, declaring)
        if declaring not in self.declared.cls.__bases__ or meant is not declaring:
            raise UnsupportedChange(
                self.declared.path,
                f"the patch takes {method} from {declaring.__name__}, further up than the class that is written says",
                "Call it bound to the module (`module.forward`), without `functools.wraps`.",
            )
        self.named[declaring.__name__] = declaring
        return f"{declaring.__name__}.{method}"

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


def is_of_torch(cls: type) -> bool:
    """Whether a class is one of torch's own."""
    return cls.__module__.partition(".")[0] == "torch"


def _is_followed(call: ast.Call) -> bool:
    """Whether the first argument can be taken away without looking at commas."""
    return len(call.args) + len(call.keywords) > 1


def _without_first(call: ast.Call) -> Edit:
    first, *others = call.args
    second: ast.expr | ast.keyword = others[0] if others else call.keywords[0]
    return Edit((first.lineno, first.col_offset), (second.lineno, second.col_offset), "")


def _declares(cls: type, method: str) -> bool:
    """Whether a class has a method by its statement, not only since it was patched."""
    if is_user_code(cls) or not any(is_user_layer(layer) for layer in wrapper_layers(vars(cls)[method])):
        return True
    file = source_file(getattr(sys.modules.get(cls.__module__), "__file__", None) or "")
    return file is not None and f"{cls.__qualname__}.{method}" in file.codes
