"""What is being done: it comes and goes on a terminal, and is lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click


class Progress:
    """Counts models; `started` may be called from several threads."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.begun = self.done = 0
        self.running: list[str] = []
        self.status: Any = None

    def started(self, name: str) -> None:
        """A model is being compiled from now on."""
        self.begun += 1
        self.running.append(name)
        if self.status is None:
            click.echo(f"[{self.begun}/{self.total}] {name}: compiling", err=True)
        else:
            self._update()

    def finished(self, name: str) -> None:
        """A model is done, well or not."""
        self.done += 1
        self.running.remove(name)
        if self.status is not None:
            self._update()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """For printing: the status would be drawn in the middle of it."""
        if self.status is not None:
            self.status.stop()
        yield
        if self.status is not None:
            self.status.start()

    def _update(self) -> None:
        self.status.update(f"{self.done} of {self.total} done; compiling {', '.join(self.running)}")


@contextmanager
def progress(total: int) -> Iterator[Progress]:
    """Shows how far a run over ``total`` models is."""
    shown = Progress(total)
    if not sys.stderr.isatty():
        yield shown
        return
    from rich.console import Console

    with Console(stderr=True).status("importing torch and transformers") as shown.status:
        yield shown
