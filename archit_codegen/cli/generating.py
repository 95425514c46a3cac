"""`archit generate` and `archit adopt`: what writes packages."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..disk.places import interrupted
from ..errors import WriteRefused
from ..regeneration.freshness import Kind, Status
from ..regeneration.spec import Spec
from .app import DIFFERENT, DONE, ERROR, complain, late
from .common import command, git_add, read, shown
from .judging import judge, mends, print_unverified, with_git
from .progress import progress


def generate(
    names: Sequence[str],
    spec_file: Path | None,
    force: bool,
    overwrite: bool,
    dry_run: bool,
    tracked: bool,
    jobs: int,
) -> int:
    """`archit generate`."""
    spec = read(spec_file)
    statuses = judge(spec, names)
    todo = [status for status in statuses if force or not status.fresh]
    if dry_run:
        return _tell(todo)
    _clear_up(statuses)
    code, written = _generate(spec, todo, overwrite, jobs)
    for status in statuses:
        if status not in todo:
            print_unverified(spec, status)
    if not todo:
        click.echo("nothing is stale")
    return code if code == ERROR or not tracked else max(code, _unstaged(spec, names, written))


def adopt(name: str, files: Sequence[str], spec_file: Path | None) -> int:
    """`archit adopt`."""
    spec = read(spec_file)
    (model,) = spec.select([name])
    late("regeneration.freshness").refuse_links(spec, model.package)
    inside = [_inside(model.package, file) for file in files]
    adopted = late("disk.writer").adopt_files(model.package, inside)
    for path in adopted:
        click.echo(
            f"{name}: {path} is yours now; delete it and run `{command(spec, 'generate', name)}` to hand it back"
        )
    if not adopted:
        click.echo(f"{name}: nothing was edited by hand")
    return DONE


def _inside(package: Path, file: str) -> str:
    """A file's path inside the package; what is no path to it is taken for one already."""
    path = Path.cwd() / file
    return path.relative_to(package).as_posix() if path.is_relative_to(package) else Path(file).as_posix()


def _tell(todo: Sequence[Status]) -> int:
    for status in todo:
        why = "; ".join(problem.text for problem in status.problems) or "forced"
        click.echo(f"would {'remove' if status.has(Kind.EXTRA) else 'generate'} {status.name} ({why})")
    if not todo:
        click.echo("nothing is stale")
    return DONE


def _clear_up(statuses: Sequence[Status]) -> None:
    """What a writer that was killed left beside packages that are fresh."""
    for package in interrupted(status.package for status in statuses):
        with late("disk.writer").at_work(package.parent, package):
            pass


def _generate(spec: Spec, todo: Sequence[Status], overwrite: bool, jobs: int) -> tuple[int, list[Path]]:
    """The exit code, and the packages that changed."""
    if not todo:
        return DONE, []
    names = [status.name for status in todo if not status.has(Kind.EXTRA)]
    results, written = [], []
    with progress(len(names)) as shows:
        for result in late("regeneration.jobs").run(
            "regenerate", spec, names, jobs, shows.started, overwrite=overwrite
        ):
            shows.finished(result.name)
            with shows.aside():
                _print(spec, result, todo)
            results.append(result)
            written += [result.package] if result.outcome == "written" else []
    removed, refused = _remove([status for status in todo if status.has(Kind.EXTRA)], overwrite)
    failed = [result.name for result in results if result.bad]
    if failed and len(names) > 1:
        complain(f"{len(failed)} of {len(names)} models failed: {', '.join(failed)}")
    refused = refused or any(result.outcome == "refused" for result in results)
    return ERROR if failed else DIFFERENT if refused else DONE, [*written, *removed]


def _print(spec: Spec, result: Any, todo: Sequence[Status]) -> None:
    if result.outcome == "broken":
        click.echo(result.text, err=True, nl=False)
        complain(f"{result.name}: this is a bug in archit_codegen (see the traceback above); please report it")
    elif result.outcome == "failed":
        complain(f"{result.name}: {result.text}")
    elif result.outcome == "refused":
        click.echo(result.diff, nl=False)
        complain(f"{result.name}: {result.text}")
        edited = [status for status in todo if status.name == result.name and status.has(Kind.EDITED)]
        ways = mends(spec, *edited) if edited else (command(spec, "generate", "--overwrite", result.name),)
        click.echo(f"archit: {result.name}: {'   or: '.join(ways)}", err=True)
    else:
        said = "" if result.outcome == "written" else " (its text is the same)"
        click.echo(f"{result.name}: {result.text} in {shown(result.package)}{said}")
    for note in result.notes:
        click.echo(f"{result.name}: note: {note}", err=True)


def _remove(extras: Sequence[Status], overwrite: bool) -> tuple[list[Path], bool]:
    """The packages that were removed, and whether one was not, because of edits."""
    removed, refused = [], False
    for status in extras:
        try:
            whole = late("disk.writer").remove_package(status.package, overwrite=overwrite)
        except WriteRefused as error:
            complain(str(error))
            refused = True
            continue
        removed.append(status.package)
        click.echo(f"{status.name}: removed{'' if whole else ' what archit wrote; files of yours stay'}")
    return removed, refused


def _unstaged(spec: Spec, names: Sequence[str], written: Sequence[Path]) -> int:
    """1 if something changed, or if a commit made now would lack a file; nothing is staged."""
    statuses = with_git(spec, judge(spec, names))
    lacking = [status for status in statuses if status.has(Kind.UNSTAGED)]
    for status in lacking:
        for problem in status.problems:
            if problem.kind is Kind.UNSTAGED:
                click.echo(f"{status.name}: {problem.text}")
    paths = sorted({*written, *(status.package for status in lacking)})
    if paths:
        click.echo(f"stage it with: {git_add(paths)}")
    return DIFFERENT if paths else DONE
