"""How long archit takes to see that there is nothing to do: `python -m benchmarks.freshness [MODELS]`.

Prints, for a repository of 50 models, the time of each command as a multiple of `python -c pass`: the best of several
runs each, alternating, so that whatever else the machine does falls on all of them. Processor time (of the process
and of the system for it) is what to look at on a machine that does other things; elapsed time stands beside it.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.prepared import project

ROUNDS = 15
ENTRY = "import sys; from archit_codegen.cli import main; main(sys.argv[1:])"
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "archit check": ["-c", ENTRY, "check"],
    "archit generate": ["-c", ENTRY, "generate"],
    "archit --help": ["-c", ENTRY, "--help"],
}
LIMITS = {"archit check": 10, "archit generate": 10, "archit --help": 6}


def main(models: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "project"
        project(root, models, more='required-version = ">=0.1,<0.2"')
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
        for _ in range(ROUNDS):
            for name, arguments in COMMANDS.items():
                times[name].append(measured(arguments, root))
    print(f"{models} models, best of {ROUNDS}; processor time, elapsed time")
    bases = best(times["python -c pass"])
    for name, found in times.items():
        limit = f"  (aim: at most {LIMITS[name]} x)" if name in LIMITS else ""
        told = (
            f"{1000 * value:6.1f} ms {value / base:5.1f} x" for value, base in zip(best(found), bases, strict=True)
        )
        print(f"{name:16} {'   '.join(told)}{limit}")


def best(found: list[tuple[float, float]]) -> tuple[float, float]:
    return min(processor for processor, _ in found), min(elapsed for _, elapsed in found)


def measured(arguments: list[str], folder: Path) -> tuple[float, float]:
    """Processor and elapsed seconds of one process."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - start


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
