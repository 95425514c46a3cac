"""Compiles several models, here or over processes; one that fails, or whose process dies, does not stop the others."""

import importlib
import importlib.util
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from ..errors import NotInstalled
from .forking import over_processes, quiet
from .results import Result
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
    yield from over_processes(partial(perform, action, **options), spec, names, jobs, started)


def pool() -> ProcessPoolExecutor:
    """One process, made afresh, to `perform` in."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=quiet)


def perform(action: str, spec: Spec, name: str, **options: Any) -> Result:
    """What `run` does with each model, in a process of its own or of `pool`."""
    result: Result = getattr(work(), action)(spec, name, **options)
    return result
