"""Methods that were patched at run time, as text that can stand in a class."""

import ast
import builtins
import inspect
from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from types import FunctionType
from typing import Any

from torch import nn

from ..errors import UnsupportedChange
from .agreement import UNKNOWN
from .edits import Method
from .functiontext import function_as_def
from .held import Patch, said_of
from .literal import is_writable, write_literal
from .liveness import default_edits
from .methodtext import definition, edit_of, only_definition
from .names import Edit, bindings, global_uses, splice
from .originals import Declared
from .patchchecks import check_closed, check_source
from .receiver import Receiver
from .rewrite_arguments import without_arguments
from .wrapping import as_written, closure_values, local_names

EARLIER = "_earlier_{}"


def method_edit(
    name: str, patch: Patch, cls: type, *, path: str, code: str, others: Set[str] = frozenset()
) -> tuple[Method, Mapping[str, Mapping[str, Any]]]:
    """The new method, and the scopes in which its global names and those of its helpers are looked up, by their code.

    ``code`` is what it does, to tell it from others of the same text. A call of the declared method, through a
    closure, a default, a global or the object's class, becomes one of ``self._original_<name>``; what else the
    function holds of the module that it stands on is reached from ``self``, patches that were there before as helpers.
    ``others`` are the methods that are patched as well.

    Raises:
        UnsupportedChange: the patch has no source of its own, or holds what its class cannot reach.
    """
    writer = _Writer(Receiver(Declared(name, cls, patch.owner, path), others), code)
    writer.names[id(patch.function)] = name
    text = writer.text(as_written(patch.function), name, code, patch.bound)
    return writer.method(_with_kind(text, writer, cls) if patch.owner is None else text), writer.scopes


class _Writer:
    """Writes a patch, and as helpers the user's functions that it holds and that need the module."""

    def __init__(self, receiver: Receiver, code: str) -> None:
        self.receiver, self.declared, self.code = replace(receiver, earlier=self.earlier), receiver.declared, code
        self.scopes: dict[str, dict[str, Any]] = {}
        self.helpers: list[Method] = []
        self.names: dict[int, str] = {}
        self.kept = False

    def method(self, text: str) -> Method:
        keep = self.declared.keep if self.kept and not self.declared.above else None
        return Method(self.declared.method, text, keep, self.code, tuple(self.helpers))

    def text(self, function: FunctionType, name: str, code: str, bound: bool) -> str:
        path, owner = self.declared.path, self.declared.owner
        check_source(function, path)
        scope = {**function.__globals__, **closure_values(function)}
        text, self.scopes[code] = _with_plain_defaults(function, function_as_def(function, name), scope, owner)
        if not bound:
            text = _with_self(text, scope, owner, path)
        check_closed(text, function, self.scopes[code], path)
        text, kept = self.receiver.given(text, self.scopes[code])
        self.kept = self.kept or kept
        return _with_literals(text, closure_values(function))

    def earlier(self, function: FunctionType, bound: bool) -> str:
        """The name of the helper that a function becomes."""
        if id(function) not in self.names:
            number = len(self.names)
            name = self.declared.free_name(EARLIER.format(self.declared.method), self.names.values())
            self.names[id(function)] = name  # it may call itself
            code = f"{self.code} {number}"
            self.helpers.append(Method(name, self.text(as_written(function), name, code, bound), code=code))
        return self.names[id(function)]


def _with_kind(text: str, writer: _Writer, cls: type) -> str:
    """The text with the decorator that says what was put on the class: a class method or a static one."""
    name, kind = writer.declared.method, type(inspect.getattr_static(cls, writer.declared.method))
    written = {ast.unparse(decorator) for decorator in definition(text).decorator_list}
    if kind not in (classmethod, staticmethod) or kind.__name__ in written:
        return text
    if writer.kept:
        reason = f"it is a {kind.__name__} that calls the declared one"
        raise UnsupportedChange(writer.declared.path, reason, f"Derive a class of your own that overrides `{name}`.")
    return f"@{kind.__name__}\n{text}"


def _with_plain_defaults(
    function: FunctionType, text: str, scope: dict[str, Any], owner: nn.Module | None
) -> tuple[str, dict[str, Any]]:
    """Defaults that are not the module's own as they are now; the others are no arguments, but names in the scope."""

    def own(value: object) -> bool:
        return owner is not None and said_of(value, owner) is not None

    def meaning(name: str) -> object:
        value = scope.get(name, getattr(builtins, name, UNKNOWN))
        return UNKNOWN if name in local or own(value) else value

    local = local_names(function)
    node = definition(text)
    text = splice(text, default_edits(function, node, meaning, own))
    held = {name: value for name, value in _default_values(function, node) if own(value)}
    held = {name: value for name, value in held.items() if name not in bindings(node.body).bound}
    return (without_arguments(text, held), {**scope, **held}) if held else (text, scope)


def _default_values(function: FunctionType, node: ast.FunctionDef) -> Iterator[tuple[str, object]]:
    named = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    defaults = function.__defaults__ or ()
    yield from zip(named[len(named) - len(defaults) :], defaults, strict=True)
    yield from (function.__kwdefaults__ or {}).items()


def _with_self(text: str, scope: Mapping[str, Any], owner: nn.Module | None, path: str) -> str:
    """An argument more for what is called without the module."""
    node = definition(text)
    free = {use.name for use in global_uses(ast.parse(text))}
    taken = any(argument.arg == "self" for argument in ast.walk(node) if isinstance(argument, ast.arg))
    if taken or ("self" in free and scope.get("self", UNKNOWN) is not owner):
        raise UnsupportedChange(
            path,
            "self is no argument of what was put there, or not the module on which it stands",
            "Bind it to the module (`types.MethodType(function, module)`), or use another name.",
        )
    place = text.index("(", text.index(f"def {node.name}")) + 1
    takes_none = text[place:].lstrip().startswith(")")
    return f"{text[:place]}self{'' if takes_none else ', '}{text[place:]}"


def _with_literals(text: str, closure: Mapping[str, Any]) -> str:
    """The text with plain values in the place of the closure's variables that hold them.

    Within an f-string a literal may have the quotes of that, and `{name=}` shows the name: there it stays a variable.
    """
    texts = {name: write_literal(value) for name, value in closure.items() if is_writable(value)}
    tree = ast.parse(text)
    uses = [use.node for use in global_uses(tree) if use.name in texts and isinstance(use.node, ast.Name)]
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    shown = {node.id for string in strings for node in ast.walk(string) if isinstance(node, ast.Name)}
    owners = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    edits = [edit_of(node, _operand(texts[node.id], id(node) in owners)) for node in uses if node.id not in shown]
    kept = sorted({node.id for node in uses} & shown)
    return splice(text, [*edits, *_assigned(only_definition(tree), {name: texts[name] for name in kept})])


def _operand(text: str, has_attribute: bool) -> str:
    """`-1 ** 2` and `3.bit_length()` are other things than with a name."""
    return f"({text})" if text.startswith("-") or (has_attribute and text[0].isdigit()) else text


def _assigned(node: ast.FunctionDef, texts: Mapping[str, str]) -> Iterator[Edit]:
    """Assignments at the start of a function's body."""
    if texts:
        first = node.body[ast.get_docstring(node, clean=False) is not None :] or [ast.Pass()]
        place = (first[0].lineno, first[0].col_offset)
        separator = "; " if first[0].lineno == node.lineno else "\n" + " " * first[0].col_offset
        yield Edit(place, place, "".join(f"{name} = {text}{separator}" for name, text in texts.items()))
