"""Places checked text in the templates. The only user of jinja2."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

KNOWN = "modeling.py.jinja"


def render(template: str, values: Mapping[str, Any]) -> str:
    """The text of a template; a value that is not given is an error."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_directory()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Python source, not HTML; every value is a checked identifier or a written literal
    )


def _directory() -> Path:
    """``templates`` inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    found: Sequence[Path] = [
        path for path in (package / "templates", package.parent / "templates") if (path / KNOWN).is_file()
    ]
    if not found:
        raise FileNotFoundError(f"the templates of archit_codegen are not installed beside {package.name}")
    return found[0]
