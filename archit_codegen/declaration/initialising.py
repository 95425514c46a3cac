"""What `_init_weights` reads of modules, and which of it the live modules do not have."""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from inspect import signature
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from ..errors import SourceUnavailable
from .buffers import restoring_statements
from .changes import Delta, Replaced, flatten
from .edits import Guard, InitWeights, NewMethod, SourceEdit
from .ir import ClassRef
from .resolve import module_scope
from .source import class_text
from .values import class_ref
from .walking import NamedModule, named_modules

UNSKIPPED = """def _initialize_weights(self, module, is_custom_code=False):
    # In custom code transformers passes over modules without tensors of their own, and one of them fills buffers.
    tensors = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    super()._initialize_weights(module, is_custom_code=is_custom_code and bool(tensors))
"""
Reads = tuple[tuple[tuple[type, ...], tuple[tuple[str, ...], ...]], ...]


@dataclass(frozen=True, slots=True)
class Initialised:
    """What `_init_weights` has to do besides: compute buffers of the user's classes again (``restores``), and ask
    before it reads (``guards``). ``passed_over`` as `models_passed_over` gives them."""

    restores: tuple[SourceEdit, ...]
    guards: Mapping[ClassRef, tuple[Guard, ...]]
    passed_over: frozenset[ClassRef]


def initialised(live: nn.Module, delta: Delta, user: Mapping[object, str]) -> Initialised:
    """``user`` has the emitted names of the user's classes and functions."""
    if not isinstance(live, PreTrainedModel):
        return Initialised((), {}, frozenset())  # no `from_pretrained` leaves what no checkpoint carries uninitialised
    modules = named_modules(live)
    replaced = [edit.path for edit in flatten(delta) if isinstance(edit, Replaced)]
    copied = {obj: (name,) for obj, name in user.items() if isinstance(obj, type)}
    passed_over = models_passed_over([module for _, module in modules])
    restores: list[SourceEdit] = [InitWeights(text) for text in restoring_statements(modules, copied)]
    if passed_over:
        restores.append(NewMethod(UNSKIPPED))
    return Initialised(tuple(restores), guards(modules, replaced), passed_over)


def guards(live: Sequence[NamedModule], replaced: Iterable[str]) -> Mapping[ClassRef, tuple[Guard, ...]]:
    """For each model class whose `_init_weights` reads a tensor that a new module in the place of an old one lacks:
    the statements that have to ask for it first. A new module initialises itself. ``replaced`` are the paths of new
    modules."""
    above = {path.rpartition(".")[0] for path in replaced}
    above |= {parent for path in above for parent in _parents(path)}
    if not above:
        return {}
    modules = [module for path, module in live if path in above]
    models = {type(module) for _, module in live if isinstance(module, PreTrainedModel)}
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
        try:
            holder = getattr(holder, name)
        except AttributeError:
            return Guard(".".join(names[:place]), name) if place and isinstance(holder, nn.Module) else None
        except Exception:  # it is there: a property of the user's, which computes what it cannot without weights
            return None
    return None


def models_passed_over(modules: Collection[nn.Module]) -> frozenset[ClassRef]:
    """The classes of models in which a module without tensors of its own, which transformers passes over in custom
    code, fills buffers of others that no checkpoint carries."""
    hidden = {name for module in modules for name in module._non_persistent_buffers_set}
    if not hidden or "is_custom_code" not in signature(PreTrainedModel._initialize_weights).parameters:
        return frozenset()
    empty = {type(module) for module in modules if not (module._parameters or module._buffers)}
    models = {cls for cls in map(type, modules) if issubclass(cls, PreTrainedModel)}
    return frozenset(class_ref(cls) for cls in models if any(_fills(base, empty, hidden) for base in cls.__mro__))


def _fills(cls: type, empty: Iterable[type], hidden: Set[str]) -> bool:
    """Whether `_init_weights` names one of these buffers where it is given a module of one of these classes."""
    if "_init_weights" not in vars(cls) or cls is PreTrainedModel:
        return False
    return any(
        any(isinstance(node, ast.Attribute) and node.attr in hidden for line in body for node in ast.walk(line))
        for tested, body, _ in _branches(cls)
        if any(issubclass(one, tested) for one in empty)
    )


@cache
def _reads(cls: type) -> Reads:
    """For each test of the class of the module: which classes, and what is read there of such a module."""
    found = ((classes, tuple(_paths(body, module))) for classes, body, module in _branches(cls))
    return tuple((classes, paths) for classes, paths in found if paths)


@cache
def _branches(cls: type) -> tuple[tuple[tuple[type, ...], list[ast.stmt], str], ...]:
    """What `_init_weights` does with modules of certain classes: those, the statements, its name for the module."""
    try:
        body = class_text(cls).node.body
    except SourceUnavailable:
        return ()
    function = next((f for f in body if isinstance(f, ast.FunctionDef) and f.name == "_init_weights"), None)
    if function is None or len(function.args.args) != 2:
        return ()
    module, scope = function.args.args[1].arg, module_scope(cls)
    tests = (node for node in ast.walk(function) if isinstance(node, ast.If))
    found = ((_tested(node.test, module, scope), node.body, module) for node in tests)
    return tuple(branch for branch in found if branch[0])


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
