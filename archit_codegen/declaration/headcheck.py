"""Proves of each head that it stands on the live base model, runs, and survives its own save and load."""

import copy
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from archit_codegen.declaration import building
from archit_codegen.declaration.basefacts import BaseFacts, text_inputs, with_decoder_inputs
from archit_codegen.declaration.emittednames import names_of
from archit_codegen.declaration.loading import find_class, isolated_registries, load_package, one_line, unload_package
from archit_codegen.declaration.outputs import compare, run
from archit_codegen.declaration.relatives import base_of
from archit_codegen.declaration.reloading import reload, survives_natively
from archit_codegen.declaration.undisturbed import random_state, silenced, untouched
from archit_codegen.declaration.validate import SEED, Comparison, Expected
from archit_codegen.errors import ValidationFailed

# What the heads of a multi-task model are while it is checked; its config names none of its own.
EXAMPLE = {"tokens": {"task": "token-classification"}, "sequence": {"task": "sequence-classification"}}


def check_heads(
    live: nn.Module,
    name: str,
    files: Mapping[str, str],
    heads: Mapping[str, str],
    facts: BaseFacts,
    origins: Mapping[str, str],
    inputs: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Notes on what could not be compared. ``heads`` names the class of each task.

    Raises:
        ValidationFailed: a head whose base model is not the live one, or that does not run, save and load.
    """
    base = base_of(live)
    notes: list[str] = [facts.note] if facts.note else []
    with ExitStack() as stack:
        for context in (silenced(), isolated_registries(), random_state(SEED), untouched(live)):
            stack.enter_context(context)
        package = load_package(name, files)
        stack.callback(unload_package, package)
        for task, cls in heads.items():
            root = find_class(package, cls)
            try:
                notes.extend(HeadComparison(base, root, facts, names_of(package, origins)).notes(task, inputs))
            except ValidationFailed as failure:
                raise ValidationFailed(cls, f"{failure.path}: {failure.reason}") from failure
    return tuple(dict.fromkeys(notes))


def config_for(root: Any, live: PreTrainedConfig) -> PreTrainedConfig:
    """A config of a head class with the values of the live one."""
    config = building.config_of(root.config_class, live)
    if not hasattr(config, "heads"):
        config.heads = EXAMPLE  # the one field whose default is made anew for each config
    return config


class HeadComparison(Comparison):
    """The live base model against the one that a head class builds for itself."""

    def __init__(self, base: PreTrainedModel, root: type[nn.Module], facts: BaseFacts, class_name: Any) -> None:
        self.task_class, self.base, self.facts = root, base, facts
        built = self.built_task("meta").base_model
        # Most heads build their base model without its pooler.
        lacking = any(built._modules.get(n) is None or base._modules.get(n) is None for n in facts.optional_parts)
        self.left_out = facts.optional_parts if lacking else ()
        super().__init__(without(base, self.left_out), root, self.built_base, class_name)

    def built_task(self, device: str) -> Any:
        root: Any = self.task_class
        try:
            with torch.device(device):
                return root(config_for(root, self.base.config)).eval()
        except Exception as error:
            raise ValidationFailed("", f"building it raises {one_line(error)}") from error

    def built_base(self, root: Any) -> nn.Module:
        base: nn.Module = root(config_for(root, self.base.config)).base_model
        return without(base, self.left_out)

    def notes(self, task: str, inputs: Mapping[str, Any] | None) -> Iterator[str]:
        self.compare_structure()
        if reason := self.structural_only():
            yield reason
            return
        given = text_inputs(self.base, inputs)
        model, whole = self.loaded_model(), with_decoder_inputs(self.base, given, self.facts.decoder_start)
        self.compare_outputs(model, Expected(whole, run(self.live, whole)), "")
        yield from self.compare_task(task, given)

    def compare_task(self, task: str, inputs: Mapping[str, Any]) -> Iterator[str]:
        if task == "multiple-choice":
            inputs = {name: value.unsqueeze(1) for name, value in inputs.items()}
        with building.under("cpu", self.dtype):
            model = self.built_task("cpu")
        try:
            expected = run(model, inputs)
            with tempfile.TemporaryDirectory(prefix="archit_codegen_") as directory:
                loaded = reload(model, directory)
                building.cast_like(loaded, model)
                found = run(loaded, inputs)
                reason = compare(building.tensors_of(model), building.tensors_of(loaded)) or unlike(expected, found)
        except ValidationFailed:
            raise
        except Exception as error:
            raise ValidationFailed("", f"running, saving and loading it raises {one_line(error)}") from error
        if reason is not None:
            broken = survives_natively(self.base, inputs if task != "multiple-choice" else None)
            if broken is None:
                raise ValidationFailed("", f"after save_pretrained and from_pretrained, {reason}")
            yield f"saving and loading of heads proves nothing, since {broken}"


def unlike(expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> str | None:
    """Which output is another one. Not bit for bit: weights that were loaded lie elsewhere in memory, and for a matrix
    of one column that is enough for other last bits."""
    for name, tensor in expected.items():
        if name not in found or not torch.allclose(tensor, found[name], rtol=1e-4, atol=1e-5, equal_nan=True):
            return f"{name} is another one"
    return None


def without(base: nn.Module, parts: tuple[str, ...]) -> nn.Module:
    """The same modules below a root of its own, which lacks some of its children."""
    if not parts:
        return base
    other = copy.copy(base)
    other.__dict__["_modules"] = {name: module for name, module in base._modules.items() if name not in parts}
    other.__dict__.update(dict.fromkeys(parts))
    return other
