"""The golden cases: the models of `golden/archit.toml`, and what the compiler makes of them now."""

import importlib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from transformers import PreTrainedModel

import archit_codegen as archit
from archit_codegen.regeneration.golden import expected as files_in
from archit_codegen.regeneration.spec import read_spec
from tests.models import inputs_for

GOLDEN = Path(__file__).parent.parent / "golden"
MODELS = {model.surgery.partition("/")[0]: model for model in read_spec(GOLDEN / "archit.toml").models}
CASES = sorted(MODELS)


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
    live, model = live_model(case), MODELS[case]
    options = {"name": model.name, "suffix": model.suffix, "heads": model.heads}
    return live, archit.compile_model(live, inputs=inputs_for(live), **options)


def expected(case: str) -> dict[str, str]:
    """The golden tree."""
    return files_in(MODELS[case].output)
