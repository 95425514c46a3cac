"""Processes that compile one model after the other, forked from one that has imported everything and run nothing of
the user's: the imports are paid once, and what was read of sources serves the next model.

A crash takes only one model. A process in which a surgery went wrong is not used again.
"""

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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


@dataclass(slots=True)
class Worker:
    """A forked process, our end of its pipe, and the model that it compiles; none while it waits."""

    process: BaseProcess
    pipe: Connection
    name: str = ""


def serve(parent: Connection, perform: Perform, spec: Spec) -> None:
    """In a process of its own: have a worker compile each name that the parent sends, and send back its result."""
    quiet()
    importlib.import_module(WARM).warm_up()
    workers: list[Worker] = []
    try:
        while True:
            busy = {worker.pipe: worker for worker in workers if worker.name}
            for ready in wait([parent, *busy]):
                if ready is parent:
                    name = parent.recv()
                    free = [worker for worker in workers if not worker.name]
                    workers += [] if free else [_forked(parent, perform, spec)]
                    _begin(free[0] if free else workers[-1], name)
                elif isinstance(ready, Connection):
                    worker = busy[ready]
                    result = _ended(worker, spec)
                    if result.bad:
                        workers.remove(worker)
                    parent.send(result)
    except (EOFError, OSError):  # the parent has all it wanted, or is gone
        for worker in workers:
            worker.process.terminate()


def _forked(parent: Connection, perform: Perform, spec: Spec) -> Worker:
    ours, theirs = Pipe()
    context: Any = multiprocessing.get_context(FORK)
    process = context.Process(target=_work, args=(parent, theirs, perform, spec))
    process.start()
    theirs.close()  # or its end would not be seen here
    return Worker(process, ours)


def _begin(worker: Worker, name: str) -> None:
    worker.name = name
    with contextlib.suppress(OSError):  # it has died: the end of its pipe tells
        worker.pipe.send(name)


def _work(parent: Connection, pipe: Connection, perform: Perform, spec: Spec) -> None:
    parent.close()
    quiet()
    with contextlib.suppress(EOFError, OSError):  # nobody wants more
        while True:
            result = perform(spec, pipe.recv())
            pipe.send(result)
            if result.bad:
                return


def _ended(worker: Worker, spec: Spec) -> Result:
    try:
        result: Result = worker.pipe.recv()
    except (EOFError, OSError):
        result = died(spec, worker.name)
    worker.name = ""
    if result.bad:
        worker.pipe.close()
        worker.process.join()
    return result


def died(spec: Spec, name: str) -> Result:
    """What is told of a model whose process ended without a result."""
    (model,) = spec.select([name])
    return Result(name, model.package, Outcome.FAILED, "its process died (killed, or out of memory)")


def quiet() -> None:
    """In a process of ours: an interrupt is for the parent to tell, and the threads of torch are shared out."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
