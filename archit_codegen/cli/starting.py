"""`archit init`, `archit schema` and `archit completion`: what one needs once, at the beginning."""

import json
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from ..regeneration.scaffold import start
from ..regeneration.schema import schema as schema_of_spec
from .app import DONE, main
from .common import shown


def init(name: str, output: str | None) -> int:
    """`archit init`."""
    for file in start(Path.cwd(), name, output):
        click.echo(f"wrote {shown(file)}")
    click.echo("next: edit the surgery, then `archit diff` and `archit generate`; commit both it and the package")
    return DONE


def schema() -> int:
    """`archit schema`."""
    click.echo(json.dumps(schema_of_spec(), indent=2))
    return DONE


def completion(shell: str) -> int:
    """`archit completion`."""
    complete = get_completion_class(shell)
    assert complete is not None  # SHELLS are click's own
    click.echo(complete(main, {}, "archit", "_ARCHIT_COMPLETE").source())
    return DONE
