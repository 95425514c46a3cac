"""What a spec may say: one field of a dataclass is one key, with its type, its rule and its sentence for editors."""

import dataclasses
import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS: Mapping[Any, tuple[type, str]] = {
    str: (str, "a string"),
    Path: (str, "a string"),
    str | None: (str, "a string"),
    Path | None: (str, "a string"),
    bool: (bool, "true or false"),
    tuple[str, ...]: (list, "an array of strings"),
}
"""The type of a field: what TOML has to hold for it, and how that is called."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the spec, as it is written there.

    ``rule`` says in words what ``pattern`` demands; ``inside`` is for paths, which must not lead out of the folder of
    the spec; ``reference`` for "path:name"; ``emits`` for what decides the text of the package.
    """

    name: str
    field: str
    kind: Any
    doc: str
    required: bool
    default: Any
    pattern: str = ""
    rule: str = ""
    choices: tuple[str, ...] = ()
    inside: bool = False
    reference: bool = False
    emits: bool = True

    def complaint(self, value: object, where: str) -> str:
        """What is wrong with a value that ``where`` gives; empty if nothing is."""
        kind, called = KINDS[self.kind]
        if type(value) is not kind or (isinstance(value, list) and not all(type(part) is str for part in value)):
            return f"{self.name!r} of {where} has to be {called}"
        texts = value if isinstance(value, list) else [value]
        return next(filter(None, (self._complaint(text, where) for text in texts if isinstance(text, str))), "")

    def _complaint(self, text: str, where: str) -> str:
        if not text or "\0" in text:
            return f"{self.name!r} of {where} is empty or has a NUL in it"
        if self.choices and text not in self.choices:
            return f"{self.name!r} of {where} has to be {' or '.join(map(repr, self.choices))}, not {text!a}"
        if self.pattern and (not re.fullmatch(self.pattern, text) or keyword.iskeyword(text)):
            return f"the {self.name} {text!a} of {where} has to be {self.rule}"
        if self.inside and leads_out(text.rpartition(":")[0] if self.reference else text):
            return (
                f"the {self.name} {text!a} of {where} leads out of the folder of the spec (no '..', no absolute path)"
            )
        return ""

    def convert(self, value: Any) -> Any:
        """The value as the dataclass holds it."""
        return tuple(value) if isinstance(value, list) else value


def key(doc: str, *, name: str = "", default: Any = dataclasses.MISSING, **rules: Any) -> Any:
    """A field that is a key of the spec; without ``default`` it is required."""
    return dataclasses.field(default=default, metadata={"key": {"doc": doc, "name": name, **rules}})


def keys_of(cls: type) -> dict[str, Key]:
    """The keys of a table by their names, in the order of the fields."""
    found = [_key(field) for field in dataclasses.fields(cls) if "key" in field.metadata]
    return {key.name: key for key in found}


def _key(field: dataclasses.Field[Any]) -> Key:
    facts = dict(field.metadata["key"])
    required = field.default is dataclasses.MISSING
    name = facts.pop("name") or field.name
    return Key(name, field.name, field.type, required=required, default=None if required else field.default, **facts)


def leads_out(path: str) -> bool:
    """Whether a path, as the spec writes it, is not below the folder it starts from; backslashes separate, too."""
    parts: Sequence[str] = path.replace("\\", "/").split("/")
    return ".." in parts or path.startswith(("/", "\\", "~")) or ":" in parts[0]
