"""What each command is called with; what it does stands elsewhere, and is imported when it is called."""

from collections.abc import Sequence
from pathlib import Path

import click

from ..errors import ArchitError
from .app import late, main

FORMATS = ("text", "json", "github", "junit")
SHELLS = ("bash", "zsh", "fish")
OVERWRITE = "Replace files that were edited by hand, or that archit did not write; a backup is kept (FILE.orig)."


def _model_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    try:
        spec = late("cli.common").read(context.params.get("spec_file"))
    except ArchitError:
        return []
    return [model.name for model in spec.models if model.name.startswith(incomplete)]


names_argument = click.argument("names", nargs=-1, metavar="[NAME ...]", shell_complete=_model_names)
name_argument = click.argument("name", metavar="NAME", shell_complete=_model_names)
spec_option = click.option(
    "--spec",
    "spec_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The spec. Default: archit.toml in this or a parent folder, else [tool.archit] in pyproject.toml.",
)
tracked_option = click.option(
    "--tracked", is_flag=True, help="Exit 1 also if git does not track a package as it is now. The hooks use this."
)
jobs_option = click.option(
    "--jobs", "-j", type=click.IntRange(min=1), default=1, metavar="N", help="Compile N models at once (default 1)."
)


@main.command()
@click.argument("name", default="roberta_gated", metavar="[NAME]")
@click.option("--output", metavar="FOLDER", help="Where packages go. Default: beside the code of the project.")
def init(name: str, output: str | None) -> int:
    """Write a commented archit.toml and a first surgery here, ready to be generated. Overwrites nothing."""
    return int(late("cli.starting").init(name, output))


@main.command()
def schema() -> int:
    """Print the JSON Schema of archit.toml, for editors."""
    return int(late("cli.starting").schema())


@main.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> int:
    """Print what makes a shell complete commands and the names of models: eval "$(archit completion bash)"."""
    return int(late("cli.starting").completion(shell))


@main.command()
@names_argument
@spec_option
@click.option("--force", is_flag=True, help="Compile fresh packages, too.")
@click.option("--overwrite", is_flag=True, help=OVERWRITE)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and why; compile nothing.")
@tracked_option
@jobs_option
def generate(
    names: Sequence[str],
    spec_file: Path | None,
    force: bool,
    overwrite: bool,
    dry_run: bool,
    tracked: bool,
    jobs: int,
) -> int:
    """Compile what is stale among the models of the spec (or among those named), and write the packages.

    The surgeries that the spec names are run, with all that they import. Exit codes: 0 done, 1 a file edited by hand
    is in the way, 2 an error.
    """
    return int(late("cli.generating").generate(names, spec_file, force, overwrite, dry_run, tracked, jobs))


@main.command()
@name_argument
@click.argument("files", nargs=-1, metavar="[FILE ...]")
@spec_option
def adopt(name: str, files: Sequence[str], spec_file: Path | None) -> int:
    """Make emitted files yours: archit writes them no more, and the lock says so.

    FILE is a path, or a name inside the package; without one, all files are adopted that were edited by hand. Delete
    an adopted file to hand it back.
    """
    return int(late("cli.generating").adopt(name, files, spec_file))


@main.command()
@names_argument
@spec_option
@click.option("--diff", "with_diff", is_flag=True, help="Compile what is not fresh, in memory, and show what differs.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="For people or for machines.")
@tracked_option
@jobs_option
def check(names: Sequence[str], spec_file: Path | None, with_diff: bool, form: str, tracked: bool, jobs: int) -> int:
    """Say which packages are stale, missing, extra or edited by hand, and why. Runs nothing, writes nothing.

    Only with --diff the surgeries are run. Exit codes: 0 fresh, 1 not, 2 an error.
    """
    return int(late("cli.judging").check(names, spec_file, with_diff, form, tracked, jobs))


@main.command()
@name_argument
@spec_option
def diff(name: str, spec_file: Path | None) -> int:
    """Show what the surgery of a model changes, as a tree, and which classes will be emitted."""
    return int(late("cli.showing").diff(name, spec_file))


@main.command("upgrade-report")
@names_argument
@spec_option
@jobs_option
def upgrade_report(names: Sequence[str], spec_file: Path | None, jobs: int) -> int:
    """Compile every model on the installed transformers, in memory, and show what that changes; writes nothing.

    Exit codes: 0 all the same, 1 not, 2 an error.
    """
    return int(late("cli.showing").upgrade_report(names, spec_file, jobs))
