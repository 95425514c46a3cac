"""What the configuration file of a package has to say, for the check of its text."""

import ast
import dataclasses
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import transformers
from transformers.utils import auto_docstring

from .agreement import UNKNOWN
from .constants import evaluate, says
from .draft import Draft
from .ecosystem import ConfigClass, auto_classes, class_body, documentation
from .emittedfile import EmittedFile
from .literal import write_literal
from .lookup import Place


def notice(draft: Draft) -> tuple[ast.stmt, Place]:
    """The warning on other versions of transformers than this one, and what the names in it mean."""
    minor = transformers.__version__.split(".")[:2]
    text = f"""
if transformers.__version__.split(".")[:2] != {minor!r}:
    warnings.warn(
        f"{draft.name} was made for transformers {".".join(minor)} and may fail, or compute something else, on "
        f"{{transformers.__version__}}: regenerate it there with `archit generate {draft.name}`.",
        stacklevel=2,
    )
"""
    return ast.parse(text).body[0], Place(
        "the notice", {name: sys.modules[name] for name in ("transformers", "warnings")}, ()
    )


def config_statements(draft: Draft) -> Iterator[tuple[ConfigClass, ast.ClassDef, Place]]:
    """The class statement of each config class, and what the names in it mean."""
    for config in draft.configs:
        root = config is draft.config
        full = config.with_auto_map(draft.name, _models(draft)) if root else config
        lines, method, statements = class_body(full, root=root)
        body = [f"model_type = {write_literal(draft.name)}", *lines] if root else lines
        if statements:
            body += [f"def {method}:", *(f"    {line}" for line in statements)]
        names = {config.base.__name__: config.base, "field": dataclasses.field, "auto_docstring": auto_docstring}
        text = "\n".join(["class _(_):", *(f"    {line}" for line in body or ["pass"])])
        cls = ast.parse(text).body[0]
        assert isinstance(cls, ast.ClassDef)
        cls.name, cls.bases = config.name, [ast.Name(config.base.__name__, ast.Load())]
        if config.decorated:
            cls.decorator_list = [ast.Name("auto_docstring", ast.Load())]
            if docs := documentation(full):
                cls.body.insert(0, ast.Expr(ast.Constant("\n".join(["", *docs]))))
        yield config, cls, Place(config.name, names, ())


def _models(draft: Draft) -> dict[str, str]:
    return dict.fromkeys(auto_classes(draft.declared.__name__), f"modeling_{draft.name}.{draft.root}")


def values_of_config(draft: Draft, config: ConfigClass) -> Mapping[str, Any]:
    """What a field of a config class is in the live config."""
    assert draft.config is not None
    if config is draft.config:
        return {
            **draft.values,
            "auto_map": {"AutoConfig": f"configuration_{draft.name}.{config.name}", **_models(draft)},
        }
    found = _values_below(draft.config, draft.values, config)
    assert found is not None
    return found


def _values_below(config: ConfigClass, values: Mapping[str, Any], wanted: ConfigClass) -> Mapping[str, Any] | None:
    if config is wanted:
        return values
    below = (_values_below(sub, values.get(name) or {}, wanted) for name, sub in config.subs)
    return next((found for found in below if found is not None), None)


def check_values(file: EmittedFile, statement: ast.ClassDef, values: Mapping[str, Any]) -> None:
    """The defaults of new fields are the values of the live config; raises `ValidationFailed`."""
    for line in statement.body:
        name = str(getattr(getattr(line, "target", None), "id", ""))
        if isinstance(line, ast.AnnAssign) and line.value is not None and name in values:
            value = evaluate(_default(line.value), {})
            if value is not UNKNOWN and not says(value, values[name]):
                raise file.refuse(line, f"the default of {name} is not the live config's value")


def _default(value: ast.expr) -> ast.expr:
    """The value of a field, out of `field(default_factory=lambda: value)`."""
    factory = value.keywords[0].value if isinstance(value, ast.Call) and value.keywords else None
    return factory.body if isinstance(factory, ast.Lambda) else value
