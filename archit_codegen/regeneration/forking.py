"""A process for each model, forked from one that has imported everything and run nothing of the user's.

What one surgery leaves behind never reaches the next, a crash takes only one model, and the imports are paid once.
"""

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.process import BaseProcess
from typing import Any

from .results import Outcome, Result
from .spec import Spec

WARM = "archit_codegen.regeneration.warm"
"""Whoever imports it imports torch, so it is named here and imported where it is run."""
FORK = "fork" if sys.platform == "linux" else "spawn"  # elsewhere, libraries that torch uses do not bear to be forked

Perform = Callable[..., Result]


def over_processes(
    perform: Perform, spec: Spec, names: Sequence[str], jobs: int, started: Callable[[str], None]
) -> Iterator[Result]:
    """What ``perform(spec, name)`` gives for each name, as it comes; ``jobs`` run at once."""
    connection, theirs = Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, perform, spec))
    server.start()
    theirs.close()
    waiting, running = list(names), set[str]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name = waiting.pop(0)
                started(name)
                running.add(name)
                with contextlib.suppress(OSError):  # the server has died: the next line tells
                    connection.send(name)
            try:
                result: Result = connection.recv()
            except (EOFError, OSError):
                yield from (died(spec, name) for name in [*running, *waiting])
                return
            running.remove(result.name)
            yield result
    finally:
        connection.close()  # the server ends, and what still runs with it
        server.join()


def serve(parent: Connection, perform: Perform, spec: Spec) -> None:
    """In a process of its own: start another one for each name that the parent sends, and send back its result."""
    quiet()
    importlib.import_module(WARM).warm_up()
    running: dict[Connection, tuple[str, BaseProcess]] = {}
    try:
        while True:
            for ready in wait([parent, *running]):
                if ready is parent:
                    running |= _begun(parent, perform, spec, parent.recv())
                elif isinstance(ready, Connection):
                    parent.send(_ended(ready, spec, *running.pop(ready)))
    except (EOFError, OSError):  # the parent has all it wanted, or is gone
        for _, process in running.values():
            process.terminate()


def _begun(parent: Connection, perform: Perform, spec: Spec, name: str) -> dict[Connection, tuple[str, BaseProcess]]:
    ours, theirs = Pipe(duplex=False)
    context: Any = multiprocessing.get_context(FORK)
    process = context.Process(target=_work, args=(parent, theirs, perform, spec, name))
    process.start()
    theirs.close()  # or its end would not be seen here
    return {ours: (name, process)}


def _work(parent: Connection, answer: Connection, perform: Perform, spec: Spec, name: str) -> None:
    parent.close()
    quiet()
    answer.send(perform(spec, name))


def _ended(answer: Connection, spec: Spec, name: str, process: BaseProcess) -> Result:
    try:
        result: Result = answer.recv()
    except EOFError:
        result = died(spec, name)
    answer.close()
    process.join()
    return result


def died(spec: Spec, name: str) -> Result:
    """What is told of a model whose process ended without a result."""
    (model,) = spec.select([name])
    return Result(name, model.package, Outcome.FAILED, "its process died (killed, or out of memory)")


def quiet() -> None:
    """In a process of ours: an interrupt is for the parent to tell, and the threads of torch are shared out."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
