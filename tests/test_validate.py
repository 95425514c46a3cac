"""Packages written by hand for a tiny RoBERTa: right ones pass, each planted mistake is caught by name."""

import sys

import pytest
import torch
from torch import nn

from archit_codegen.declaration.loading import isolated_registries, load_package, unload_package
from archit_codegen.declaration.validate import validate
from archit_codegen.errors import ValidationFailed
from tests.hand_written import EPS, ORIGINS, Halved, check, half_layer, package, refused, roberta, with_eps


def frozen(live):
    live.lm_head.dense.weight.requires_grad_(False)


def halved(live):
    live.roberta.encoder.layer[0].output.dropout = Halved(0.5)


def dropped(live):
    del live.roberta.encoder.layer[0]


def untied(live):
    live.lm_head.decoder.weight = nn.Parameter(live.lm_head.decoder.weight.detach().clone())


def test_right_package_passes():
    result = check(with_eps(), package(EPS))
    assert (result.structure, result.outputs_compared, result.reloaded, result.notes) == (True, True, True, ())


@pytest.mark.parametrize(
    ("surgery", "body"),
    [
        (frozen, "self.lm_head.dense.weight.requires_grad_(False)"),
        (halved, "self.roberta.encoder.layer[0].output.dropout = Halved(0.5)"),
        (dropped, "del self.roberta.encoder.layer[0]"),
    ],
)
def test_right_declarations_pass(surgery, body):
    live = roberta()
    surgery(live)
    result = check(live, package(body))
    assert result.reloaded
    assert ["requires_grad: lm_head.dense.weight" in note for note in result.notes] == [True] * (surgery is frozen)


@pytest.mark.parametrize(
    ("surgery", "body", "path", "reason"),
    [
        (frozen, "pass", "lm_head.dense", "requires_grad is True, should be False"),
        (halved, "pass", "roberta.encoder.layer.0.output.dropout", "class is"),
        (halved, "self.roberta.encoder.layer[0].output.dropout = Halved(0.25)", "roberta.encoder.layer.0.output",
         "factor is 0.25, should be 0.5"),
        (dropped, "pass", "roberta.encoder.layer", "list of children is"),
        (untied, "pass", "lm_head.decoder", "object is"),
        (half_layer, "pass", "roberta.encoder.layer.0", "dtype is"),
        (lambda live: None, "self.surplus = 1", "<root>", "surplus is 1, should not be there"),
        (lambda live: setattr(live, "surplus", 1), "pass", "<root>", "surplus is missing, should be 1"),
        (lambda live: None, "self.lm_head = self._modules.pop('roberta') and self.lm_head", "<root>", "raises"),
        (lambda live: None, "self.roberta = self._modules.pop('roberta')", "<root>", "list of children is"),
        (lambda live: None, "self.lm_head.act = torch.nn.functional.relu", "lm_head", "act is"),
        (lambda live: live.lm_head.register_forward_hook(lambda *a: None), "pass", "lm_head", "forward hooks is"),
    ],
)  # fmt: skip
def test_mistakes_are_caught(surgery, body, path, reason):
    live = roberta()
    surgery(live)
    failure = refused(live, package(body))
    assert failure.path.startswith(path)
    assert reason in failure.reason


def test_eps_is_named():
    failure = refused(with_eps(), package("pass"))
    assert failure.path == "roberta.encoder.layer.1.output.LayerNorm"
    assert failure.reason == "eps is 1e-12, should be 0.001"


def test_other_behaviour_is_caught_by_outputs():
    body = "pass\n\n    def forward(self, *args, **kwargs):\n        out = super().forward(*args, **kwargs)\n"
    body += "        out.logits = out.logits + 1e-6\n        return out\n\n    def unused(self):"
    failure = refused(roberta(), package(body))
    assert "its outputs are not the live model's: logits differs by up to" in failure.reason


def test_values_of_non_persistent_buffers_are_compared():
    live = roberta()
    live.roberta.embeddings.position_ids += 1
    failure = refused(live, package("pass"))
    assert failure.path == "roberta.embeddings.position_ids"


SCALED = '''

class Scaled(nn.Linear):
    """Has a buffer that only a branch of `_init_weights` repairs."""

    def __init__(self, size):
        super().__init__(size, size)
        self.register_buffer("scale", torch.full((3,), 0.5), persistent=False)

    def forward(self, x):
        return super().forward(x) * self.scale[0]
'''
BRANCH = """

def initialise(self, module):
    RobertaForMaskedLM._init_weights(self, module)
    if isinstance(module, Scaled):
        nn.init.constant_(module.scale, 0.5)


RobertaForMaskedLMNew._init_weights = initialise
"""


def test_forgotten_init_weights_branch_is_caught():
    body = "self.lm_head.dense = Scaled(config.hidden_size)"
    files = package(body, SCALED)
    with isolated_registries():
        loaded = load_package("tiny", files)
    scaled = sys.modules[f"{loaded.__name__}.modeling_tiny"].Scaled
    live = roberta()
    live.lm_head.dense = scaled(16)
    origins = ORIGINS | {"Scaled": f"{scaled.__module__}:Scaled"}
    with pytest.raises(ValidationFailed, match="after save_pretrained and from_pretrained") as caught:
        validate(live, "tiny", files, "RobertaForMaskedLMNew", origins)
    assert caught.value.path == "lm_head.dense.scale"
    assert validate(live, "tiny", package(body, SCALED + BRANCH), "RobertaForMaskedLMNew", origins).reloaded
    unload_package(loaded)


def test_weights_on_meta_are_compared_by_structure():
    with torch.device("meta"):
        live = with_eps()
    result = check(live, package(EPS))
    assert (result.structure, result.outputs_compared, result.reloaded) == (True, False, False)
    assert "meta device" in result.notes[0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_cast_of_the_whole_model_is_no_change(dtype):
    assert check(with_eps().to(dtype), package(EPS)).reloaded


def test_implementation_is_passed_along():
    live = roberta(attn_implementation="eager")
    live.roberta.encoder.layer[1].output.LayerNorm.eps = 0.001
    assert check(live, package(EPS)).reloaded


def test_live_forward_that_raises_is_a_note():
    live = roberta()
    live.lm_head.forward = lambda *args, **kwargs: 1 / 0
    result = check(live, package("pass"))
    assert result.structure and not result.outputs_compared
    assert "validation is structural only: the live model's forward raises ZeroDivisionError" in result.notes[0]


def test_package_that_cannot_be_imported():
    failure = refused(roberta(), package("pass") | {"tiny/modeling_tiny.py": "import nowhere_at_all"})
    assert "importing it raises ModuleNotFoundError: No module named 'nowhere_at_all'" in failure.reason


def test_other_roots_are_built_by_the_caller():
    files = {
        "plain/__init__.py": "from .modeling_plain import PlainNew",
        "plain/modeling_plain.py": "from torch import nn\n\n\nclass PlainNew(nn.Module):\n"
        "    def __init__(self, size):\n"
        "        super().__init__()\n        self.inner = nn.Linear(size, size)\n\n    def forward(self, x):\n"
        "        return self.inner(x)\n",
    }

    class Plain(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.inner = nn.Linear(size, size)

        def forward(self, x):
            return self.inner(x)

    origins = {"PlainNew": f"{__name__}:{Plain.__qualname__}"}
    result = validate(
        Plain(4), "plain", files, "PlainNew", origins, {"x": torch.ones(2, 4)}, build=lambda root: root(4)
    )
    assert (result.outputs_compared, result.reloaded, result.notes) == (True, False, ())
    with pytest.raises(ValidationFailed, match=r"parameter weight.shape is \(5, 5\), should be \(4, 4\)"):
        validate(Plain(4), "plain", files, "PlainNew", origins, build=lambda root: root(5))
