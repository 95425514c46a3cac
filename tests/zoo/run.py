"""One cell of the zoo: build, modify, compile, judge."""

import hashlib
import re
import sys
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass
from types import SimpleNamespace

from transformers import PreTrainedModel

import archit_codegen as archit
from tests.zoo.catalogue import modify
from tests.zoo.discovery import NotBuilt, TooSlow, build, named, reason, time_limit
from tests.zoo.places import NotApplicable
from tests.zoo.structure import MetaJudgement, Snapshot, fingerprint

CELL_SECONDS = 300
CHANGING = re.compile(r"(_archit_codegen_package|object)(?:_\d+| at 0x[0-9a-f]+)")
REBUILT, REFUSED, NOT_APPLICABLE, NOT_BUILT, WRONG, CRASH = "rebuilt", "refused", "n/a", "not-built", "WRONG", "CRASH"
NOT_NATIVELY = "rebuilt*"
"""Rebuilt; the unmodified native class does not survive its own save and load, or changes its own config, either."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one class and one modification; `text` is the hash of the emitted files, or the reason."""

    cls: str
    modification: str
    outcome: str
    text: str
    seconds: float = 0.0


def run(cls: type[PreTrainedModel], modification: str, judged: Row | None = None) -> Row:
    """Never raises. What was judged before is not judged again while its text stays the same."""
    start = time.perf_counter()
    with ExitStack() as undo:
        outcome, text = built(cls, modification, undo, judged.text if judged else "")
    return Row(named(cls), modification, outcome, one_line(text), round(time.perf_counter() - start, 2))


def built(cls: type[PreTrainedModel], modification: str, undo: ExitStack, known: str) -> tuple[str, str]:
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
            return compiled(model, undo, known)
    except TooSlow as error:
        return CRASH, str(error)


def compiled(model: PreTrainedModel, undo: ExitStack, known: str) -> tuple[str, str]:
    try:
        before = fingerprint(model)
        package = archit.compile_model(model, name="zoo_model", suffix="WithZoo")
        if fingerprint(model) != before:
            return WRONG, "compile_model changed the live model"
    except archit.InvalidDeclaration as error:
        if "nothing to compile" not in str(error):
            return REFUSED, f"{type(error).__name__}: {error}"
        outcome, text = verdict(model, undeclared(type(model)), undo)
        return (NOT_APPLICABLE, "the class declares the same") if outcome == REBUILT else (outcome, text)
    except archit.ArchitError as error:
        return REFUSED, f"{type(error).__name__}: {error}"
    except TooSlow:
        raise
    except Exception as error:
        return CRASH, f"{reason(error)} at {where(error)}"
    text = digest(package.files)
    return (REBUILT, text) if text == known else verdict(model, package, undo, text)


def verdict(model: PreTrainedModel, package: object, undo: ExitStack, text: str = "") -> tuple[str, str]:
    """What the package builds when nothing of the modification is left in the process."""
    snapshot = Snapshot(model)
    undo.close()
    try:
        judgement = MetaJudgement(model, package, snapshot)
        judgement.judge()
    except TooSlow:
        raise
    except AssertionError as error:
        return WRONG, str(error)
    except Exception as error:  # a package that cannot be built from a config is as wrong
        return WRONG, f"{reason(error)} at {where(error)}"
    return (NOT_NATIVELY, judgement.drift) if judgement.drift else (REBUILT, text)


def undeclared(cls: type) -> object:
    """The class itself in the place of a package: what the compiler says that the live model still is."""
    return SimpleNamespace(root_class=cls.__name__, heads={}, load=lambda: sys.modules[cls.__module__])


def where(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename.rsplit('site-packages/', 1)[-1].rsplit('/main/', 1)[-1]}:{last.name}"


def digest(files: dict[str, str]) -> str:
    return hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:12]


def one_line(text: str) -> str:
    """Without what changes from run to run: it stands in a tracked file."""
    return CHANGING.sub(r"\1", " ".join(text.split()))[:400]
