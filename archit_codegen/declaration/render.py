"""Places checked text in the templates. The only user of jinja2."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateError,
)

from ..errors import InvalidDeclaration
from ..templating import template_directory


def render(template: str, values: Mapping[str, Any], directory: Path | None = None) -> str:
    """The text of a template; a value that is not given is an error.

    ``directory`` holds templates of tasks, the user's, which come before those of the same name in ``tasks`` here.

    Raises:
        InvalidDeclaration: a template of the user's does not work.
    """
    try:
        return _environment(directory).get_template(template).render(**values)
    except TemplateError as error:
        if directory is None:
            raise
        raise InvalidDeclaration(f"The template {template} does not work: {error}.") from error


def has_template(template: str, directory: Path | None = None) -> bool:
    """Whether there is a template of this name, here or among the user's."""
    return template in _environment(directory).list_templates()


def _environment(directory: Path | None) -> Environment:
    """Templates of the user's are read anew each time: one may come between two calls."""
    return _plain_environment() if directory is None else _made_environment(directory)


@cache
def _plain_environment() -> Environment:
    return _made_environment(None)


def _made_environment(directory: Path | None) -> Environment:
    loader: BaseLoader = FileSystemLoader(template_directory())
    if directory is not None:
        loader = ChoiceLoader([PrefixLoader({"tasks": FileSystemLoader(directory)}), loader])
    return Environment(
        loader=loader,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Python source, not HTML; every value is a checked identifier or a written literal
    )
