"""One base model and one task: is the head emitted, does it run, learn, save and load?"""

import ast
import hashlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import transformers
from transformers import PreTrainedModel

import archit_codegen as archit
from archit_codegen.declaration.basefacts import base_facts
from archit_codegen.declaration.headcheck import config_for
from archit_codegen.declaration.heads import BaseNames, heads_file
from archit_codegen.declaration.relatives import family_of
from archit_codegen.declaration.tasks import TASKS
from tests.heads.bases import Base, NoSmallModel, inputs_of, no_states, small_config, small_model
from tests.heads.labels import HEADS, labelled
from tests.zoo.discovery import TooSlow, reason, time_limit

DONE, NO_BASE, REFUSED, FAILED = "done", "no base", "refused", "failed"
CAUSAL = "causal-lm"
SECONDS = 120


@dataclass(frozen=True, slots=True)
class Cell:
    """What became of a task on a type of model, and why."""

    model_type: str
    cls: str
    task: str
    outcome: str
    text: str = ""
    judged: str = ""  # the fingerprint of the heads that were judged


def cells(base: Base) -> Iterator[Cell]:
    """One for each task. Never raises."""

    def all_are(outcome: str, text: str) -> Iterator[Cell]:
        return (Cell(base.model_type, base.cls.__name__, task, outcome, text) for task in TASKS)

    try:
        with time_limit(SECONDS):
            config = small_config(base.cls)
            model = small_model(base.cls, config)
            if text := no_states(model):
                yield from all_are(NO_BASE, text)
                return
    except NoSmallModel as error:
        yield from all_are(NO_BASE, f"no small model: {error}")
        return
    except (TooSlow, Exception) as error:
        yield from all_are(NO_BASE, reason(error))
        return
    together, causal_too = divided(base, model)
    found = tried(base, model, together)
    if found[0][0] in (REFUSED, FAILED) and len(set(found)) == 1:  # one of them stopped all
        found = [tried(base, model, [task])[0] for task in together]
    if CAUSAL not in together:
        together, found = [*together, CAUSAL], found + tried(base, causal_too, [CAUSAL])
    for task, (outcome, text) in zip(together, found, strict=True):
        yield Cell(base.model_type, base.cls.__name__, task, outcome, text)


@cache
def fingerprint(base: Base) -> str:
    """A hash of the syntax tree of all heads for this base model, or of why there are none; and of the version of
    transformers that they stand on. What was judged under the same one need not be judged again."""
    try:
        with time_limit(SECONDS):
            model = small_model(base.cls, small_config(base.cls))
            together, causal_too = divided(base, model)
            said = no_states(model) or emitted(model, together) + emitted(causal_too, [CAUSAL])
    except (NoSmallModel, TooSlow, Exception) as error:
        said = reason(error)
    return hashlib.sha256(f"{transformers.__version__}\n{said}".encode()).hexdigest()[:16]


def emitted(model: PreTrainedModel, tasks: list[str]) -> str:
    try:
        facts, name = base_facts(model, inputs_of(model.config)), type(model).__name__
        names = BaseNames(name, family_of(type(model)).__name__, name.removesuffix("Model"), "", ())
        return ast.dump(ast.parse("\n".join(heads_file(dict.fromkeys(tasks), facts, names).texts)))
    except archit.ArchitError as error:
        return str(error) if len(tasks) == 1 else "".join(emitted(model, [task]) for task in tasks)


def divided(base: Base, model: PreTrainedModel) -> tuple[list[str], PreTrainedModel]:
    """The tasks that the model can be tried on together, and the one for causal language modelling: where the config
    can say so, another, whose tokens see only those before them."""
    others = [task for task in TASKS if task != CAUSAL]
    if getattr(model.config, "is_decoder", None) is not False:
        return [*others, CAUSAL] if is_causal(model) else others, model
    config = small_config(base.cls)
    config.is_decoder = True
    return others, small_model(base.cls, config)


def is_causal(model: PreTrainedModel) -> bool:
    """Whether tokens may see only those before them; not where the model gives nothing for a text, which each task
    says by itself."""
    try:
        return not no_states(model) and base_facts(model, inputs_of(model.config)).causal is not False
    except archit.ArchitError:
        return False


def tried(base: Base, model: PreTrainedModel, tasks: list[str]) -> list[tuple[str, str]]:
    """Outcome and reason for each of the tasks, emitted as one package."""
    try:
        with time_limit(SECONDS):
            package = archit.compile_model(
                model, name="zoo_heads", suffix="Zoo", heads=tasks, inputs=inputs_of(model.config)
            )
    except archit.ValidationFailed as error:
        return [(FAILED, f"{error.path}: {error.reason}")] * len(tasks)
    except archit.ArchitError as error:
        return [(REFUSED, str(error))] * len(tasks)
    except (TooSlow, Exception) as error:
        return [(FAILED, reason(error))] * len(tasks)
    notes = "; ".join(note for note in package.notes if "proves nothing" in note or "not run" in note)
    module = package.load()
    return [learnt(model, getattr(module, package.heads[task]), task) or (DONE, notes) for task in tasks]


def learnt(model: PreTrainedModel, root: Any, task: str) -> tuple[str, str] | None:
    try:
        with time_limit(SECONDS):
            learn(model, root, task)
    except (TooSlow, Exception) as error:
        return FAILED, reason(error)
    return None


def learn(model: PreTrainedModel, root: Any, task: str) -> None:
    """A step of training: every weight of the head has a gradient."""
    config = config_for(root, model.config)
    if task == "multi-task":
        config.heads = HEADS
    trained = root(config).train()
    loss = trained(**labelled(task, said_to_be_text(model, inputs_of(config)))).loss
    assert loss is not None and torch.isfinite(loss), f"the loss is {loss}"
    loss.backward()
    below = {id(parameter) for parameter in trained.base_model.parameters()}
    head = [(name, parameter) for name, parameter in trained.named_parameters() if id(parameter) not in below]
    without = [name for name, parameter in head if parameter.grad is None]
    assert not without, f"no gradient reaches {without[:3]}"
    reached = [parameter for parameter in trained.base_model.parameters() if parameter.grad is not None]
    assert reached, "no gradient reaches the base model"


def said_to_be_text(model: PreTrainedModel, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Some models of several kinds of input want to be told of each token, when they are trained, what it is."""
    kinds = "mm_token_type_ids"
    if kinds not in inspect.signature(type(model).forward).parameters:
        return inputs
    return {**inputs, kinds: torch.zeros_like(inputs["input_ids"])}
