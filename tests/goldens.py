"""The golden cases: what stands in `golden/<case>/`, and what the compiler makes of it now."""

import difflib
import importlib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from transformers import PreTrainedModel

import archit_codegen as archit
from tests.models import inputs_for

GOLDEN = Path(__file__).parent.parent / "golden"
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/case.py"))


def case_module(case: str) -> ModuleType:
    return importlib.import_module(f"golden.{case}.case")


def live_model(case: str) -> PreTrainedModel:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with archit.record():
        model = case_module(case).build()
    assert isinstance(model, PreTrainedModel)
    return model.eval()


@cache
def compiled(case: str) -> tuple[PreTrainedModel, Any]:
    """The live model and its package: compiled once, looked at by several tests."""
    module, live = case_module(case), live_model(case)
    heads = getattr(module, "HEADS", ())
    package = archit.compile_model(live, name=module.NAME, suffix=module.SUFFIX, inputs=inputs_for(live), heads=heads)
    return live, package


def expected(case: str) -> dict[str, str]:
    """The golden tree, byte for byte: newlines are not translated."""
    root = GOLDEN / case / "expected"
    files = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes().decode() for path in sorted(files)}


def update(case: str) -> list[str]:
    """Write what the compiler emits now; the names of the files that changed, came or went."""
    old, new = expected(case), dict(compiled(case)[1].files)
    root = GOLDEN / case / "expected"
    for name in old.keys() - new.keys():
        (root / name).unlink()
    for name, text in new.items():
        if old.get(name) != text:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(text.encode())
    return sorted(name for name in old | new if old.get(name) != new.get(name))


def report(case: str, old: dict[str, str], new: dict[str, str]) -> str:
    """Empty, or what differs: missing and extra files by name, the others as unified diffs."""
    lines = [f"missing: {name}" for name in sorted(old.keys() - new.keys())]
    lines += [f"extra: {name}" for name in sorted(new.keys() - old.keys())]
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            before, after = old[name].splitlines(), new[name].splitlines()
            where = f"golden/{case}/expected/{name}"
            difference = list(difflib.unified_diff(before, after, where, "emitted now", lineterm=""))
            lines += difference or [f"{where}: only line ends differ"]
    return "\n".join([*lines, "", "If this is meant: make golden"]) if lines else ""
