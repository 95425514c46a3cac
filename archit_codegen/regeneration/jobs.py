"""Compiles several models, here or over processes; one that fails, or whose process dies, does not stop the others."""

import importlib
import importlib.util
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from ..errors import NotInstalled
from .results import Outcome, Result
from .spec import Spec

WORK = "archit_codegen.regeneration.generate"
"""Where the work is done. Whoever imports it imports torch, so it is named here and imported where it is run."""
NEEDED = ("black", "jinja2", "libcst", "torch", "transformers")


def work() -> Any:
    """The module that compiles.

    Raises:
        NotInstalled: a library that compiling needs is missing.
    """
    _check_installed()
    return importlib.import_module(WORK)


def _check_installed() -> None:
    for library in NEEDED:
        if importlib.util.find_spec(library) is None:
            raise NotInstalled(library)


def run(
    action: str, spec: Spec, names: Sequence[str], jobs: int, started: Callable[[str], None], **options: Any
) -> Iterator[Result]:
    """The results of `regenerate` or `preview` (``action``) for these models, as they come."""
    if not names:
        return
    if jobs == 1 or len(names) == 1:
        for name in names:
            started(name)
            yield getattr(work(), action)(spec, name, **options)
        return
    _check_installed()
    with ThreadPoolExecutor(min(jobs, len(names))) as threads:
        tasks = {threads.submit(_in_process, started, action, spec, name, options): name for name in names}
        try:
            yield from (task.result() for task in as_completed(tasks))
        except BaseException:
            _give_up(tasks)
            raise


def _give_up(tasks: dict[Future[Result], str]) -> None:
    for task in tasks:
        task.cancel()
    for process in multiprocessing.active_children():
        process.terminate()


def _in_process(started: Callable[[str], None], action: str, spec: Spec, name: str, options: dict[str, Any]) -> Result:
    """A process for each model: what one surgery leaves behind never reaches the next, and a crash takes only one."""
    started(name)
    with pool() as process:
        try:
            return process.submit(perform, action, spec, name, **options).result()
        except BrokenProcessPool:
            (model,) = spec.select([name])
            return Result(name, model.package, Outcome.FAILED, "its process died (killed, or out of memory)")


def pool() -> ProcessPoolExecutor:
    """One process, made afresh, to `perform` in."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_quiet)


def _quiet() -> None:
    """In a process of ours: an interrupt is for the parent to tell, and the threads of torch are shared out."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def perform(action: str, spec: Spec, name: str, **options: Any) -> Result:
    """What `run` does with each model, in a process of `pool`."""
    result: Result = getattr(work(), action)(spec, name, **options)
    return result
