"""One cell of the matrix: build a model, modify it, compile it, judge what was emitted."""

from contextlib import nullcontext
from functools import cache

import torch
from transformers import PreTrainedModel

import archit_codegen as archit
from tests.families import FAMILIES
from tests.judge import judge
from tests.models import build, inputs_for
from tests.surgeries import MODIFICATIONS, UNCACHED, modify


def cells(*families: str) -> list[tuple[str, str, bool]]:
    """(family, modification, recorded). The tests are in three files, since xdist gives each file to one worker."""
    return [(family, name, how) for family in families for name in MODIFICATIONS for how in (True, False)]


def case_id(cell: tuple[str, str, bool]) -> str:
    family, name, recorded = cell
    return f"{family}-{name.replace(' ', '_')}-{'recorded' if recorded else 'unrecorded'}"


def modified(family: str, name: str, *, recorded: bool) -> PreTrainedModel:
    with archit.record() if recorded else nullcontext():
        model = build(family)
        modify(model, name, FAMILIES[family])
    assert isinstance(model, PreTrainedModel)
    return model


def run_cell(family: str, name: str, *, recorded: bool) -> None:
    """Raises an ArchitError if the compiler refuses, an AssertionError if the package is not the live model."""
    live = modified(family, name, recorded=recorded)
    inputs = inputs_for(live, cached=name not in UNCACHED)
    before = fingerprint(live)
    package_name = f"{family}_{name.replace(' ', '_').lower()}"
    package = archit.compile_model(live, name=package_name, suffix="WithX", inputs=inputs)
    assert fingerprint(live) == before, "compile_model changed the live model"
    # Saving and loading depends on the package, not on how the arguments were learnt: once is enough.
    judge(live, package, inputs, saved=recorded)


def fingerprint(model: PreTrainedModel) -> tuple[object, ...]:
    """What compiling must leave alone: slots, weights, mode, hooks, attention implementation, random state."""
    slots = [(path, id(module), module.training, hooks(module)) for path, module in model.named_modules()]
    weights = [(name, id(tensor), tensor.sum().item()) for name, tensor in model.state_dict(keep_vars=True).items()]
    return slots, weights, model.config._attn_implementation, bytes(torch.get_rng_state().tolist())


def hooks(module: torch.nn.Module) -> int:
    own = [hook for hook in module._forward_hooks.values() if "output_capturing" not in hook.__qualname__]
    return len(own) + len(module._forward_pre_hooks) + len(module._backward_hooks)


@cache
def verdict(family: str, name: str, recorded: bool) -> str:
    """`yes`, or why not: for the table."""
    try:
        run_cell(family, name, recorded=recorded)
    except archit.ArchitError as refusal:
        return f"refused: {refusal}"
    except AssertionError as difference:
        return f"WRONG: {difference}"
    except Exception as error:  # a crash of the compiler is a row of the table too
        return f"CRASH: {type(error).__name__}: {error}"
    return "yes"
