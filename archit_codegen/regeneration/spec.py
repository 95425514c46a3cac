"""The user's spec: `archit.toml`, or `[tool.archit]` in `pyproject.toml`. It is read; what it names is not run."""

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ..errors import SpecError
from .keys import Key, key, keys_of
from .toml import line_of, parse, text_of

SPEC_NAME, PROJECT_NAME = "archit.toml", "pyproject.toml"
LISTED = 10
IDENTIFIER = "a lower-case Python identifier (a-z, 0-9, _) and no keyword"
ENDING = "the end of a Python identifier (A-Z, a-z, 0-9, _ only)"
VERSIONS = "one clause or several such as '>=0.1,<0.2', with the signs >=, <=, ==, !=, > and <"
CLAUSE = r"\s*(==|!=|<=|>=|<|>)\s*[0-9]+(\.[0-9]+)*\s*"
MODELS = "model"
OUTPUT = "The folder that packages are written into, each as a folder of its own."


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model: the surgery that makes it, and the package that declares it."""

    name: str = key("The package's name, and the model_type.", pattern="[a-z][a-z0-9_]*", rule=IDENTIFIER)
    surgery: str = key(
        "The function that returns the live model: 'folder/file.py:name' or 'package.module:name'. It is run by "
        "`archit generate`, with all that it imports.",
        inside=True,
        reference=True,
    )
    suffix: str = key("What the name of each emitted class ends with.", pattern="[A-Za-z0-9_]+", rule=ENDING)
    output: Path = key(OUTPUT, default=Path(), inside=True, emits=False)
    declared: str | None = key(
        "The class that the model was built from ('transformers:RobertaForMaskedLM'); by default its own.",
        default=None,
        inside=True,
        reference=True,
    )
    weights: bool = key("Build the model with its weights, and compare outputs.", default=False)
    user_code: str = key(
        "'copy' your own modules into the package, or 'import' them.", default="copy", choices=("copy", "import")
    )
    vendor: str = key(
        "What of transformers stands in the package: the 'changed' classes, 'all' that the model uses of its "
        "modelling files, or the changed ones and, beside them, a 'modular' file of small subclasses.",
        default="changed",
        choices=("changed", "all", "modular"),
    )
    config: str | None = key(
        "The config that the surgery is given, if it takes one: a JSON file, a folder with a config.json, or the name "
        "of a model in the local cache.",
        default=None,
        inside=True,
    )
    heads: tuple[str, ...] = key(
        "Tasks for which the package gets a class, such as 'token-classification'.", default=()
    )
    templates: Path | None = key(
        "A folder with templates of tasks, beside or instead of those that there are.", default=None, inside=True
    )
    inputs: tuple[str, ...] = key(
        "Files of the project that the surgery reads (globs allowed): a change of one makes the package stale.",
        default=(),
        inside=True,
    )
    trust_remote_code: bool = key(
        "Let the surgery run code that comes with a checkpoint. Without it, such code is refused.", default=False
    )

    def entry(self) -> str:
        """A hash of what is said of the model. What is left out and what is said as by default are the same."""
        said = {key.name: getattr(self, key.field) for key in MODEL_KEYS.values() if key.emits}
        said = {name: value for name, value in said.items() if value != MODEL_KEYS[name].default}
        # Of a folder the name alone: where the project lies says nothing, and its files are hashed as inputs.
        said = {name: value.name if isinstance(value, Path) else value for name, value in said.items()}
        return f"sha256:{hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()}"

    @property
    def package(self) -> Path:
        """Where the package stands."""
        return self.output / self.name


@dataclass(frozen=True, slots=True)
class Spec:
    """All models of a project; surgeries, inputs and outputs are relative to ``root``."""

    root: Path
    models: tuple[ModelSpec, ...]
    file: Path
    output: Path | None = key(OUTPUT, default=None, inside=True)
    required_version: str | None = key(
        "The versions of archit_codegen that may be used, such as '>=0.1,<0.2'.",
        name="required-version",
        default=None,
        pattern=f"{CLAUSE}(,{CLAUSE})*",
        rule=VERSIONS,
    )

    def select(self, names: Sequence[str]) -> tuple[ModelSpec, ...]:
        """The models of these names, all of them if there are none, in the order of the spec."""
        known = [model.name for model in self.models]
        for name in names:
            if name not in known:
                raise SpecError(self.file, f"no model is named {name!r}{nearest(name, known)}")
        return tuple(model for model in self.models if not names or model.name in names)


MODEL_KEYS, SPEC_KEYS = keys_of(ModelSpec), keys_of(Spec)


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
        if file.is_file() and _project_table(parse(file)) is not None:
            return file
    raise SpecError(
        SPEC_NAME,
        f"not found in {start} or a parent folder, nor is there [tool.archit] in {PROJECT_NAME}; "
        "`archit init` writes a first one",
    )


def read_spec(file: Path) -> Spec:
    """Read and check the whole spec; nothing that it names is looked at yet.

    Raises:
        SpecError: names the line and, for an unknown key, the nearest known one.
    """
    return _Reader(file.parent.resolve() / file.name).read()


def _project_table(document: Mapping[str, Any]) -> dict[str, Any] | None:
    tool = document.get("tool")
    table = tool.get("archit") if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one file; knows where in the document the spec begins, so that errors have lines."""

    file: Path

    def read(self) -> Spec:
        document = parse(self.file)
        table = _project_table(document) if self.file.name == PROJECT_NAME else document
        if table is None:
            raise SpecError(self.file, "has no [tool.archit]")
        entries = table.get(MODELS, [])
        if not isinstance(entries, list):
            self.refuse(f"{MODELS!r} of the spec has to be an array of tables ([[{MODELS}]])", MODELS)
        said = self.values("the spec", {k: v for k, v in table.items() if k != MODELS}, SPEC_KEYS, (), [MODELS])
        output = said.pop("output", None)
        models = tuple(self.model(number, entry, output) for number, entry in enumerate(entries))
        if not models:
            raise SpecError(self.file, f"names no [[{MODELS}]]")
        self.check_unique(models)
        root = self.file.parent
        return Spec(root, models, self.file, None if output is None else root / output, **said)

    def model(self, number: int, entry: Any, output: str | None) -> ModelSpec:
        named = isinstance(entry, dict) and isinstance(entry.get("name"), str)
        where = f"model {entry['name']!a}" if named else f"[[{MODELS}]] number {number + 1}"
        said = self.values(where, entry, MODEL_KEYS, (MODELS, number))
        said.setdefault("output", output)
        missing = [name for name, known in MODEL_KEYS.items() if known.required and known.field not in said]
        if missing or said["output"] is None:
            self.refuse(f"{where} has no {(*missing, 'output')[0]!r}", MODELS, number)
        places: dict[str, Path] = {
            name: self.file.parent / said[name] for name in ("output", "templates") if name in said
        }
        values: dict[str, Any] = {**said, **places}
        return ModelSpec(**values)

    def values(
        self, where: str, table: object, keys: Mapping[str, Key], path: tuple[str | int, ...], more: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The values of a table by the fields they go to."""
        if not isinstance(table, dict):
            self.refuse(f"{where} has to be a table", *path)
        for name, value in table.items():
            if name not in keys:
                self.refuse(f"{where} has an unknown key {name!r}{nearest(name, [*keys, *more])}", *path, name)
            if complaint := keys[name].complaint(value, where):
                self.refuse(complaint, *path, name)
        return {keys[name].field: keys[name].convert(value) for name, value in table.items()}

    def check_unique(self, models: Sequence[ModelSpec]) -> None:
        names = [model.name for model in models]
        for number, name in enumerate(names):
            if name in names[:number]:
                self.refuse(f"two models are named {name!r}", MODELS, number)

    def refuse(self, reason: str, *path: str | int) -> NoReturn:
        start = ("tool", "archit") if self.file.name == PROJECT_NAME else ()
        raise SpecError(self.file, reason, line_of(text_of(self.file), (*start, *path)))
