"""Every kind of model passes validation when nothing was changed; what only some models have."""

import pytest
import torch

from archit_codegen.declaration.validate import validate
from archit_codegen.errors import ValidationFailed
from tests.hand_written import EPS, check, half_layer, package, refused, roberta, with_eps
from tests.test_inputs import CASES, tiny


def renamed(model, config, marker):
    """A package that declares an unmodified model again under another name."""
    return {
        "same/__init__.py": "from .modeling_same import *\n",
        "same/configuration_same.py": f"from transformers import {config}\n\n\nclass ConfigNew({config}):\n"
        "    model_type = 'same'\n",
        "same/modeling_same.py": f"from transformers import {model}\n\nfrom .configuration_same import ConfigNew\n"
        f"{marker}\n\nclass {model}New({model}):\n    config: ConfigNew\n",
    }


@pytest.mark.parametrize(("model", "config", "values"), CASES, ids=[case[0] for case in CASES])
def test_every_kind_of_model_passes_when_nothing_changed(model, config, values):
    live = tiny(model, config, values)
    origins = {f"{model}New": f"{type(live).__module__}:{model}"}
    # transformers reads in the text of the file whether an implementation of experts may be set.
    files = renamed(model, config, "# @use_experts_implementation")
    result = validate(live, "same", files, f"{model}New", origins)
    assert (result.structure, result.outputs_compared, result.reloaded) == (True, True, True)


def test_experts_that_fall_back_to_eager_are_caught():
    live = tiny(*next(case for case in CASES if case[0] == "MixtralForCausalLM"))
    assert type(live)._can_set_experts_implementation()
    with pytest.raises(ValidationFailed, match="experts implementation"):
        validate(live, "same", renamed("MixtralForCausalLM", "MixtralConfig", ""), "MixtralForCausalLMNew", {})
    assert "_can_set_experts_implementation_cached_value" in vars(type(live))


def test_shared_layers_and_new_ties():
    def share(model):
        model.roberta.encoder.layer[1] = model.roberta.encoder.layer[0]

    live = roberta()
    share(live)
    body = "self.roberta.encoder.layer[1] = self.roberta.encoder.layer[0]"
    failure = refused(live, package("pass"))
    assert (failure.path, "module" in failure.reason) == ("roberta.encoder.layer.1", True)
    # The native class has no name for such ties, so that it cannot be saved: a right package must bring its own.
    assert "save_pretrained" in refused(live, package(body)).reason


def test_large_models_are_compared_by_structure(monkeypatch):
    monkeypatch.setattr("archit_codegen.declaration.validate.LARGEST", 10)
    result = check(with_eps(), package(EPS))
    assert (result.structure, result.outputs_compared, result.reloaded) == (True, False, False)
    assert "more than 2 GB" in result.notes[0]


@pytest.mark.parametrize("model", ["LlamaForCausalLM", "T5ForConditionalGeneration"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("way", ["cast", "loaded"])
def test_both_ways_to_half_precision_pass(model, dtype, way, tmp_path):
    live = tiny(*next(case for case in CASES if case[0] == model))
    config = type(live.config).__name__
    if way == "cast":
        live.to(dtype)
    else:
        live.save_pretrained(tmp_path)
        live = type(live).from_pretrained(tmp_path, dtype=dtype)
    origins = {f"{model}New": f"{type(live).__module__}:{model}"}
    result = validate(live, "same", renamed(model, config, ""), f"{model}New", origins)
    assert (result.structure, result.outputs_compared, result.reloaded) == (True, True, True)


def test_one_layer_of_another_dtype():
    live = roberta()
    half_layer(live)
    result = check(live, package("self.roberta.encoder.layer[0].to(torch.bfloat16)"))
    # The live model itself cannot run so; that `from_pretrained` keeps what the source declares is compared.
    assert (result.structure, result.outputs_compared, result.reloaded) == (True, False, True)
    assert not any("dtypes" in note for note in result.notes)
