"""`archit check`: is every package what its inputs make, and does git know it?"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..regeneration.freshness import Examiner, Kind, Problem, Status
from ..regeneration.spec import Spec
from .app import DIFFERENT, DONE, ERROR, complain, late
from .common import command, git_add, read, shown
from .progress import progress


def check(names: Sequence[str], spec_file: Path | None, with_diff: bool, form: str, tracked: bool, jobs: int) -> int:
    """`archit check`."""
    spec = read(spec_file)
    statuses = judge(spec, names)
    diffs, failed = _compiled(spec, statuses, jobs) if with_diff else ({}, [])
    statuses = [_with_difference(status, diffs) for status in statuses]
    if tracked:
        statuses = with_git(spec, statuses)
    if form == "text":
        _print(spec, statuses, diffs)
    else:
        reports = late("regeneration.reports")
        found = [reports.Finding(status, diffs.get(status.name, ""), mends(spec, status)) for status in statuses]
        click.echo(reports.FORMATS[form](found))
    for result in failed:
        complain(f"{result.name}: {result.text}")
    return ERROR if failed else DONE if all(status.fresh for status in statuses) else DIFFERENT


def judge(spec: Spec, names: Sequence[str]) -> list[Status]:
    """The packages' states. What is not fresh is looked at again while nobody writes: it may have been seen in the
    middle of an exchange. What is fresh needs no lock: each of its files had the hash that one lock names."""
    statuses = list(Examiner(spec).models(tuple(names)))
    if all(status.fresh for status in statuses):
        return statuses
    with ExitStack() as alone:
        for output in sorted({status.package.parent for status in statuses if not status.fresh}):
            if output.is_dir():
                alone.enter_context(late("disk.tree").locked(output))
        return list(Examiner(spec).models(tuple(names)))


def with_git(spec: Spec, statuses: Sequence[Status]) -> list[Status]:
    """The states, and what a commit made now would lack."""
    sources = {spec.file, *(spec.root / path for status in statuses for path in status.sources)}
    found = late("regeneration.tracked").unstaged([status.package for status in statuses], sources)
    judged = [
        replace(status, problems=(*status.problems, *_unstaged(found.pop(status.package, ())))) for status in statuses
    ]
    return [*judged, *(Status(shown(path), path, _unstaged(texts)) for path, texts in found.items())]


def _unstaged(texts: Sequence[str]) -> tuple[Problem, ...]:
    return tuple(Problem(Kind.UNSTAGED, text) for text in texts)


def mends(spec: Spec, status: Status) -> tuple[str, ...]:
    """The commands that mend it, one of which is enough."""
    edited = [problem.path for problem in status.problems if problem.kind is Kind.EDITED]
    if status.has(Kind.UNREADABLE):
        return (command(spec, "generate", "--overwrite", status.name),)
    if edited:
        adopt = command(spec, "adopt", status.name, *edited)
        return (command(spec, "generate", "--overwrite", status.name), adopt)
    if status.has(Kind.EXTRA):
        return (command(spec, "generate"),)
    if status.has(Kind.STALE, Kind.MISSING):
        return (command(spec, "generate", status.name),)
    if status.has(Kind.DIFFERENT):
        return (command(spec, "generate", "--force", status.name),)
    return (git_add([status.package]),) if status.has(Kind.UNSTAGED) else ()


def _compiled(spec: Spec, statuses: Sequence[Status], jobs: int) -> tuple[dict[str, str], list[Any]]:
    """The differences of what is not fresh or not verified; and the models that could not be compiled."""
    names = [s.name for s in statuses if (not s.fresh or s.unverified) and not s.has(Kind.EXTRA)]
    diffs, failed = {}, []
    with progress(len(names)) as shows:
        for result in late("regeneration.jobs").run("preview", spec, names, jobs, shows.started):
            shows.finished(result.name)
            diffs[result.name] = result.diff
            failed += [result] if result.bad else []
    return diffs, failed


def _with_difference(status: Status, diffs: dict[str, str]) -> Status:
    """An unverified package whose text comes out otherwise now is not fresh."""
    if status.fresh and diffs.get(status.name):
        text = f"generating it with {', '.join(status.unverified)} gives another text"
        return replace(status, problems=(Problem(Kind.DIFFERENT, text),))
    return status


def _print(spec: Spec, statuses: Sequence[Status], diffs: dict[str, str]) -> None:
    for status in statuses:
        for problem in status.problems:
            click.echo(f"{status.name}: {problem.kind}: {problem.text}")
        print_unverified(spec, status)
    for text in diffs.values():
        click.echo(text, nl=False)
    broken = [status for status in statuses if not status.fresh]
    if not broken:
        click.echo(f"{_counted(len(statuses))} fresh")
    for status in broken:
        click.echo(f"mend {status.name} with: {'   or: '.join(mends(spec, status))}")


def print_unverified(spec: Spec, status: Status) -> None:
    """A note, for a package that is fresh but was made with other versions."""
    if status.unverified and status.fresh:
        look = command(spec, "check", "--diff", status.name)
        click.echo(
            f"{status.name}: note: unverified on {', '.join(status.unverified)}; compare with: {look}", err=True
        )


def _counted(number: int) -> str:
    return "1 package is" if number == 1 else f"all {number} packages are"
