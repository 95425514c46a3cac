"""Killed at any instant or at any writing call, on a full disk or a read-only one, and with many at work at once: the
old or the new package is there, complete with its lock, and nothing that the user saved is lost."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from archit_codegen.regeneration.freshness import Examiner
from tests.contention import CASES
from tests.faults.cases import contents
from tests.prepared import emitted, project

MEMORY = Path("/dev/shm")
ROOT = Path(__file__).parent.parent


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory, where there is such a file system: a round then takes a few milliseconds. `make scenarios` does the
    same on the disk."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path / "fire"
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as place:
        yield Path(place) / "fire"


def under_fire(folder: Path, *arguments: str) -> int:
    """The number of rounds; none of them may have gone wrong."""
    command = [sys.executable, "-m", "tests.faults", arguments[0], str(folder), *arguments[1:]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["wrong"] == []
    return int(told["rounds"])


def test_killed_at_random_instants(folder: Path) -> None:
    assert under_fire(folder, "instants", "500", "7") == 500


@pytest.mark.parametrize(("command", "rounds"), [("calls", 400), ("saves", 150), ("full", 100), ("read-only", 100)])
def test_at_every_writing_call(folder: Path, command: str, rounds: int) -> None:
    assert under_fire(folder, command) >= rounds


@pytest.mark.slow
@pytest.mark.parametrize("command", ["instants", "calls", "saves", "full", "read-only"])
def test_on_the_disk(tmp_path: Path, command: str) -> None:
    assert under_fire(tmp_path / "fire", command, "500", "8") > 0


def test_eight_processes_write_and_check(tmp_path: Path) -> None:
    spec = project(tmp_path / "project", 1)
    command = [sys.executable, "-m", "tests.contention", str(spec.file)]
    started = [
        subprocess.Popen([*command, str(seed), "50"], cwd=ROOT, stderr=subprocess.PIPE, text=True) for seed in range(8)
    ]
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0] * 8, "\n".join(said)
    (status,) = Examiner(spec).models()
    assert status.fresh
    assert [path.name for path in status.package.parent.iterdir()] == ["m0"]
    found = {path.partition("/")[2]: text for path, text in contents(status.package.parent, "m0").items()}
    assert found in [{path.partition("/")[2]: text for path, text in emitted("m0", case).items()} for case in CASES]
