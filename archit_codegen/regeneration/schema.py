"""The JSON Schema of the spec, for editors; made from the very fields that the spec is read into."""

from pathlib import Path
from typing import Any

from .keys import Key
from .spec import MODEL_KEYS, MODELS, SPEC_KEYS

TEXT, ARRAY = {"type": "string", "minLength": 1}, {"type": "array"}
TYPES: dict[Any, dict[str, Any]] = {
    str: TEXT,
    Path: TEXT,
    str | None: TEXT,
    Path | None: TEXT,
    bool: {"type": "boolean"},
    tuple[str, ...]: {**ARRAY, "items": TEXT},
}


def schema() -> dict[str, Any]:
    """What `archit.toml`, and `[tool.archit]` in `pyproject.toml`, may say."""
    models = {**ARRAY, "minItems": 1, "items": _table(MODEL_KEYS), "description": "The models, one table each."}
    top = _table(SPEC_KEYS)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "archit.toml",
        "description": "What archit_codegen generates: one package for each model.",
        **top,
        "properties": {**top["properties"], MODELS: models},
        "required": [*top["required"], MODELS],
    }


def _table(keys: dict[str, Key]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: _property(key) for name, key in keys.items()},
        "required": [name for name, key in keys.items() if key.required],
        "additionalProperties": False,
    }


def _property(key: Key) -> dict[str, Any]:
    said = {"description": key.doc, **TYPES[key.kind]}
    if key.choices:
        said["enum"] = list(key.choices)
    if key.pattern:
        said["pattern"] = f"^(?:{key.pattern})$"
    if not key.required and key.default not in (None, Path(), ()):
        said["default"] = key.default
    return said
