"""What `_init_weights` reads of modules, and which of it the live modules do not have."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from ..errors import SourceUnavailable
from .buffers import restoring_statements
from .changes import Delta, Replaced, flatten
from .edits import Guard, InitWeights
from .ir import ClassRef
from .resolve import module_scope
from .source import class_text
from .values import class_ref
from .walking import named_modules

Reads = tuple[tuple[tuple[type, ...], tuple[tuple[str, ...], ...]], ...]


@dataclass(frozen=True, slots=True)
class Initialised:
    """What `_init_weights` has to do besides: compute buffers of the user's classes again, and ask before it reads."""

    restores: tuple[InitWeights, ...]
    guards: Mapping[ClassRef, tuple[Guard, ...]]


def initialised(live: nn.Module, delta: Delta, user: Mapping[object, str]) -> Initialised:
    """``user`` has the emitted names of the user's classes and functions."""
    replaced = [edit.path for edit in flatten(delta) if isinstance(edit, Replaced)]
    if not isinstance(live, PreTrainedModel):
        return Initialised((), {})  # no `from_pretrained` leaves what no checkpoint carries uninitialised
    copied = {obj: (name,) for obj, name in user.items() if isinstance(obj, type)}
    return Initialised(tuple(map(InitWeights, restoring_statements(live, copied))), guards(live, replaced))


def guards(live: nn.Module, replaced: Iterable[str]) -> Mapping[ClassRef, tuple[Guard, ...]]:
    """For each model class whose `_init_weights` reads a tensor that a new module in the place of an old one lacks:
    the statements that have to ask for it first. A new module initialises itself. ``replaced`` are the paths of new
    modules."""
    above = {path.rpartition(".")[0] for path in replaced}
    above |= {parent for path in above for parent in _parents(path)}
    if not above or not isinstance(live, PreTrainedModel):
        return {}
    everything = named_modules(live)
    modules = [module for path, module in everything if path in above]
    models = {type(module) for _, module in everything if isinstance(module, PreTrainedModel)}
    found: dict[ClassRef, tuple[Guard, ...]] = {}
    for cls in {base for model in models for base in model.__mro__}:
        if "_init_weights" in vars(cls) and cls is not PreTrainedModel:
            lacking = {guard for module in modules for guard in _lacking(module, _reads(cls))}
            if lacking:
                found[class_ref(cls)] = tuple(sorted(lacking))
    return found


def _parents(path: str) -> Iterator[str]:
    while path:
        path = path.rpartition(".")[0]
        yield path


def _lacking(module: nn.Module, reads: Reads) -> Iterator[Guard]:
    for classes, paths in reads:
        if isinstance(module, classes):
            yield from filter(None, (_missing(module, names) for names in paths))


def _missing(module: nn.Module, names: tuple[str, ...]) -> Guard | None:
    """The first name on a path that a child does not have; what the module itself lacks is its class's own matter."""
    holder: Any = module
    for place, name in enumerate(names):
        if not hasattr(holder, name):
            return Guard(".".join(names[:place]), name) if place and isinstance(holder, nn.Module) else None
        holder = getattr(holder, name)
    return None


@cache
def _reads(cls: type) -> Reads:
    """For each test of the class of the module: which classes, and what is read there of such a module."""
    try:
        body = class_text(cls).node.body
    except SourceUnavailable:
        return ()
    function = next((f for f in body if isinstance(f, ast.FunctionDef) and f.name == "_init_weights"), None)
    if function is None or len(function.args.args) != 2:
        return ()
    module, scope = function.args.args[1].arg, module_scope(cls)
    tests = (node for node in ast.walk(function) if isinstance(node, ast.If))
    found = ((_tested(node.test, module, scope), tuple(_paths(node.body, module))) for node in tests)
    return tuple((classes, paths) for classes, paths in found if classes and paths)


def _tested(test: ast.expr, module: str, scope: Mapping[str, Any]) -> tuple[type, ...]:
    """The classes in `isinstance(module, ...)`."""
    match test:
        case ast.Call(func=ast.Name("isinstance"), args=[ast.Name(name), classes]) if name == module:
            members = classes.elts if isinstance(classes, ast.Tuple) else [classes]
            values = [scope.get(member.id) for member in members if isinstance(member, ast.Name)]
            return tuple(value for value in values if isinstance(value, type) and issubclass(value, nn.Module))
    return ()


def _paths(body: list[ast.stmt], module: str) -> Iterator[tuple[str, ...]]:
    """The attributes of the module's attributes that are read, as their names from the module on."""
    for node in (inner for statement in body for inner in ast.walk(statement)):
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.insert(0, node.attr)
            node = node.value
        if len(names) > 1 and isinstance(node, ast.Name) and node.id == module:
            yield tuple(names)
