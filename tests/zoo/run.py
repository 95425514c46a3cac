"""One cell of the zoo: build, modify, compile, judge."""

import hashlib
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass

from transformers import PreTrainedModel

import archit_codegen as archit
from tests.zoo.catalogue import modify
from tests.zoo.discovery import NotBuilt, TooSlow, build, named, reason, time_limit
from tests.zoo.places import NotApplicable
from tests.zoo.structure import MetaJudgement, Snapshot, fingerprint

CELL_SECONDS = 300
REBUILT, REFUSED, NOT_APPLICABLE, NOT_BUILT, WRONG, CRASH = "rebuilt", "refused", "n/a", "not-built", "WRONG", "CRASH"


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one class and one modification; `text` is the hash of the emitted files, or the reason."""

    cls: str
    modification: str
    outcome: str
    text: str
    seconds: float = 0.0


def run(cls: type[PreTrainedModel], modification: str) -> Row:
    """Never raises, but for an interrupt by the user."""
    start = time.perf_counter()
    with ExitStack() as undo:
        outcome, text = judged(cls, modification, undo)
    return Row(named(cls), modification, outcome, one_line(text), round(time.perf_counter() - start, 2))


def judged(cls: type[PreTrainedModel], modification: str, undo: ExitStack) -> tuple[str, str]:
    try:
        model = build(cls)
    except NotBuilt as error:
        return NOT_BUILT, str(error)
    try:
        modify(model, named(cls), modification, undo)
    except NotApplicable as error:
        return NOT_APPLICABLE, str(error)
    except Exception as error:  # a modification that the model itself does not survive
        return NOT_APPLICABLE, f"the modification fails: {reason(error)}"
    try:
        with time_limit(CELL_SECONDS):
            return compiled(model, undo)
    except TooSlow as error:
        return CRASH, str(error)


def compiled(model: PreTrainedModel, undo: ExitStack) -> tuple[str, str]:
    try:
        before = fingerprint(model)
        package = archit.compile_model(model, name="zoo_model", suffix="WithZoo")
        if fingerprint(model) != before:
            return WRONG, "compile_model changed the live model"
        snapshot = Snapshot(model)
        undo.close()
        MetaJudgement(model, package, snapshot).judge()
    except archit.ArchitError as error:
        return REFUSED, f"{type(error).__name__}: {error}"
    except TooSlow:
        raise
    except AssertionError as error:
        where = traceback.extract_tb(error.__traceback__)[-1].filename
        return (WRONG if "tests" in where else CRASH), f"{error}"
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        return CRASH, f"{reason(error)} at {at.filename.rsplit('site-packages/', 1)[-1]}:{at.name}"
    return REBUILT, digest(package.files)


def digest(files: dict[str, str]) -> str:
    return hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:12]


def one_line(text: str) -> str:
    return " ".join(text.split())[:400]
