"""Loads the emitted package and proves that it rebuilds the live model: tree, weights, outputs, save and load."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from archit_codegen.declaration import building
from archit_codegen.declaration.building import Build
from archit_codegen.declaration.differences import as_saved, first_difference
from archit_codegen.declaration.drift import changed_by_building, changed_by_reading, check_readable
from archit_codegen.declaration.emittednames import NO_PATCHES, Patches, names_of
from archit_codegen.declaration.facts import ClassName, Configs, Facts, default_dtype, facts
from archit_codegen.declaration.inputs import InputsUnknown, make_inputs
from archit_codegen.declaration.loading import find_class, isolated_registries, load_package, one_line, unload_package
from archit_codegen.declaration.outputs import compare, run
from archit_codegen.declaration.outputs import difference as tensor_difference
from archit_codegen.declaration.reloading import reload, survives_natively
from archit_codegen.declaration.undisturbed import random_state, silenced, untouched
from archit_codegen.declaration.walking import all_modules
from archit_codegen.errors import ValidationFailed

LARGEST = 2 * 1024**3
SEED = 0


@dataclass(frozen=True)
class Validation:
    """What was proved about a package, and what could not be compared, with the reason in a note."""

    structure: bool
    outputs_compared: bool
    reloaded: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Expected:
    """What the live model gives, or why it gives nothing."""

    inputs: Mapping[str, Any] | None
    outputs: Mapping[str, torch.Tensor]
    note: str | None = None


def validate(
    live: nn.Module,
    name: str,
    files: Mapping[str, str],
    root_class: str,
    origins: Mapping[str, str],
    inputs: Mapping[str, Any] | None = None,
    build: Build | None = None,
    patches: Patches = NO_PATCHES,
) -> Validation:
    """Raises `ValidationFailed` where the package does not rebuild the live model; the live model is left as it was.

    ``origins`` names for each emitted class the live class it stands for, as ``module:qualname``. ``build`` says how
    the root class is built where it is not one of transformers.
    """
    if build is None:
        if not isinstance(live, PreTrainedModel):
            raise TypeError("`build` says how a root class is built that is not one of transformers")
        build = building.transformers_build(live)
    with ExitStack() as stack:
        for context in (silenced(), isolated_registries(), random_state(SEED)):
            stack.enter_context(context)
        package = load_package(name, files)
        stack.callback(unload_package, package)
        root = find_class(package, root_class)
        return Comparison(live, root, build, names_of(package, origins, patches)).validation(inputs)


class Comparison:
    """One live model against one emitted root class."""

    def __init__(self, live: nn.Module, root: type[nn.Module], build: Build, class_name: ClassName) -> None:
        self.live, self.root, self.build, self.class_name = live, root, build, class_name
        self.dtype = default_dtype(all_modules(live))
        self.changed_configs: Configs = {}

    def validation(self, inputs: Mapping[str, Any] | None) -> Validation:
        drift = tuple(filter(None, [self.compare_structure_or_drift()]))
        if reason := self.structural_only():
            return Validation(True, False, False, (*drift, *self.compare_config_file(), reason))
        with untouched(self.live):
            return self.with_weights(inputs, drift)

    def with_weights(self, inputs: Mapping[str, Any] | None, drift: Sequence[str]) -> Validation:
        model = self.loaded_model()
        expected = expected_outputs(self.live, inputs)
        self.compare_outputs(model, expected, "")
        notes = [expected.note] if expected.note else []
        saved = isinstance(model, PreTrainedModel) and isinstance(self.live, PreTrainedModel)
        reloaded, more = self.compare_reloaded(model, expected) if saved else (False, [])
        return Validation(True, bool(expected.outputs), reloaded, (*drift, *notes, *more))

    def structural_only(self) -> str | None:
        if building.size_of(self.live) > LARGEST:
            return "outputs, and saving and loading, were not compared: the model has more than 2 GB of weights"
        if not building.is_real(self.live):
            if any(not tensor.is_meta for tensor in building.unsaved_tensors(self.live).values()):
                self.real_build()
            return "outputs, and saving and loading, were not compared: the live model has weights on the meta device"
        return None

    def compare_structure_or_drift(self) -> str | None:
        """A note where both classes differ from the live model in what building them does to a config."""
        try:
            self.compare_structure()
        except ValidationFailed:
            self.changed_configs, note = changed_by_building(self.live, self.dtype)
            if note is None:
                raise
            self.compare_structure()
            return note
        return None

    def compare_config_file(self) -> Iterator[str]:
        if isinstance(self.live, PreTrainedModel):
            note = changed_by_reading(self.live.config, self.root)
            if note is not None:
                yield note

    def facts_of_live(self) -> Facts:
        return facts(self.live, self.class_name, self.changed_configs)

    def compare_structure(self) -> None:
        """On meta. A cast of the whole model is no change, and there are several: while it is built, afterwards, or of
        the buffers only where parts of it were given another dtype again."""
        expected = self.facts_of_live()
        found: tuple[str, str] | None = None
        for built_in, cast in (
            (self.dtype, building.keep),
            (self.dtype, building.keep_in_float32),
            (self.dtype, building.cast_buffers),
            (torch.float32, building.to_one_dtype),
        ):
            model = cast(self.built("meta", built_in), self.dtype)
            difference = first_difference(expected, facts(model, self.class_name))
            if difference is None:
                return self.compare_keys(model)
            # A build that was not cast is the one whose difference is worth reading.
            found = found or difference
        assert found is not None
        raise ValidationFailed(*found)

    def compare_keys(self, model: nn.Module) -> None:
        expected, actual = [list(each.state_dict(keep_vars=True)) for each in (self.live, model)]
        if expected != actual:
            key = next((a for a, b in zip(expected, actual, strict=False) if a != b), "")
            raise ValidationFailed(key, "the keys of the state dict, or their order, are not the live model's")

    def built(self, device: str, dtype: torch.dtype) -> nn.Module:
        try:
            # Weights without memory are not drawn either.
            quickly = building.parameters_uninitialised() if device == "meta" else nullcontext()
            with building.under(device, dtype), quickly:
                return self.build(self.root)
        except Exception as error:
            where = "on the meta device" if device == "meta" else "with real weights"
            raise ValidationFailed("", f"building {self.root.__name__} {where} raises {one_line(error)}") from error

    def loaded_model(self) -> nn.Module:
        """A real build with the weights of the live model, its unsaved tensors compared."""
        model = self.real_build()
        try:
            model.load_state_dict(self.live.state_dict(), strict=True)
        except RuntimeError as error:
            raise ValidationFailed("", f"its weights cannot be loaded: {one_line(error)}") from error
        return model

    def real_build(self) -> nn.Module:
        """Its tensors have the dtypes of the live model's, and those that no checkpoint carries have their values."""
        failures = []
        for dtype in dict.fromkeys((self.dtype, torch.float32)):
            model = self.built_quickly(dtype)
            building.cast_like(model, self.live)
            try:
                self.compare_tensors(building.unsaved_tensors(self.live), building.tensors_of(model), "")
            except ValidationFailed as failure:
                failures.append(failure)
            else:
                return model
        raise failures[0]

    def built_quickly(self, dtype: torch.dtype) -> nn.Module:
        """Without drawing weights, where the constructors bear that (some factorise the weights they find)."""
        try:
            with building.parameters_uninitialised(), building.poisoned_memory():
                return self.built("cpu", dtype)
        except ValidationFailed:
            return self.built("cpu", dtype)

    def compare_tensors(
        self, expected: Mapping[str, torch.Tensor], actual: Mapping[str, torch.Tensor], when: str
    ) -> None:
        for name, tensor in expected.items():
            if tensor.is_meta:
                continue
            if actual[name].is_meta:
                raise ValidationFailed(name, f"{when}it has no values")
            if reason := tensor_difference("its value", tensor, building.moved(actual[name], tensor)):
                raise ValidationFailed(name, when + reason)

    def compare_outputs(self, model: nn.Module, expected: Expected, when: str) -> None:
        if not expected.outputs or expected.inputs is None:
            return
        try:
            outputs = run(model, expected.inputs)
        except Exception as error:
            raise ValidationFailed("", f"{when}its forward raises {one_line(error)}") from error
        if reason := compare(expected.outputs, outputs):
            raise ValidationFailed("", f"{when}its outputs are not the live model's: {reason}")

    def compare_reloaded(self, model: PreTrainedModel, expected: Expected) -> tuple[bool, list[str]]:
        """A note instead of a failure where the native class does not survive its own save and load either."""
        try:
            return True, self.compare_saved(model, expected)
        except ValidationFailed as failure:
            check_readable(self.live.config)
            broken = survives_natively(self.live, expected.inputs)
            if broken is None:
                raise
            return False, [
                f"saving and loading proves nothing, since {broken} (here: {failure.path}: {failure.reason})"
            ]

    def compare_saved(self, model: PreTrainedModel, expected: Expected) -> list[str]:
        when = "after save_pretrained and from_pretrained, "
        try:
            with tempfile.TemporaryDirectory(prefix="archit_codegen_") as directory:
                loaded = reload(model, directory)
        except ValidationFailed:
            raise
        except Exception as error:
            raise ValidationFailed("", f"save_pretrained and from_pretrained raise {one_line(error)}") from error
        self.compare_loaded_names(loaded, when)
        lost = {"dtypes": building.other_dtypes(loaded, self.live)}
        building.cast_like(loaded, self.live)
        lost["requires_grad"] = building.freeze_like(loaded, self.live)
        if found := first_difference(as_saved(self.facts_of_live()), as_saved(facts(loaded, self.class_name))):
            raise ValidationFailed(found[0], when + found[1])
        self.compare_tensors(building.tensors_of(self.live), building.tensors_of(loaded), when)
        self.compare_outputs(loaded, expected, when)
        # These are limits of `from_pretrained`, the same for native classes: what it loads is compared all the same.
        return [f"from_pretrained does not keep {what}: {at[0]} ({len(at)} in all)" for what, at in lost.items() if at]

    def compare_loaded_names(self, loaded: nn.Module, when: str) -> None:
        """Loading may register what it loads under other names only where the trees differ, which is said first."""
        found, right = (set(building.tensors_of(model)) for model in (loaded, self.live))
        if found != right:
            raise ValidationFailed(min(found ^ right), f"{when}it is {'missing' if right - found else 'surplus'}")


def expected_outputs(live: nn.Module, inputs: Mapping[str, Any] | None) -> Expected:
    """The outputs of the live model on the caller's inputs, or on made ones; a note where there are none."""
    try:
        given = make_inputs(live) if inputs is None else inputs
    except InputsUnknown as error:
        return Expected(None, {}, f"validation is structural only: {error}")
    try:
        outputs = run(live, given)
    except Exception as error:
        reason = one_line(error) + (" on inputs made from its config" if inputs is None else "")
        return Expected(None, {}, f"validation is structural only: the live model's forward raises {reason}")
    note = None if outputs else "validation is structural only: the live model's forward gives no tensor"
    return Expected(given, outputs, note)
