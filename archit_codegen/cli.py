"""The command line: arguments, printing, exit codes.

0: done. 1: stale or different. 2: an `ArchitError` or a wrong call, told in one line; a bug shows its traceback.
What a command needs is imported when it is called, so that `archit --help` starts at once.
"""

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from . import __version__
from .errors import ArchitError
from .regeneration.spec import Spec, find_spec, read_spec

DONE, ERROR, INTERRUPTED = 0, 2, 130
UNBOUNDED = 10_000


class Boundary(click.Group):
    """The one place where errors become lines and exit codes."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        try:
            code = super().main(*args, **{**kwargs, "standalone_mode": False})
        except ArchitError as error:
            code = _complain(str(error))
        except click.ClickException as error:
            code = _complain(error.format_message())
        except (click.Abort, KeyboardInterrupt):
            code = INTERRUPTED
        sys.exit(code or DONE)


def _complain(message: str) -> int:
    click.echo(f"archit: {' '.join(message.split())}", err=True)
    return ERROR


spec_option = click.option(
    "--spec",
    "spec_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The spec. Default: archit.toml in this or a parent folder, else [tool.archit] in pyproject.toml.",
)


@click.group(cls=Boundary, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="archit", message="%(prog)s %(version)s")
def main() -> None:
    """Compile live, modified transformers models to the Python source that declares them."""


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME ...]")
@spec_option
@click.option(
    "--overwrite", is_flag=True, help="Replace files that were edited by hand, or that archit did not write."
)
def generate(names: Sequence[str], spec_file: Path | None, overwrite: bool) -> int:
    """Compile models of the spec (all, if none is named) and write their packages."""
    spec = _read(spec_file)
    models = spec.select(names)
    command = _command()
    results = command.generate(spec, names, overwrite=overwrite)
    failed = 0
    for model in models:
        with _step(f"{model.name}: compiling what {model.surgery} returns"):
            result = next(results)
        if isinstance(result, command.Failed):
            failed += 1
            _complain(f"{result.name}: {result.error}")
        else:
            click.echo(f"{result.name}: {result.root_class} in {_shown(result.package)}")
            for note in result.notes:
                click.echo(f"{result.name}: note: {note}", err=True)
    if failed and len(models) > 1:
        _complain(f"{failed} of {len(models)} models failed")
    return ERROR if failed else DONE


@main.command()
@click.argument("name")
@spec_option
def diff(name: str, spec_file: Path | None) -> int:
    """Show what the surgery of a model changes, as a tree, and which classes will be emitted."""
    spec = _read(spec_file)
    spec.select([name])
    command = _command()
    with _step(f"{name}: comparing"):
        found = command.difference(spec, name)
    _print_tree(found)
    return DONE


def _read(spec_file: Path | None) -> Spec:
    return read_spec(find_spec(Path.cwd()) if spec_file is None else spec_file)


def _command() -> Any:
    with _step("importing torch and transformers"):
        return importlib.import_module("archit_codegen.regeneration.generate")


@contextmanager
def _step(text: str) -> Iterator[None]:
    """What is being done: it comes and goes on a terminal, and is a line elsewhere."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(Text(text)):
            yield
    else:
        click.echo(text, err=True)
        yield


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _print_tree(found: Any) -> None:
    """Print a `Difference`: its changes nested by path, each branch of one step drawn as one line."""
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text(found.declared, style="bold"))
    _grow(tree, _nest((change.path, change.describe()) for change in found.changes), Text)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = UNBOUNDED  # a tree is cut at this width, even with soft_wrap
    console.print(tree)
    if found.classes or not found.changes:
        said = f"emits {', '.join(found.classes)}" if found.classes else "nothing differs"
        console.print(Text(said, style="green"), soft_wrap=True)


def _nest(notes: Any) -> dict[str, Any]:
    """{"encoder": {"layer": {"": ["dropped"]}}}: what is said of a path stands under the empty name."""
    tree: dict[str, Any] = {}
    for path, note in notes:
        branch = tree
        for part in path.split(".") if path else ():
            branch = branch.setdefault(part, {})
        branch.setdefault("", []).append(note)
    return tree


def _grow(tree: Any, branch: dict[str, Any], text: Any) -> None:
    for note in branch.get("", ()):
        tree.add(text(note, style="yellow"))
    for name, inner in branch.items():
        if not name:
            continue
        label = name
        while len(inner) == 1 and "" not in inner:
            ((step, inner),) = inner.items()
            label = f"{label}.{step}"
        notes = inner.pop("", [])
        _grow(
            tree.add(text.assemble((label, "cyan"), (f": {'; '.join(notes)}" if notes else "", "yellow"))), inner, text
        )
