"""`python -m benchmarks [PART ...]`: measures, and writes docs/speed.md anew; without a part, everything.

`report` measures nothing: it writes docs/speed.md from docs/speed.json.
"""

import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

import torch
import transformers

from benchmarks import growth, many, memory, others, ratios, report, results, sample, startup

PARTS: dict[str, Callable[[], None]] = {
    "ratios": ratios.measure,
    "sample": sample.measure,
    "others": others.measure,
    "memory": memory.measure,
    "startup": startup.measure,
    "growth": growth.measure,
    "many": many.measure,
    "report": lambda: None,
}
LIBRARIES = ("torch", "transformers", "libcst", "black")


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    for name in names or PARTS:
        PARTS[name]()
        if name != "report":
            results.keep("versions", versions())
        report.write()


def versions() -> str:
    libraries = (f"{name} {version(name).partition('+')[0]}" for name in LIBRARIES)
    return ", ".join([f"Python {platform.python_version()}", *libraries])


if __name__ == "__main__":
    main(sys.argv[1:])
