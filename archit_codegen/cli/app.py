"""The command group, the one place where errors become lines and exit codes, and what several commands share."""

import importlib
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from .. import __version__
from ..errors import ArchitError
from ..regeneration.spec import Spec, find_spec, read_spec

DONE, DIFFERENT, ERROR, INTERRUPTED = 0, 1, 2, 130


class Boundary(click.Group):
    """The one place where errors become lines and exit codes."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        try:
            code = super().main(*args, **{**kwargs, "standalone_mode": False})
        except ArchitError as error:
            code = complain(str(error))
        except click.ClickException as error:
            code = complain(error.format_message())
        except (click.Abort, KeyboardInterrupt):
            code = INTERRUPTED
        except BrokenPipeError:
            # Whoever read us has enough; Python would complain when it flushes at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = DIFFERENT
        sys.exit(code or DONE)


def complain(message: str) -> int:
    """Tell what is wrong, in one line."""
    click.echo(f"archit: {' '.join(message.split())}", err=True)
    return ERROR


@click.group(cls=Boundary, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="archit", message="%(prog)s %(version)s")
def main() -> None:
    """Compile live, modified transformers models to the Python source that declares them."""


def _model_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    try:
        spec = read(context.params.get("spec_file"))
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


def read(spec_file: Path | None) -> Spec:
    """The spec that was named, or that is found from here."""
    spec = read_spec(find_spec(Path.cwd()) if spec_file is None else spec_file)
    if spec.required_version is not None:
        late("regeneration.required").check_required_version(spec)
    return spec


def late(module: str) -> Any:
    """A module of this package that only some calls need."""
    return importlib.import_module(f"archit_codegen.{module}")


def command(spec: Spec, *words: str) -> str:
    """A command for the user to run from here: "archit generate roberta_hel"."""
    try:
        found = find_spec(Path.cwd()).resolve() == spec.file.resolve()
    except ArchitError:
        found = False
    named = [] if found else ["--spec", shown(spec.file)]
    return shlex.join(["archit", words[0], *named, *words[1:]])


def git_add(paths: Sequence[Path]) -> str:
    """The command that stages these paths."""
    return shlex.join(["git", "add", "--", *map(shown, paths)])


def shown(path: Path) -> str:
    """A path as one would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
