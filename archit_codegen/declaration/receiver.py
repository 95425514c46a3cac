"""What a patch holds of the module that it stands on, and the method that it replaces, by way of its `self`."""

import ast
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any, TypeGuard

from torch import nn

from ..errors import UnsupportedChange
from .held import held_method, held_part, needing
from .membernames import path_text
from .methodtext import definition, edit_of, first_argument, is_own_class, within_wraps
from .names import Edit, global_uses, parameters, splice
from .originals import Declared, Originals

OTHERWISE = "Make it an attribute of the patched module, and reach it from there."


@dataclass(frozen=True, slots=True)
class Receiver:
    """The `self` of a patched method.

    ``others`` are the methods that are patched as well. ``earlier`` gives the name of the method that a function of
    the user's becomes which needs the module; its second argument tells whether the function takes that first.
    """

    declared: Declared
    others: Set[str]
    earlier: Callable[[FunctionType, bool], str] | None = None

    def given(self, text: str, scope: dict[str, Any]) -> tuple[str, bool]:
        """The text in which `self` gives what is its own, and whether it uses the declared method; ``scope`` gets what
        the text has names for besides.

        Raises:
            UnsupportedChange: it holds another module, or would find another method in the class that is written.
        """
        text = self._with_own(text, scope)
        self._check_own_class(text)
        originals = Originals(self.declared, text, scope)
        text = splice(text, originals.edits())
        scope |= originals.named
        return text, originals.found

    def _with_own(self, text: str, scope: Mapping[str, Any]) -> str:
        edits: list[Edit] = []
        tree, node = ast.parse(text), definition(text)
        noted = within_wraps(tree)
        for use in global_uses(tree):
            value = scope.get(use.name)
            if not isinstance(use.node, ast.Name) or self.declared.is_original(value):
                continue
            if (own := self._own(use.name, value, first_argument(node))) is not None:
                # The body of the class has no `self`, but the methods above this one.
                edits.append(edit_of(use.node, own.rpartition(".")[2] if id(use.node) in noted else own))
                if not use.deferred and id(use.node) not in noted:
                    raise UnsupportedChange(
                        self.declared.path, f"outside of its body it uses {use.name}, which is the module's", OTHERWISE
                    )
        if edits and _is_bound_again(node):
            reason = f"within it, {first_argument(node)} stands for something else"
            raise UnsupportedChange(self.declared.path, reason, "Use another name there.")
        return splice(text, edits)

    def _own(self, name: str, value: object, receiver: str) -> str | None:
        if self.declared.owner is not None:
            if (path := held_part(value, self.declared.owner)) is not None:
                return path_text(receiver, path)
            method = held_method(value, self.declared.owner)
            if method is not None and method.current:
                return f"{path_text(receiver, method.path)}.{method.name}"
            if (needs := needing(value, self.declared.owner)) is not None and self.earlier is not None:
                return f"{receiver}.{self.earlier(*needs)}"
        if isinstance(value, nn.Module):
            raise UnsupportedChange(
                self.declared.path, f"{name} is a module that is not in the patched one", OTHERWISE
            )
        if isinstance(value, MethodType) and isinstance(value.__self__, nn.Module):
            raise UnsupportedChange(
                self.declared.path,
                f"{name} is a method of {_which(value, self.declared.owner)}",
                "Call methods of the patched module, or of what is in it, as they are when it is compiled.",
            )
        return None

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
                    self.declared.path,
                    f"the patch looks up {ast.unparse(found)}, another method in the class that is written",
                    "Name the class whose method is meant.",
                )


def _is_super(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


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
