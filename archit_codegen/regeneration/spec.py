"""The user's spec: `archit.toml`, or `[tool.archit]` in `pyproject.toml`."""

import difflib
import keyword
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SpecError

SPEC_NAME, PROJECT_NAME = "archit.toml", "pyproject.toml"
PACKAGE_NAME = re.compile(r"[a-z][a-z0-9_]*")
SUFFIX = re.compile(r"[A-Za-z0-9_]+")
LISTED = 10
USER_CODE = ("copy", "import")
TYPE_NAMES = {str: "a string", bool: "true or false", list: "an array of tables ([[model]])", dict: "a table"}
SPEC_KEYS: dict[str, type] = {"output": str, "model": list}
MODEL_KEYS: dict[str, type] = {
    "name": str,
    "surgery": str,
    "declared": str,
    "suffix": str,
    "output": str,
    "weights": bool,
    "user_code": str,
    "config": str,
    "heads": object,  # checked by `_heads`
    "templates": str,
}
REQUIRED = ("name", "surgery", "suffix")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model: the surgery that makes it, and the package that declares it."""

    name: str
    surgery: str
    declared: str | None
    suffix: str
    output: Path
    weights: bool
    user_code: str
    config: str | None = None  # what the surgery is given: a path, or a name in the local cache
    heads: tuple[str, ...] = ()
    templates: Path | None = None


@dataclass(frozen=True, slots=True)
class Spec:
    """All models of a project; surgeries and outputs are relative to ``root``."""

    root: Path
    output: Path | None
    models: tuple[ModelSpec, ...]
    file: Path

    def select(self, names: Sequence[str]) -> tuple[ModelSpec, ...]:
        """The models of these names, all of them if there are none, in the order of the spec."""
        known = [model.name for model in self.models]
        for name in names:
            if name not in known:
                raise SpecError(self.file, f"no model is named {name!r}{nearest(name, known)}")
        return tuple(model for model in self.models if not names or model.name in names)


def nearest(word: str, known: Sequence[str]) -> str:
    """A hint for a word that is not among the known ones, to be put behind the sentence that says so."""
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f" (there is {', '.join(map(repr, known))})" if 0 < len(known) <= LISTED else ""


def find_spec(start: Path) -> Path:
    """`archit.toml` in this or a parent folder, else the nearest `pyproject.toml` that has `[tool.archit]`."""
    folders = (start, *start.parents)
    for file in (folder / SPEC_NAME for folder in folders):
        if file.is_file():
            return file
    for file in (folder / PROJECT_NAME for folder in folders):
        if file.is_file() and _project_table(_parse(file)) is not None:
            return file
    raise SpecError(
        SPEC_NAME, f"not found in {start} or a parent folder, nor is there [tool.archit] in {PROJECT_NAME}"
    )


def read_spec(file: Path) -> Spec:
    """Read and check the whole spec; nothing that it names is looked at yet."""
    file = file.parent.resolve() / file.name
    document = _parse(file)
    table = _project_table(document) if file.name == PROJECT_NAME else document
    if table is None:
        raise SpecError(file, "has no [tool.archit]")
    _check_keys(file, "the spec", table, SPEC_KEYS)
    output = table.get("output")
    models = tuple(_model(file, index, entry, output) for index, entry in enumerate(table.get("model", ()), start=1))
    if not models:
        raise SpecError(file, "names no [[model]]")
    _check_unique(file, models)
    return Spec(file.parent, None if output is None else file.parent / output, models, file)


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8"))
    except OSError as error:
        raise SpecError(file, error.strerror or str(error)) from error
    except ValueError as error:  # of TOML or of UTF-8
        raise SpecError(file, f"is not valid TOML: {error}") from error


def _project_table(document: Mapping[str, Any]) -> dict[str, Any] | None:
    tool = document.get("tool")
    table = tool.get("archit") if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else None


def _check_keys(file: Path, where: str, table: object, keys: Mapping[str, type]) -> None:
    if not isinstance(table, dict):
        raise SpecError(file, f"{where} has to be {TYPE_NAMES[dict]}")
    for key, value in table.items():
        if key not in keys:
            raise SpecError(file, f"{where} has an unknown key {key!r}{nearest(key, list(keys))}")
        if not isinstance(value, keys[key]):
            raise SpecError(file, f"{key!r} of {where} has to be {TYPE_NAMES[keys[key]]}")
        if isinstance(value, str) and (not value or "\0" in value):
            raise SpecError(file, f"{key!r} of {where} is empty or has a NUL in it")


def _model(file: Path, index: int, entry: Any, default_output: str | None) -> ModelSpec:
    named = isinstance(entry, dict) and isinstance(entry.get("name"), str)
    where = f"model {entry['name']!r}" if named else f"[[model]] number {index}"
    _check_keys(file, where, entry, MODEL_KEYS)
    missing = [key for key in REQUIRED if key not in entry]
    output = entry.get("output", default_output)
    if missing or output is None:
        raise SpecError(file, f"{where} has no {(*missing, 'output')[0]!r}")
    _check_names(file, where, entry)
    return ModelSpec(
        name=entry["name"],
        surgery=entry["surgery"],
        declared=entry.get("declared"),
        suffix=entry["suffix"],
        output=file.parent / output,
        weights=entry.get("weights", False),
        user_code=entry.get("user_code", USER_CODE[0]),
        config=entry.get("config"),
        heads=_heads(file, where, entry.get("heads", ())),
        templates=file.parent / entry["templates"] if "templates" in entry else None,
    )


def _heads(file: Path, where: str, heads: object) -> tuple[str, ...]:
    """Tasks, each alone or with a head class of the user's: "token-classification=heads.py:MyHead"."""
    if not isinstance(heads, list | tuple) or not all(isinstance(head, str) and head for head in heads):
        raise SpecError(file, f"'heads' of {where} has to be a list of tasks")
    return tuple(heads)


def _check_names(file: Path, where: str, entry: Mapping[str, Any]) -> None:
    name, suffix, user_code = entry["name"], entry["suffix"], entry.get("user_code", USER_CODE[0])
    if not PACKAGE_NAME.fullmatch(name) or keyword.iskeyword(name):
        rule = "a lower-case Python identifier (a-z, 0-9, _) and no keyword"
        raise SpecError(file, f"the name {name!a} of {where} is not {rule}")
    if not SUFFIX.fullmatch(suffix):
        rule = "the end of a Python identifier (A-Z, a-z, 0-9, _ only)"
        raise SpecError(file, f"the suffix {suffix!a} of {where} cannot be {rule}")
    if user_code not in USER_CODE:
        raise SpecError(file, f"'user_code' of {where} has to be {' or '.join(map(repr, USER_CODE))}")


def _check_unique(file: Path, models: Sequence[ModelSpec]) -> None:
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(file, f"two models are named {name!r}")
