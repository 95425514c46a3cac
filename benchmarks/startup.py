"""What the commands cost as processes: with nothing to do, with one model, and with fifty over two processes."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import results
from benchmarks.specs import write_spec
from tests.prepared import project

SECTION = "startup"
MODELS = 50
ROUNDS = 15
ENTRY = "import sys; from archit_codegen.cli import main; main(sys.argv[1:])"
NOTHING = ["-c", "pass"]
COMMANDS = {name: ["-c", ENTRY, name] for name in ("check", "generate", "--help")}
IMPORTS = ["-c", "import torch, transformers.models.llama.modeling_llama"]
COMPILER = ["-c", "import archit_codegen.regeneration.generate"]


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds of one process and of those that it started."""

    processor: float
    elapsed: float


def startup(models: int = MODELS, rounds: int = ROUNDS) -> dict[str, float]:
    """Processor time with nothing to do, as multiples of `python -c pass`: the best of several runs in turns."""
    with folder() as root:
        project(root, models, more='required-version = ">=0.1,<0.2"')
        works = {"": NOTHING, **COMMANDS}
        times: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(rounds):
            for name, arguments in works.items():
                times[name].append(measured(arguments, root).processor)
    base = min(times.pop(""))
    return {name: min(found) / base for name, found in times.items()}


def one_model(rounds: int = 3) -> float:
    """Processor time of generating one model as a multiple of importing torch and the model's module."""
    with folder() as root:
        write_spec(root, 1)
        times = [
            (measured(["-c", ENTRY, "generate", "--force"], root).processor, measured(IMPORTS, root).processor)
            for _ in range(rounds)
        ]
    return min(mine for mine, _ in times) / min(imports for _, imports in times)


def jobs(models: int = MODELS) -> dict[str, float]:
    """How many times shorter models take with `--jobs 2`, beyond one import of what the compiler needs.

    Elapsed time, which says something on two idle cores only; beside it processor time, which always does: it is near
    1 where nothing is done twice.
    """
    with folder() as root:
        write_spec(root, models)
        imports = measured(COMPILER, root)
        one, two = (measured(["-c", ENTRY, "generate", "--force", "--jobs", count], root) for count in "12")
    return {
        "models": models,
        "elapsed": (one.elapsed - imports.elapsed) / (two.elapsed - imports.elapsed),
        "processor": (one.processor - imports.processor) / (two.processor - imports.processor),
    }


def measured(arguments: list[str], root: Path) -> Taken:
    """Run Python with these arguments in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return Taken(usage.ru_utime + usage.ru_stime, time.perf_counter() - start)


@contextmanager
def folder() -> Iterator[Path]:
    """For a project, which is gone afterwards."""
    with tempfile.TemporaryDirectory() as parent:
        yield Path(parent).resolve() / "project"


def measure() -> None:
    found = {"commands": startup(), "one": one_model(), "jobs": jobs()}
    results.keep(SECTION, found)
    print(found, flush=True)
