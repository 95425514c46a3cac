"""What is being done comes and goes on a terminal; results go to standard output, wherever that leads."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SHOWN = """
import click
from archit_codegen.cli.progress import progress

with progress(2) as shows:
    shows.started("first")
    shows.started("second")
    shows.finished("first")
    with shows.aside():
        click.echo("result")
"""


def test_lines_where_nobody_watches() -> None:
    done = subprocess.run([sys.executable, "-c", SHOWN], capture_output=True, text=True, env=environment())
    assert done.stderr == "[1/2] first: compiling\n[2/2] second: compiling\n" and done.stdout == "result\n"


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
def test_a_status_on_a_terminal() -> None:
    ours, theirs = os.openpty()
    done = subprocess.run(
        [sys.executable, "-c", SHOWN], stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment()
    )
    os.close(theirs)
    drawn = b"".join(pieces(ours)).decode()
    os.close(ours)
    assert done.stdout == "result\n" and "result" not in drawn and "1 of 2 done; compiling second" in drawn


def pieces(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            yield os.read(terminal, 10_000)
        except OSError:  # the other side is closed, and all is read
            return


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "TERM": "xterm"}
