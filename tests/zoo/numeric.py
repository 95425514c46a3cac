"""One cell of the numeric zoo: a small model with real weights, modified, compiled, and judged by what it computes."""

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

import archit_codegen as archit
from tests.zoo import small
from tests.zoo.catalogue import modify
from tests.zoo.discovery import TooSlow, named, reason, time_limit
from tests.zoo.faithful import Expected, Judgement, NotSaved, native_failure
from tests.zoo.inputs import Inputs
from tests.zoo.outputs import Outputs, compare, run
from tests.zoo.places import NotApplicable
from tests.zoo.plan import rotation
from tests.zoo.run import CRASH, NOT_APPLICABLE, NOT_NATIVELY, REBUILT, REFUSED, WRONG, Row, digest, one_line, where
from tests.zoo.structure import Snapshot, fingerprint

NOT_SAVED = "not saved"
COMPARED = (REBUILT, NOT_NATIVELY)
TRIES = 16
CELL_SECONDS = 120


def judged(cls: type[PreTrainedModel], row: small.Small, wanted: int, first: int = 0) -> Iterator[Row]:
    """Modifications in the order of the class until so many were judged: after most of them no model computes."""
    done = 0
    for modification in rotation(cls)[first : first + max(TRIES, wanted)]:
        if done == wanted:
            return
        found = cell(cls, row, modification)
        done += found.outcome != NOT_APPLICABLE
        yield found


def cell(cls: type[PreTrainedModel], row: small.Small, modification: str) -> Row:
    """Never raises."""
    start = time.perf_counter()
    with ExitStack() as undo:
        try:
            with time_limit(CELL_SECONDS):
                outcome, text = built(cls, row, modification, undo)
        except TooSlow as error:
            outcome, text = CRASH, str(error)
    return Row(named(cls), modification, outcome, one_line(text), round(time.perf_counter() - start, 2))


def built(cls: type[PreTrainedModel], row: small.Small, modification: str, undo: ExitStack) -> tuple[str, str]:
    try:
        with ExitStack() as twin_undo:  # some models keep what they computed once: a twin computes
            twin, inputs = modified(cls, row, modification, twin_undo)
            expected = Expected.of(twin, inputs)
        model, _ = modified(cls, row, modification, undo)
    except TooSlow:
        raise
    except NotApplicable as error:
        return NOT_APPLICABLE, str(error)
    except Exception as error:  # the model does not survive it: there are no outputs to compare
        return NOT_APPLICABLE, f"the modified model fails: {reason(error)}"
    outcome, text = compiled(model, expected, undo)
    return told_apart(cls, row, text) if outcome == NOT_SAVED else (outcome, text)


def modified(
    cls: type[PreTrainedModel], row: small.Small, modification: str, undo: ExitStack
) -> tuple[PreTrainedModel, Inputs]:
    """The small model of a class with its modification, the same each time, and its inputs."""
    model, inputs = small.build(cls, row)
    known = list(model.parameters())
    torch.manual_seed(small.SEED)  # new modules draw their weights
    modify(model, named(cls), modification, undo)
    liven_new(model, known)
    return model, inputs


def told_apart(cls: type[PreTrainedModel], row: small.Small, text: str) -> tuple[str, str]:
    """Saving and loading is the package's fault only where the unmodified native class survives it."""
    native = native_failure(*small.build(cls, row))
    return (WRONG, text) if native is None else (NOT_NATIVELY, f"the native class fails too: {native}")


def liven_new(model: nn.Module, known: Sequence[nn.Parameter]) -> None:
    """New parameters get values of their own; those of the model have theirs."""
    generator, old = torch.Generator().manual_seed(5), set(map(id, known))
    with torch.no_grad():
        for parameter in model.parameters():
            if id(parameter) not in old:
                parameter[parameter.isnan()] = 0.0
                parameter.add_(torch.randn(parameter.shape, generator=generator).to(parameter.dtype) * 0.1)


def compiled(
    model: nn.Module,
    expected: Expected | None,
    undo: ExitStack,
    judgement: Callable[..., Judgement] = Judgement,
    **options: Any,
) -> tuple[str, str]:
    """Compile and judge; `options` are those of `compile_model`. Without expected outputs the structure is judged."""
    try:
        before, outputs = fingerprint(model), outputs_of_copy(model, expected)
        package = archit.compile_model(model, name="zoo_model", suffix="WithZoo", **options)
        if fingerprint(model) != before:
            return WRONG, "compile_model changed the live model"
    except archit.InvalidDeclaration as error:
        if "nothing to compile" in str(error):
            return NOT_APPLICABLE, "the class declares the same"
        return REFUSED, f"{type(error).__name__}: {error}"
    except archit.ArchitError as error:
        return REFUSED, f"{type(error).__name__}: {error}"
    except TooSlow:
        raise
    except Exception as error:
        return CRASH, f"{reason(error)} at {where(error)}"
    return verdict(model, package, expected, outputs, undo, judgement)


def outputs_of_copy(model: nn.Module, expected: Expected | None) -> Outputs:
    """What the live model computes, or nothing where it does not. Asked of a copy, since a run may leave something
    behind; and compared with what a copy gave, since methods on objects still are those of the original in it."""
    return {} if expected is None else run(copy.deepcopy(model), expected.inputs)


def verdict(
    model: nn.Module,
    package: Any,
    expected: Expected | None,
    outputs: Outputs,
    undo: ExitStack,
    judgement: Callable[..., Judgement],
) -> tuple[str, str]:
    try:
        compare(outputs, outputs_of_copy(model, expected), "the live model after it was compiled")
        snapshot = Snapshot(model)
        undo.close()
        judge = judgement(model, package, snapshot, expected)
        judge.judge()
    except TooSlow:
        raise
    except NotSaved as error:
        return NOT_SAVED, str(error)
    except AssertionError as error:
        return WRONG, str(error)
    except Exception as error:
        return WRONG, f"{reason(error)} at {where(error)}"
    return (NOT_NATIVELY, judge.drift) if judge.drift else (REBUILT, digest(package.files))


def tally(rows: Mapping[tuple[str, str], Row]) -> list[str]:
    """The totals at the head of the ledger."""
    count = {outcome: sum(row.outcome == outcome for row in rows.values()) for outcome in (*COMPARED, REFUSED)}
    bad = {outcome: sum(row.outcome == outcome for row in rows.values()) for outcome in (CRASH, WRONG)}
    classes = {row.cls for row in rows.values()}
    compared = {row.cls for row in rows.values() if row.outcome in COMPARED}
    applied = sum(count.values()) + sum(bad.values())
    return [
        f"{len(classes)} classes with a small config that runs, {len(compared)} with outputs compared",
        f"{applied} modifications applied whose model still computes",
        f"{count[REBUILT]} rebuilt with equal outputs, also after save and load; {count[NOT_NATIVELY]} rebuilt where "
        f"the native class itself does not survive its save and load; {count[REFUSED]} refused, {bad[CRASH]} crashes, "
        f"{bad[WRONG]} silently wrong",
    ]
