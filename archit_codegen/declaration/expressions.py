"""The text of arguments and calls: the original's expression, the surgery's, a config field, or a literal. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import UnsupportedChange
from .edits import ORIGINAL
from .ir import (
    Argument,
    CodeRef,
    ConfigCopy,
    ConfigRef,
    Construction,
    Literal,
    Member,
    ModuleRef,
    Node,
    Opaque,
    Structure,
    Value,
)

# Whether an expression over `config` has a literal's value, for the config at a path.
Holds = Callable[[str, str, Literal], bool]
SIMPLE = re.compile(r"[\w.]+(\[\w+\])?")
NameOf = Callable[[CodeRef], str]
Names = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression will stand: the names of configs there by config path, and the arguments of the call that it
    replaces (parameter -> value and text)."""

    configs: Mapping[str, str]
    originals: Mapping[str, tuple[Value, str]]
    holds: Holds
    name_of: NameOf
    path: str
    values: tuple[tuple[Value, str], ...] = ()  # what the owner's own arguments hold, and their names
    parameters: frozenset[str] = frozenset()  # the owner's arguments that are plain values

    def config(self, path: str) -> str | None:
        """The text of the config at a path."""
        for base, name in self.configs.items():
            if path == base:
                return name
            if path.startswith(f"{base}.") or not base:
                return f"{name}.{path.removeprefix(base).lstrip('.')}"
        return None


def scope_of(owner: Node, holds: Holds, name_of: NameOf, path: str) -> Scope:
    """The scope of the constructor of ``owner``."""
    configs, values, plain = own_names(owner)
    return Scope(dict(configs), {}, holds, name_of, path, values, plain)


def own_names(owner: Node) -> tuple[Names, tuple[tuple[Value, str], ...], frozenset[str]]:
    """What the constructor of ``owner`` has names for: configs by path, other values, and its plain arguments."""
    arguments = _named_arguments(owner)
    values = tuple([(a.value, a.name) for a in arguments if _is_owned(a.value)])
    plain = frozenset([a.name for a in arguments if isinstance(a.value, Literal) and a.kind == "parameter"])
    return tuple(_config_names(owner, arguments).items()), values, plain


def _is_owned(value: Value) -> bool:
    """Whether the owner's own name for it is better than anything else."""
    return isinstance(value, Opaque | ConfigCopy) or (isinstance(value, Structure) and value.code is not None)


def _named_arguments(owner: Node) -> tuple[Argument, ...]:
    """Those that have a name in the constructor; the members of `*args` have none."""
    arguments = owner.built.arguments if owner.built is not None else ()
    return tuple(argument for argument in arguments if argument.kind != "positional")


def _config_names(owner: Node, arguments: Sequence[Argument]) -> Mapping[str, str]:
    names = {a.value.path: a.name for a in arguments if isinstance(a.value, ConfigRef)}
    if names:
        return names
    for argument in arguments:  # a copy of the config, such as an encoder's; each use is checked by its value
        if argument.name == "config" and _is_owned(argument.value):
            return {argument.value.path if isinstance(argument.value, ConfigCopy) else "": "config"}
    return {v.path: f"self.{name}" for name, v in owner.attributes if isinstance(v, ConfigRef)}


def call_text(construction: Construction, scope: Scope, replaced: int | None, callee: str | None = None) -> str:
    """The text of a construction; ``replaced`` is the key of the module whose expression is `ORIGINAL`."""
    name = callee or scope.name_of(construction.code)
    if construction.text is not None:
        return _named_by_hand(construction.text, name, scope)
    nested = dict(construction.children)
    parts = []
    for argument in construction.arguments:
        text = argument_text(argument, scope, replaced, nested)
        parts.append(f"{argument.name}={text}" if argument.keyword else text)
    return f"{name}({', '.join(parts)})"


def _named_by_hand(text: str, name: str, scope: Scope) -> str:
    """The expression of `initialiser`, with the emitted name of the class and the local name of the config."""
    arguments = text.partition("(")[2]
    if not re.search(r"\bconfig\b", arguments):
        return f"{name}({arguments}"
    here = scope.config("")
    if here is None:
        raise UnsupportedChange(
            scope.path,
            f"the expression given by `initialiser`, {text}, reads the config, which the owner does not have",
            "Write plain values in it, or build the module inside `archit_codegen.record()`.",
        )
    own = re.sub(r"(?<![\w.])config\b", here, arguments)
    return f"{name}({own}"


def argument_text(argument: Argument, scope: Scope, replaced: int | None, nested: Mapping[int, Construction]) -> str:
    """The text of one argument, by its provenance."""
    value = argument.value
    if (own := _own_name(argument, scope)) is not None:
        return own
    match value:
        case ModuleRef(key=key) if key == replaced:
            return ORIGINAL
        case ModuleRef(key=key) if key in nested:
            return call_text(nested[key], scope, replaced)
        case ConfigRef(path=path):
            text = scope.config(path)
            if text is not None:
                return text
        case CodeRef():
            return scope.name_of(value)
        case Literal():
            return _literal(argument, value, scope)
        case Member():
            return f"{scope.name_of(value.code)}.{value.name}"
        case Structure():
            known = dict(argument.members)
            plain = replace(argument, text=None, members=())
            members = [replace(plain, value=item, learnt=known.get(name)) for name, item in value.items]
            return bracketed(value, [argument_text(member, scope, replaced, nested) for member in members], scope)
        case ConfigCopy():
            text = _copy_text(value, scope, dict(argument.members))
            if text is not None:
                return text
    raise UnsupportedChange(
        scope.path,
        f"the argument {argument.name} ({_short(value)}) has no expression where the module is constructed",
        'Name the expression with `archit_codegen.initialiser(module, "...")`, or pass plain values.',
    )


def _own_name(argument: Argument, scope: Scope) -> str | None:
    """The owner's name for a value; of what has a description alone, equal ones may be different things."""
    value = argument.value
    names = [name for held, name in scope.values if held == value]
    if not isinstance(value, Opaque) or not names:
        return names[-1] if names else None
    for hint in ((argument.text or "").removeprefix("?"), argument.name):
        original = scope.originals.get(hint)
        if original is not None and original[0] == value:
            return original[1]
    return argument.name if argument.name in names else names[0] if len(names) == 1 else None


def value_text(value: Value, scope: Scope) -> str | None:
    """The text of a plain value, None where it has none."""
    if value in (owned := dict(scope.values)):
        return owned[value]
    match value:
        case Literal(text=text):
            return text
        case CodeRef():
            return scope.name_of(value)
        case ConfigRef(path=path):
            return scope.config(path)
        case ConfigCopy():
            return _copy_text(value, scope, {})
        case Member():
            return f"{scope.name_of(value.code)}.{value.name}"
        case Structure():
            return bracketed(value, [value_text(item, scope) for _, item in value.items], scope)
    return None


def _copy_text(value: ConfigCopy, scope: Scope, learnt: Mapping[str, Sequence[str] | None]) -> str | None:
    """The shortest call that makes it of a config that the owner has, which may be such a copy itself."""
    fields = dict(value.fields)
    copies = _copies(scope)
    bases = [(name, dict(base.fields)) for name, base in copies.items() if base.path == value.path]
    if value.path.startswith("@"):
        given = scope.originals.get(value.path[1:])
        bases = [] if given is None else [(given[1], {})]
    elif (plain := scope.config(value.path)) is not None and plain.partition(".")[0] not in copies:
        bases.append((plain, {}))
    fitting = [(name, own) for name, own in bases if own.keys() <= fields.keys()]
    for name, own in sorted(fitting, key=lambda item: -len(item[1])):
        told = {field: learnt_text(learnt.get(field) or (), scope) for field in fields}
        texts = {
            field: told[field] or value_text(item, scope) for field, item in fields.items() if own.get(field) != item
        }
        if None not in texts.values():
            return f"config_with({name}, {', '.join(f'{field}={text}' for field, text in texts.items())})"
    return None


def _copies(scope: Scope) -> dict[str, ConfigCopy]:
    """The owner's arguments that are configs with other values than the model's."""
    return {name: value for value, name in scope.values if isinstance(value, ConfigCopy)}


def bracketed(value: Structure, texts: Sequence[str | None], scope: Scope) -> str:
    """The display of a list, tuple or dict, or the call that makes an object, from the texts of its members."""
    kind, keys = value.kind, [key for key, _ in value.items]
    brackets = {"list": "[]", "tuple": "()", "dict": "{}"}.get(kind)
    if (brackets is None and value.code is None) or None in texts:
        raise UnsupportedChange(
            scope.path, f"a {kind} has no literal", "Build it in the module's `__init__` from plain values."
        )
    parts = [text or "" for text in texts]
    if value.code is not None:
        given = ", ".join(f"{key}={text}" if key else text for key, text in zip(keys, parts, strict=True))
        return f"{scope.name_of(value.code)}({given})"
    assert brackets is not None
    if kind == "dict":
        parts = [f"{key}: {text}" for key, text in zip(keys, parts, strict=True)]
    comma = "," if kind == "tuple" and len(parts) == 1 else ""
    return f"{brackets[0]}{', '.join(parts)}{comma}{brackets[1]}"


def _literal(argument: Argument, value: Literal, scope: Scope) -> str:
    """By provenance: the surgery's expression over the config, the original's argument, a config field, itself."""
    if argument.learnt is not None:
        return learnt_text(argument.learnt, scope) or value.text
    text = argument.text
    if text is None:
        return value.text
    if not text.startswith("?"):
        over = _over_config(text, value, scope)
        return over if over is not None else value.text
    for hint in (text[1:], argument.name):
        original = scope.originals.get(hint)
        if original is not None and original[0] == value:
            return original[1]
    for hint in filter(None, (text[1:], argument.name)):
        over = field_text(hint, value, scope)
        if over is not None:
            return over
    return value.text


def field_text(name: str, value: Value, scope: Scope) -> str | None:
    """The config field that has the name of an argument or attribute, and its value."""
    if not isinstance(value, Literal) or value.text in ("None", "True", "False"):
        return None
    return _over_config(f"config.{name}", value, scope)


def learnt_text(learnt: Sequence[str], scope: Scope) -> str | None:
    """The first of several expressions whose names are all to be had where it will stand."""
    return next(filter(None, (_localised(text, scope) for text in learnt)), None)


def _localised(text: str, scope: Scope) -> str | None:
    """``@name`` is an argument of the declared call, ``config`` the root's, any other name one of the owner's."""
    found: list[str | None] = []

    def original(match: re.Match[str]) -> str:
        found.append(scope.originals[match[1]][1] if match[1] in scope.originals else None)
        return f"{found[-1]}" if match[0] == text or SIMPLE.fullmatch(found[-1] or "") else f"({found[-1]})"

    def local(match: re.Match[str]) -> str:
        *path, name = match[1].removeprefix(".").split(".")
        found.append(scope.config(".".join(path)))
        return f"{found[-1]}.{name}"

    names = set(re.findall(r"(?<![\w.@])[A-Za-z_]\w*", re.sub(r"\bconfig(?:\.\w+)+", "", text)))
    written = re.sub(r"@(\w+)", original, re.sub(r"\bconfig((?:\.\w+)+)", local, text))
    return written if None not in found and names <= scope.parameters else None


def _over_config(text: str, value: Literal, scope: Scope) -> str | None:
    copies = _copies(scope)
    for path, name in scope.configs.items():
        own = dict(copies[name].fields) if name in copies else {}
        if any(field in own for field in re.findall(r"\bconfig\.(\w+)", text)):
            continue  # there it has another value than in the model's config, where the text is tried
        if scope.holds(text, path, value):
            return text if name == "config" else text.replace("config.", f"{name}.")
    return None


def _short(value: Value) -> str:
    return shortened(value.text if isinstance(value, Opaque) else type(value).__name__.lower())


def shortened(text: str) -> str:
    """At most 60 characters of a text, for messages."""
    return text if len(text) <= 60 else text[:57] + "..."
