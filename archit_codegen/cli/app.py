"""The command group, and the one place where errors become lines and exit codes."""

import importlib
import os
import sys
from typing import Any, NoReturn

import click

from .. import __version__
from ..errors import ArchitError

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


def late(module: str) -> Any:
    """A module of this package that only some calls need."""
    return importlib.import_module(f"archit_codegen.{module}")
