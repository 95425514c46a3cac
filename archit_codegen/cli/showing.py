"""`archit diff` and `archit upgrade-report`: what a surgery changes, and what an upgrade would."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .app import DIFFERENT, DONE, jobs_option, late, main, name_argument, names_argument, read, spec_option
from .progress import progress

UNBOUNDED = 10_000


@main.command()
@name_argument
@spec_option
def diff(name: str, spec_file: Path | None) -> int:
    """Show what the surgery of a model changes, as a tree, and which classes will be emitted."""
    spec = read(spec_file)
    spec.select([name])
    with progress(1) as shows:
        shows.started(name)
        found = late("regeneration.jobs").work().difference(spec, name)
    _print_tree(found)
    return DONE


@main.command("upgrade-report")
@names_argument
@spec_option
@jobs_option
def upgrade_report(names: Sequence[str], spec_file: Path | None, jobs: int) -> int:
    """Compile every model on the installed transformers, in memory, and show what that changes; writes nothing.

    Exit codes: 0 all the same, 1 not, 2 an error.
    """
    spec = read(spec_file)
    chosen = [model.name for model in spec.select(names)]
    with progress(len(chosen)) as shows:
        lines = []
        for result in late("regeneration.jobs").run("preview", spec, chosen, jobs, shows.started):
            shows.finished(result.name)
            lines.append(late("regeneration.upgrade").judged(spec, result))
    for line in sorted(lines, key=lambda line: chosen.index(line.name)):
        click.echo(f"{line.name}: {line.verdict}{f' ({line.why})' if line.why else ''}")
        click.echo(line.diff, nl=False)
    return DONE if all(line.verdict == "same" for line in lines) else DIFFERENT


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
