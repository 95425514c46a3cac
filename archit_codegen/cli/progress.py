"""What is being done: it comes and goes on a terminal, and is lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click


class Progress:
    """Counts models; `started` may be called from several threads."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.begun: list[str] = []
        self.done = 0
        self.status: object | None = None

    def started(self, name: str) -> None:
        """A model is being compiled from now on."""
        self.begun.append(name)
        if self.status is None:
            click.echo(f"[{len(self.begun)}/{self.total}] {name}: compiling", err=True)
        else:
            self._update()

    def finished(self, name: str) -> None:
        """A model is done, well or not."""
        self.done += 1
        self.begun.remove(name)
        self.begun.insert(0, name)
        if self.status is not None:
            self._update()

    def _update(self) -> None:
        running = ", ".join(self.begun[self.done :])
        self.status.update(f"{self.done} of {self.total} done; compiling {running}")  # type: ignore[union-attr]


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
