"""`archit diff` and `archit upgrade-report`: what a surgery changes, and what an upgrade would."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from ..regeneration.jobs import run, work
from ..regeneration.upgrade import judged
from .app import DIFFERENT, DONE
from .common import read
from .progress import progress

UNBOUNDED = 10_000


def diff(name: str, spec_file: Path | None) -> int:
    """`archit diff`."""
    spec = read(spec_file)
    spec.select([name])
    with progress(1) as shows:
        shows.started(name)
        found = work().difference(spec, name)
    _print_tree(found)
    return DONE


def upgrade_report(names: Sequence[str], spec_file: Path | None, jobs: int) -> int:
    """`archit upgrade-report`."""
    spec = read(spec_file)
    chosen = [model.name for model in spec.select(names)]
    with progress(len(chosen)) as shows:
        lines = []
        for result in run("preview", spec, chosen, jobs, shows.started):
            shows.finished(result.name)
            lines.append(judged(result))
    for line in sorted(lines, key=lambda line: chosen.index(line.name)):
        click.echo(f"{line.name}: {line.verdict}{f' ({line.why})' if line.why else ''}")
        click.echo(line.diff, nl=False)
    return DONE if all(line.verdict == "same" for line in lines) else DIFFERENT


def _print_tree(found: Any) -> None:
    """Print a `Difference`: its changes nested by path, each branch of one step drawn as one line."""
    tree = Tree(Text(found.declared, style="bold"))
    _grow(tree, _nest((change.path, change.describe()) for change in found.changes))
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


def _grow(tree: Tree, branch: dict[str, Any]) -> None:
    for note in branch.get("", ()):
        tree.add(Text(note, style="yellow"))
    for name, inner in branch.items():
        if not name:
            continue
        label = name
        while len(inner) == 1 and "" not in inner:
            ((step, inner),) = inner.items()
            label = f"{label}.{step}"
        notes = inner.pop("", [])
        told = f": {'; '.join(notes)}" if notes else ""
        _grow(tree.add(Text.assemble((label, "cyan"), (told, "yellow"))), inner)
