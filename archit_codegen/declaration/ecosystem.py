"""What transformers knows of a declared class: its Auto classes, its config class, its version."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

import transformers
from transformers import PreTrainedConfig
from transformers.models.auto import modeling_auto

from ..errors import UnsupportedChange
from .ir import Literal
from .literal import MAX_DEPTH, is_plain_identifier, is_writable, write_literal

PLAN = "base_model_tp_plan"
LARGEST = 10**640  # the limit of digits that Python reads may be as low as this


@dataclass(frozen=True, slots=True)
class ConfigClass:
    """The new config class: the declared one under a new ``model_type``, with fields for what the live config adds
    (name, annotation or nothing, default)."""

    name: str
    base: type
    fields: tuple[tuple[str, str, Literal], ...]


@cache
def auto_classes(name: str) -> tuple[str, ...]:
    """The public Auto classes in whose mapping a model class stands."""
    found = []
    for auto, cls in sorted(vars(modeling_auto).items()):
        mapping = getattr(cls, "_model_mapping", None)
        if mapping is None or not hasattr(transformers, auto) or not auto.startswith("AutoModel"):
            continue
        names = getattr(mapping, "_model_mapping", {}).values()
        if any(name == entry or (isinstance(entry, tuple | list) and name in entry) for entry in names):
            found.append(auto)
    return tuple(found)


def version_of(distribution: str) -> str:
    """`` 5.23`` for an installed distribution, nothing for what is no distribution."""
    try:
        return " " + ".".join(metadata.version(distribution).split(".")[:2])
    except metadata.PackageNotFoundError:
        return ""


def config_class(config: Any, suffix: str, moves: Sequence[tuple[str, str]] = ()) -> ConfigClass | None:
    """The new config class of a transformers model: fields for the attributes that its class does not declare.

    ``moves`` are the paths, from the base model, of modules that a wrapper holds now, with their paths inside it: the
    plan for tensor parallelism names the weights below them by path.

    Raises:
        UnsupportedChange: an attribute whose name or value cannot be written.
    """
    if not isinstance(config, PreTrainedConfig):
        return None
    cls = type(config)
    declared = declared_fields(cls)  # type: ignore[arg-type]  # classes are hashable
    added = {name: value for name, value in config.to_dict().items() if name not in declared}
    fields = tuple(_field(name, value) for name, value in sorted(added.items()))
    return ConfigClass(f"{cls.__name__}{suffix}", cls, (*fields, *_moved_plan(cls, moves)))


def _moved_plan(cls: type, moves: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str, Literal]]:
    plan = getattr(cls, PLAN, None)
    added = {new: value for key, value in (plan or {}).items() for new in _moved(key, moves)}
    if added:
        entries = write_literal(added).removeprefix("{")
        yield PLAN, "", Literal(f"{{**{cls.__name__}.{PLAN}, {entries}")


def _moved(key: str, moves: Sequence[tuple[str, str]]) -> Iterator[str]:
    parts = key.split(".")
    for path, inner in moves:
        steps = path.split(".")
        fits = all(part in (step, "*" if step.isdigit() else step) for part, step in zip(parts, steps, strict=False))
        if fits and len(steps) <= len(parts):
            yield ".".join([*parts[: len(steps)], inner, *parts[len(steps) :]])


@cache
def declared_fields(cls: type) -> frozenset[str]:
    """Fields, properties and what the class computes for itself."""
    names = {"model_type", "transformers_version", "_name_or_path", "auto_map", "architectures", "dtype"}
    for base in cls.__mro__:
        names |= set(getattr(base, "__annotations__", ())) | set(vars(base))
    try:
        names |= set(cls().to_dict())
    except (TypeError, ValueError, AttributeError, KeyError):
        return frozenset(names)  # a config without defaults computes nothing from them
    return frozenset(names)


def _field(name: str, value: object) -> tuple[str, str, Literal]:
    if not is_plain_identifier(name):
        raise UnsupportedChange(
            f"config.{name}", "the name cannot stand in source", "Use a plain identifier as the name."
        )
    if not (_is_json(value) and is_writable(value)):
        reason = f"no config file can hold this value of type {type(value).__name__}"
        raise UnsupportedChange(f"config.{name}", reason, "Use plain numbers, text, lists and dicts.")
    text = write_literal(value)
    if isinstance(value, list | dict | set):
        text = f"field(default_factory=lambda: {text})"
    return name, "object" if value is None else type(value).__name__, Literal(text)


def _is_json(value: object, depth: int = MAX_DEPTH) -> bool:
    """Values of JSON, of exactly Python's own types: a subclass brings code along."""
    if type(value) in (list, tuple, dict):
        members = value.values() if isinstance(value, dict) else value
        if isinstance(value, dict) and not all(type(key) in (str, int) for key in value):
            return False
        return depth > 0 and all(_is_json(member, depth - 1) for member in members)  # type: ignore[attr-defined]
    if type(value) is int:
        return abs(value) < LARGEST
    return type(value) in (type(None), bool, float, str)
