"""`archit init`, `archit schema` and `archit completion`: what one needs once, at the beginning."""

import json
from pathlib import Path

import click

from .app import DONE, late, main, shown

SHELLS = ("bash", "zsh", "fish")


@main.command()
@click.argument("name", default="roberta_gated", metavar="[NAME]")
@click.option("--output", metavar="FOLDER", help="Where packages go. Default: beside the code of the project.")
def init(name: str, output: str | None) -> int:
    """Write a commented archit.toml and a first surgery here, ready to be generated. Overwrites nothing."""
    for file in late("regeneration.scaffold").start(Path.cwd(), name, output):
        click.echo(f"wrote {shown(file)}")
    click.echo("next: edit the surgery, then `archit diff` and `archit generate`; commit both it and the package")
    return DONE


@main.command()
def schema() -> int:
    """Print the JSON Schema of archit.toml, for editors."""
    click.echo(json.dumps(late("regeneration.schema").schema(), indent=2))
    return DONE


@main.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> int:
    """Print what makes a shell complete commands and the names of models: eval "$(archit completion bash)"."""
    from click.shell_completion import get_completion_class

    complete = get_completion_class(shell)
    assert complete is not None  # SHELLS are click's own
    click.echo(complete(main, {}, "archit", "_ARCHIT_COMPLETE").source())
    return DONE
