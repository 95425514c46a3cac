"""Peak memory of a compile, in a process of its own for each model, and the time of the first compile there."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from archit_codegen import compile_model
from benchmarks import results
from benchmarks.clock import seconds
from benchmarks.floor import floor_of
from benchmarks.models import CASES, NAME, SUFFIX, Case, case

SECTION = "memory"
MIB = 1024


class Gauge:
    """Memory of this process, in KiB, above what it had when the gauge was made."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the peak until now is forgotten (Linux)
        self.start = status("VmRSS")

    @property
    def peak(self) -> int:
        return status("VmHWM") - self.start


def status(name: str) -> int:
    """A line of /proc/self/status, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def memory(measured: Case) -> dict[str, Any]:
    """Peak of this process in MiB, its growth beyond the imports as a multiple of that of building the model once on
    `meta`, and the time of the first compile as a multiple of the floor. To be asked once in a process."""
    _ = measured.declared
    gauge = Gauge()
    model = measured.built()
    built = gauge.peak
    del model
    live = measured.live()
    start = time.process_time()
    compile_model(live, name=NAME, suffix=SUFFIX, validation=False)
    first = time.process_time() - start  # with the collector of garbage at work, or there would be more of it
    plain = gauge.peak
    compile_model(live, name=NAME, suffix=SUFFIX)
    peak, growth = status("VmHWM") / MIB, gauge.peak
    floor = floor_of(live)
    return {
        "peak": peak,
        "built": built / MIB,
        "plain": plain / built,
        "proved": growth / built,
        "first": first / min(seconds(floor.run) for _ in range(3)),
    }


def measure(cases: tuple[Case, ...] = CASES) -> None:
    found = results.read().get(SECTION, {})
    for each in cases:
        found[each.title] = in_a_process(each.title)
        results.keep(SECTION, found)
        print(f"{each.title:16} {found[each.title]}", flush=True)


def in_a_process(title: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", title], stdout=subprocess.PIPE, check=True, env=dict(os.environ)
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    print(json.dumps(memory(case(sys.argv[1]))))
