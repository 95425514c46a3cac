"""What transformers knows of a declared class: its Auto classes, its config class, its version."""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from functools import cache
from importlib import metadata
from itertools import chain, count
from typing import Any

import transformers
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto import modeling_auto
from transformers.utils import auto_docstring

from ..errors import SourceUnavailable, UnsupportedChange
from .ir import Literal
from .literal import MAX_DEPTH, is_plain_identifier, is_writable, write_literal
from .source import class_text

PLAN = "base_model_tp_plan"
DEFAULTS = "sub_configs_defaults"
TIES = "tie_word_embeddings"
EXAMPLE = re.compile(r"^\s*(?:Examples?\b|```|>>>)", re.MULTILINE)
SHOWN = re.compile(r"""[\w.+-]{1,60}|"[\w.+ -]{0,60}\"""")  # a default that a docstring can quote
ADDED = "Was added to the configuration."
MEANINGS = {"auto_map": "The code that is saved with a model, by Auto class."}
LARGEST = 10**640  # the limit of digits that Python reads may be as low as this


@dataclass(frozen=True, slots=True)
class ConfigClass:
    """The new config class: the declared one under a new ``model_type``, with fields for what the live config adds
    (name, annotation or nothing, default). ``subs`` are those of sub-configs that add something, by field."""

    name: str
    base: type
    fields: tuple[tuple[str, str, Literal], ...]
    license: str = ""
    decorated: bool = False  # whether the declared class is documented by `@auto_docstring`
    docs: tuple[str, ...] = ()  # what its docstring says of its fields, by line
    subs: tuple[tuple[str, "ConfigClass"], ...] = ()

    @property
    def all(self) -> tuple["ConfigClass", ...]:
        """The class and those of the configs below it, each once and before it is used."""
        return (*dict.fromkeys(cls for _, sub in self.subs for cls in sub.all), self)

    @property
    def by_base(self) -> dict[type, str]:
        """The declared config classes that have one new class each, with its name."""
        bases = Counter(cls.base for cls in self.all)
        return {cls.base: cls.name for cls in self.all if bases[cls.base] == 1}

    def with_auto_map(self, package: str, models: Mapping[str, str]) -> "ConfigClass":
        """The class whose configs name the code that a checkpoint carries: ``models`` by their Auto class."""
        homes = {"AutoConfig": f"configuration_{package}.{self.name}", **models}
        return replace(self, fields=(*self.fields, _field("auto_map", homes)))


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


@cache
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
    found = _config_class(config, suffix, frozenset())
    return _numbered(replace(found, fields=(*found.fields, *_moved_plan(found.base, moves))), {})


def _config_class(
    config: PreTrainedConfig, suffix: str, given: frozenset[str], *, inside: bool = False
) -> ConfigClass:
    """``given`` are the fields that the config which holds this one, if it is ``inside`` one, gives it."""
    cls = type(config)
    below = {name: getattr(config, name, None) for name in _plain_subs(cls)}
    subs = tuple(
        (name, sub)
        for name, inner in below.items()
        if isinstance(inner, PreTrainedConfig)
        and ((sub := _config_class(inner, suffix, _given(cls, name), inside=True)).fields or sub.subs)  # type: ignore[arg-type]  # hashable
    )
    declared = declared_fields(cls) | given  # type: ignore[arg-type]  # classes are hashable
    if inside:
        declared |= {TIES}  # Auto classes know no new class, and a config of the declared one takes this field too
    added = {name: value for name, value in config.to_dict().items() if name not in declared}
    fields = tuple(_field(name, value) for name, value in sorted(added.items()))
    return ConfigClass(f"{cls.__name__}{suffix}", cls, fields, *_head(cls), subs)


def _numbered(config: ConfigClass, taken: dict[str, ConfigClass]) -> ConfigClass:
    """Classes of one name that differ get a number: what one config adds, another of its class may not."""
    config = replace(config, subs=tuple((name, _numbered(sub, taken)) for name, sub in config.subs))
    names = chain([config.name], (f"{config.name}{number}" for number in count(2)))
    return next(
        new for new in (replace(config, name=name) for name in names) if taken.setdefault(new.name, new) == new
    )


def _plain_subs(cls: Any) -> Iterator[str]:
    """Sub-configs that are always there and are always of one class."""
    specs = getattr(cls, DEFAULTS, {})
    for name, sub in cls.sub_configs.items():
        spec = specs.get(name)
        special = getattr(spec, "optional", False) or getattr(spec, "init_kwargs", None)
        if getattr(sub, "model_type", "") and not special:
            yield name


def _head(cls: type) -> tuple[str, bool, tuple[str, ...]]:
    """The licence under which the declared class stands, whether it is documented by decorator, and its docstring."""
    try:
        source = class_text(cls)
    except SourceUnavailable:
        return "", False, ()
    decorated = "@auto_docstring" in source.text.partition("class ")[0] and documents_any_name()
    docs = EXAMPLE.split(ast.get_docstring(source.node) or "")[0].rstrip()
    return source.license, decorated, () if '"' * 3 in docs else tuple(docs.splitlines())


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
def documents_any_name() -> bool:
    """Whether `@auto_docstring` takes classes whose names do not end as those of transformers do."""
    try:
        auto_docstring(type("ModelRenamed", (PreTrainedModel,), {"__module__": __name__}))
    except ValueError:
        return False
    except Exception:  # it looked at more than the name
        return True
    return True


def gathers_unsaved() -> bool:
    """Whether a model knows which weights the models below it leave out when they are saved (transformers 5.5)."""
    return "_keys_to_ignore_on_save" in PreTrainedModel.post_init.__code__.co_names


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


@cache
def _given(cls: type, name: str) -> frozenset[str]:
    """The fields that a sub-config has by default."""
    try:
        return frozenset(cls().to_dict().get(name) or ())
    except (TypeError, ValueError, AttributeError, KeyError):
        return frozenset()


def _field(name: str, value: object) -> tuple[str, str, Literal]:
    if not is_plain_identifier(name):
        raise UnsupportedChange(
            f"config.{name}", "the name cannot stand in source", "Use a plain identifier as the name."
        )
    if not (_is_json(value) and is_writable(value)):
        reason = f"no config file can hold this value of type {type(value).__name__}"
        raise UnsupportedChange(f"config.{name}", reason, "Use plain numbers, text, lists and dicts.")
    return name, "object" if value is None else type(value).__name__, Literal(write_literal(value))


OLD_TYPE = 'kwargs.pop("model_type", None)  # the old one, in a config of the declared class'


def class_body(config: ConfigClass, *, root: bool) -> tuple[list[str], str, list[str]]:
    """The fields as lines of the class body; the head and the statements of a method that does the rest.

    Where configs are no dataclasses (transformers before 5.4), the fields are parameters of an `__init__`; where a
    config makes its sub-configs itself (before `sub_configs_defaults`), they are made anew.
    """
    lines = [f"{name} = {literal.text}" for name, annotation, literal in config.fields if not annotation]
    fields = [(name, annotation, literal.text) for name, annotation, literal in config.fields if annotation]
    before, after = [OLD_TYPE] if root else [], []
    if config.subs:
        table = DEFAULTS if hasattr(config.base, DEFAULTS) else "sub_configs"
        entries = ", ".join(f'"{name}": {sub.name}' for name, sub in config.subs)
        lines.append(f"{table} = {{**{config.base.__name__}.{table}, {entries}}}")
        if table != DEFAULTS:
            after = [f"self.{name} = {sub.name}(**self.{name}.to_dict())" for name, sub in config.subs]
    if is_dataclass(PreTrainedConfig):
        lines += [f"{name}: {annotation} = {_default(text)}" for name, annotation, text in fields]
        body = [*before, "super().__post_init__(**kwargs)", *after] if before or after else []
        return lines, "__post_init__(self, **kwargs)", body
    parameters = [f"{name}={'None' if _is_mutable(text) else text}" for name, _, text in fields]
    values = [f"{text} if {name} is None else {name}" if _is_mutable(text) else name for name, _, text in fields]
    statements = [f"self.{name} = {value}" for (name, *_), value in zip(fields, values, strict=True)]
    body = [*before, *statements, "super().__init__(**kwargs)", *after]
    return lines, f"__init__({', '.join(['self', *parameters, '**kwargs'])})", body


def documentation(config: ConfigClass) -> list[str]:
    """Lines of a docstring for `@auto_docstring`, which says on import what it does not find described."""
    lines = list(config.docs)
    for name, annotation, literal in config.fields:
        if annotation:
            default = f", defaults to `{literal.text}`" if SHOWN.fullmatch(literal.text) else ""
            lines += [f"{name} (`{annotation}`, *optional*{default}):", f"    {MEANINGS.get(name, ADDED)}"]
    return lines


def _is_mutable(text: str) -> bool:
    return text.startswith(("[", "{", "set("))


def _default(text: str) -> str:
    return f"field(default_factory=lambda: {text})" if _is_mutable(text) else text


def _is_json(value: object, depth: int = MAX_DEPTH) -> bool:
    """Values of JSON, of exactly Python's own types: a subclass brings code along."""
    if isinstance(value, list | tuple | dict) and type(value) in (list, tuple, dict):
        members = value.values() if isinstance(value, dict) else value
        if isinstance(value, dict) and not all(type(key) in (str, int) for key in value):
            return False
        return depth > 0 and all(_is_json(member, depth - 1) for member in members)
    if type(value) is int:
        return abs(value) < LARGEST
    return type(value) in (type(None), bool, float, str)
