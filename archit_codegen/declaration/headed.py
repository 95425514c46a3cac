"""Adds heads to a package: chooses what they stand on, renders them, and puts them into the files."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import transformers
from torch import nn
from transformers import PreTrainedModel

from ..errors import InvalidDeclaration, InvalidName, UnsupportedChange
from .assembly import Parts, assemble
from .basefacts import BaseFacts, base_facts
from .changes import Delta
from .ecosystem import ConfigClass
from .heads import BaseNames, HeadsFile, OwnHead, defaults, heads_file
from .importing import importable
from .ownership import is_user_code
from .relatives import base_of, family_of
from .render import render
from .resolve import Bindings
from .style import format_text
from .tasks import TASKS
from .training import switches_below
from .usercode import collect

Heads = Mapping[str, type[nn.Module] | None]


@dataclass(frozen=True, slots=True)
class Headed:
    """A package with heads: its files, all its classes, and the class of each task."""

    files: Mapping[str, str]
    classes: tuple[str, ...]
    heads: Mapping[str, str]
    facts: BaseFacts


def wanted_heads(heads: Iterable[str] | Heads) -> Heads:
    """Tasks by name, each with the head class of the user's that was given for it, or with none.

    Raises:
        InvalidName: a name that no task can have, or one named twice.
        InvalidDeclaration: a head that is no module class.
    """
    if isinstance(heads, str):
        raise InvalidName("heads", heads, "it must be a list of tasks, not one text")
    wanted = dict(heads) if isinstance(heads, Mapping) else {}
    for name in heads if not wanted else ():
        if name in wanted:
            raise InvalidName("The task", name, "it must be named once")
        wanted[name] = None
    for name, own in wanted.items():
        if type(name) is not str or not name.isascii() or not name.replace("-", "_").isidentifier() or "_" in name:
            raise InvalidName("The task", name, f"it must be one of {', '.join(TASKS)}, or in words joined by hyphens")
        if own is not None and not (isinstance(own, type) and issubclass(own, nn.Module)):
            raise InvalidDeclaration(f"{name}: the head has to be a subclass of nn.Module, not {own!a}.")
    return wanted


def bare_parts(name: str, base: type, config: ConfigClass, roots: Iterable[type], *, copy: bool) -> Parts:
    """The parts of a package that has nothing but heads, over a class that is imported."""
    user = collect([root for root in roots if is_user_code(root)] if copy else [], taken=frozenset({config.name}))
    return Parts(name, base, "", (), (), Bindings(frozenset(), {}, copy), user, config, "", copy)


def with_heads(
    live: nn.Module,
    delta: Delta,
    parts: Parts,
    origins: Mapping[str, str],
    suffix: str,
    heads: Heads,
    directory: Path | None,
    inputs: Mapping[str, Any] | None,
) -> Headed:
    """The files of a package, with heads on the base model of the live one.

    Raises:
        InvalidDeclaration: there is no base model, it cannot have such a head, or a name is taken.
        UnsupportedChange: a class cannot be imported where the package is used.
    """
    base = base_of(live)
    facts = base_facts(base, inputs)
    own = {name: None if cls is None else _own_head(parts, cls) for name, cls in heads.items()}
    names = replace(_names(parts, base, origins, suffix), switches=_switches(live, base, delta, facts))
    made = heads_file(own, facts, names, directory)
    _check_free(parts, made)
    parts = replace(parts, heads=made, root=parts.root or next(iter(made.classes.values())))
    return Headed(dict(assemble(parts)), (*parts.classes, *made.exports), made.classes, facts)


def _names(parts: Parts, base: PreTrainedModel, origins: Mapping[str, str], suffix: str) -> BaseNames:
    """The emitted variants where there are some, else the classes of transformers."""
    cls = type(base)
    emitted = [name for name in parts.classes if origins.get(name) == f"{cls.__module__}:{cls.__qualname__}"]
    if len(emitted) > 1:
        raise InvalidDeclaration(f"{cls.__name__} is emitted in several variants: compile the base model itself.")
    pretrained = family_of(cls)
    own = f"{pretrained.__name__}{suffix}"
    parent = [
        name for name in parts.classes if origins.get(name) == f"{pretrained.__module__}:{pretrained.__qualname__}"
    ]
    modeling = f"from .modeling_{parts.name} import"
    imports = [
        f"{modeling} {emitted[0]}" if emitted else _import(cls, parts.copy),
        f"{modeling} {parent[0]}" if parent else _import(pretrained, parts.copy),
        *([f"from .configuration_{parts.name} import {parts.config.name}"] if parts.config is not None else []),
        "from transformers.cache_utils import Cache",
    ]
    # Models that are to know the package's config inherit from a class that names it.
    names_config = f"class {own}({pretrained.__name__}):\n    config: {parts.config.name}\n" if parts.config else ""
    return BaseNames(
        base=emitted[0] if emitted else cls.__name__,
        pretrained=parent[0] if parent else own,
        definition="" if parent else names_config,
        stem=cls.__name__.removesuffix("Model") or cls.__name__,
        suffix=suffix,
        imports=tuple(imports),
    )


def _switches(live: nn.Module, base: PreTrainedModel, delta: Delta, facts: BaseFacts) -> tuple[str, ...]:
    """What the class of the live model freezes in its base model; one that is the base model itself sees to that."""
    path = next(path for path, module in live.named_modules() if module is base)
    return switches_below(delta.edits, path, delta.live, facts.prefix) if path else ()


def _import(cls: type, copy: bool) -> str:
    if is_user_code(cls):
        if copy:
            raise UnsupportedChange(
                "",
                f"{cls.__name__} is a class of yours, and the package would have to import it",
                'Allow that with `user_code = "import"`.',
            )
        return importable(cls, cls.__name__).statement(cls.__name__)
    public = getattr(transformers, cls.__name__, None) is cls
    if not public and getattr(sys.modules.get(cls.__module__), cls.__name__, None) is not cls:
        raise UnsupportedChange("", f"{cls.__name__} cannot be imported", "Define it at the top of a module.")
    return f"from {'transformers' if public else cls.__module__} import {cls.__name__}"


def _own_head(parts: Parts, cls: type[nn.Module]) -> OwnHead:
    resets = "reset_parameters" in dir(cls)
    if parts.copy and is_user_code(cls):
        name = parts.user.names[cls]
        return OwnHead(name, f"from .modules_{parts.name} import {name}", resets)
    return OwnHead(cls.__name__, importable(cls, cls.__name__).statement(cls.__name__), resets)


def _check_free(parts: Parts, heads: HeadsFile) -> None:
    """Names of classes are unique in a package; that of the live root is the most likely to be met again."""
    taken = {*parts.classes, *parts.user.names.values()}
    for name in heads.exports:
        if name in taken:
            raise InvalidDeclaration(
                f"{name} stands in the package already, as part of the live model. Leave this task out, or compile "
                f"`live.base_model`, which has no head of its own."
            )


@dataclass(frozen=True, slots=True)
class Alone:
    """A heads' file that stands in no package, the class of each task, the fields that they read with their defaults,
    and the objects that no statement in it imports."""

    text: str
    heads: Mapping[str, str]
    fields: Mapping[str, object]
    injected: Mapping[str, Any]


def standing_alone(base: type, facts: BaseFacts, heads: Heads, directory: Path | None) -> Alone:
    """The same heads, over classes as they are in this process."""
    pretrained = family_of(base)
    names = BaseNames(
        base=base.__name__,
        pretrained=pretrained.__name__,
        stem=base.__name__.removesuffix("Model") or base.__name__,
        suffix="",
        imports=(
            f"from {pretrained.__module__} import {pretrained.__name__}",
            "from transformers.cache_utils import Cache",
        ),
    )
    own = {
        name: None if cls is None else OwnHead(cls.__name__, "", "reset_parameters" in dir(cls))
        for name, cls in heads.items()
    }
    made = heads_file(own, facts, names, directory)
    values = {
        "header": [f"Heads on {base.__name__}, made in memory by archit_codegen."],
        "imports": made.imports,
        "own_imports": (),
        "texts": made.texts,
        "exports": made.exports,
    }
    given = {cls.__name__: cls for cls in heads.values() if cls is not None}
    known = defaults(facts)
    return Alone(
        format_text(render("heads.py.jinja", values)),
        made.classes,
        {name: known[name] for name, *_ in made.fields},
        {base.__name__: base, **given},
    )
