"""How the time of a compile is shared out among its stages."""

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from archit_codegen.declaration import assembly, compiler, emission, workbench
from archit_codegen.declaration.resolve import Bindings
from archit_codegen.declaration.tree import Reader
from archit_codegen.declaration.uses import UsedNames

Stages = Mapping[str, tuple[tuple[Any, str], ...]]
STAGES: Stages = {
    "build": ((workbench.Workbench, "_build_reference"),),
    "read": ((Reader, "read"), (workbench, "check_values")),
    "diff": ((compiler, "diff_trees"),),
    "plan": ((emission, "make_plan"),),
    "rewrite": ((emission, "rewrite_class"),),
    "names": ((Bindings, "bind"), (UsedNames, "__init__")),
    "render": ((assembly, "render"),),
    "format": ((assembly, "format_text"),),
    "validate": ((compiler, "check_files"), (compiler, "rebuilt")),
}
"""The functions of each stage, where they are called. What none of them takes is "other"."""
BUILD = {"build": STAGES["build"]}


class Stopwatch:
    """Processor seconds of each stage; while one calls into another, the other's clock runs alone."""

    def __init__(self, stages: Stages) -> None:
        self.taken = dict.fromkeys((*stages, "other"), 0.0)
        self._inner = ["other"]
        self._since = time.process_time()

    def enter(self, stage: str) -> None:
        self._tick()
        self._inner.append(stage)

    def leave(self) -> None:
        self._tick()
        self._inner.pop()

    def _tick(self) -> None:
        now = time.process_time()
        self.taken[self._inner[-1]] += now - self._since
        self._since = now


def stage_seconds(work: Callable[[], object], stages: Stages = STAGES) -> dict[str, float]:
    """Processor seconds of each stage in one run of ``work``."""
    with ExitStack() as stack:
        watch = Stopwatch(stages)
        for stage, functions in stages.items():
            for owner, name in functions:
                stack.enter_context(_watched(watch, stage, owner, name))
        watch.enter("other")
        work()
        watch.leave()
    return watch.taken


@contextmanager
def _watched(watch: Stopwatch, stage: str, owner: Any, name: str) -> Iterator[None]:
    function = getattr(owner, name)

    @functools.wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        watch.enter(stage)
        try:
            return function(*args, **kwargs)
        finally:
            watch.leave()

    with mock.patch.object(owner, name, timed):
        yield
