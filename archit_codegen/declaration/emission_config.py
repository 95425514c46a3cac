"""The new config class of a package."""

from dataclasses import dataclass

import transformers

from .ir import Literal
from .render import render


@dataclass(frozen=True, slots=True)
class ConfigClass:
    """The new config class: the declared one under a new ``model_type``, with fields for what the live config adds."""

    name: str
    base: type
    fields: tuple[tuple[str, Literal], ...]

    def text(self, model_type: str, header: list[str]) -> str:
        public = getattr(transformers, self.base.__name__, None) is self.base
        module = "transformers" if public else self.base.__module__
        values = {
            "header": header,
            "imports": [f"from {module} import {self.base.__name__}"],
            "name": self.name,
            "base": self.base.__name__,
            "model_type": f'"{model_type}"',
            "fields": [(name, annotation_of(literal), literal.text) for name, literal in self.fields],
        }
        return render("configuration.py.jinja", values)


def annotation_of(literal: Literal) -> str:
    """The annotation of a field with a default."""
    value: object = eval(literal.text, {"__builtins__": {"float": float, "set": set, "frozenset": frozenset}})
    return "object" if value is None else type(value).__name__
