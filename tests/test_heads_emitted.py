"""Heads that are emitted: on modified base models and on others, in a package that stands alone."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf

import archit_codegen as archit
from tests.heads.labels import labelled
from tests.heads.small import SHAPE, llama, roberta, text
from tests.heads.user import DeepHead, Gate
from tests.models import liven

ALL = (
    "token-classification", "sequence-classification", "question-answering", "answerable-question-answering",
    "multiple-choice", "masked-lm", "dependency-parsing", "multi-task",
)  # fmt: skip
CONFIG = {**SHAPE, "intermediate_size": 12, "max_position_embeddings": 40}


def gated() -> Any:
    """A masked language model with a module of the user's in its base model."""
    torch.manual_seed(0)
    model = tf.RobertaForMaskedLM(tf.RobertaConfig(**CONFIG)).eval()
    model.roberta.encoder.layer[1].output.dropout = Gate(8)
    liven(model)
    return model


def compiled(live: Any, heads: Any, **options: Any) -> Any:
    return archit.compile_model(live, name="tiny_heads", suffix="Tiny", heads=heads, **options)


def built(package: Any, task: str, live: Any, **more: Any) -> Any:
    """The model of a task with the weights of the live base model."""
    root = getattr(package.load(), package.heads[task])
    values = {name: value for name, value in live.config.to_diff_dict().items() if name != "model_type"}
    model = root(root.config_class(**values, **more)).eval()
    model.base_model.load_state_dict(live.base_model.state_dict(), strict=False)
    return model


def heads_text(package: Any) -> str:
    return package.files["tiny_heads/modeling_tiny_heads_heads.py"]


def test_heads_stand_on_the_modified_base_model() -> None:
    live = gated()
    package = compiled(live, ["token-classification", "dependency-parsing"])
    assert package.root_class == "RobertaForMaskedLMTiny"
    assert package.heads == {
        "token-classification": "RobertaForTokenClassificationTiny",
        "dependency-parsing": "RobertaForDependencyParsingTiny",
    }
    assert "self.roberta = RobertaModelTiny(config, add_pooling_layer=False)" in heads_text(package)
    model, inputs = built(package, "token-classification", live), text(6, 4)
    with torch.no_grad():
        found = model(**inputs, output_hidden_states=True).hidden_states
        expected = live(**inputs, output_hidden_states=True).hidden_states
    assert all(map(torch.equal, found, expected)) and len(found) == 3


def test_an_unmodified_base_model_gives_a_package_of_heads_alone() -> None:
    package = compiled(roberta(), ALL)
    assert sorted(package.files) == [
        f"tiny_heads/{name}.py" for name in ("__init__", "configuration_tiny_heads", "modeling_tiny_heads_heads")
    ]
    assert "from transformers import RobertaModel" in heads_text(package)
    assert package.root_class == package.heads["token-classification"]
    assert set(package.heads) == set(ALL)


def test_each_package_stands_alone() -> None:
    for live in (roberta(), gated()):
        for name, text_ in compiled(live, ["sequence-classification", "multi-task"]).files.items():
            used = {
                (node.module or "").partition(".")[0]
                for node in ast.walk(ast.parse(text_))
                if isinstance(node, ast.ImportFrom) and not node.level
            }
            assert used <= {"torch", "transformers", "dataclasses"}, name


def test_heads_go_on_the_base_model_of_a_live_head() -> None:
    """Modified in its head alone: the base model is transformers' own."""
    live = gated()
    live.roberta.encoder.layer[1].output.dropout = torch.nn.Dropout(0.1)
    live.lm_head.layer_norm = torch.nn.Identity()
    package = compiled(live, ["token-classification"])
    assert "self.roberta = RobertaModel(config, add_pooling_layer=False)" in heads_text(package)
    assert package.root_class == "RobertaForMaskedLMTiny"
    with pytest.raises(archit.InvalidDeclaration, match=r"RobertaForMaskedLMTiny stands .*live\.base_model"):
        compiled(live, ["masked-lm"])
    package = compiled(gated().base_model, ["masked-lm"])
    assert package.heads == {"masked-lm": "RobertaForMaskedLMTiny"} and package.root_class == "RobertaModelTiny"


def test_the_config_has_flat_fields_with_defaults() -> None:
    package = compiled(roberta(), ["sequence-classification"])
    text_ = package.files["tiny_heads/configuration_tiny_heads.py"]
    assert 'head_pooling: str = "first"' in text_ and 'head_activation: str | None = "tanh"' in text_
    assert "head_stride" not in text_, "no head reads it"
    assert 'head_pooling: str = "last"' in "".join(compiled(llama(), ["sequence-classification"]).files.values())


def test_a_model_that_is_no_base_and_tasks_that_it_cannot_have() -> None:
    vision = tf.ViTModel(
        tf.ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=4, patch_size=2)
    )
    refusals: list[tuple[Any, Any, type[archit.ArchitError], str]] = [
        (vision, ["token-classification"], archit.InvalidDeclaration, "takes no input_ids"),
        (torch.nn.Linear(2, 2), ["token-classification"], archit.InvalidDeclaration, "need a model of transformers"),
        (roberta(), ["causal-lm"], archit.InvalidDeclaration, "is_decoder"),
        (roberta(), ["token-clasification"], archit.InvalidDeclaration, "no task 'token-clasification'"),
        (roberta(), ["Token_Classification"], archit.InvalidName, "token-classification"),
        (roberta(), "masked-lm", archit.InvalidName, "list of tasks"),
        (roberta(), ["masked-lm", "masked-lm"], archit.InvalidName, "once"),
        (roberta(), {"masked-lm": 3}, archit.InvalidDeclaration, "subclass of nn.Module"),
        (roberta(), {"multi-task": DeepHead}, archit.InvalidDeclaration, "no other head class"),
    ]
    for live, heads, kind, says in refusals:
        with pytest.raises(kind, match=says):
            compiled(live, heads)
    with pytest.raises(archit.InvalidDeclaration, match="nothing to compile"):
        compiled(roberta(), [])


def test_causal_heads_generate(tmp_path: Path) -> None:
    live = llama()
    package = compiled(live, ["causal-lm"])
    model = built(package, "causal-lm", live)
    liven(model)
    inputs = text(5)
    cached = model.generate(**inputs, max_new_tokens=6, do_sample=False)
    plain = model.generate(**inputs, max_new_tokens=6, do_sample=False, use_cache=False)
    assert cached.shape[1] > 5 and torch.equal(cached, plain)
    decoder = built(compiled(roberta(is_decoder=True), ["causal-lm"]), "causal-lm", roberta(is_decoder=True))
    assert decoder.generate(**inputs, max_new_tokens=3, do_sample=False).shape[1] > 5


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("task", ["masked-lm", "causal-lm"])
def test_weights_are_tied_if_the_config_says_so(task: str, tied: bool, tmp_path: Path) -> None:
    live = roberta(tie_word_embeddings=tied) if task == "masked-lm" else llama(tie_word_embeddings=tied)
    package = compiled(live, [task])
    model = built(package, task, live)
    embedding = model.get_input_embeddings().weight
    assert (model.get_output_embeddings().weight is embedding) == tied
    model.save_pretrained(tmp_path)
    loaded, report = type(model).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values()), report
    assert (loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight) == tied
    assert torch.allclose(loaded.eval()(**text(6)).logits, model(**text(6)).logits, atol=1e-6)


def test_what_modules_report() -> None:
    live = gated()
    package = compiled(live, ["token-classification", "sequence-classification"])
    for task in package.heads:
        model, inputs = built(package, task, live, num_labels=3), labelled(task, text(6, 4))
        gate = model.roberta.encoder.layer[1].output.dropout
        silent = built(package, task, live, num_labels=3, head_auxiliary_losses=False)
        silent.load_state_dict(model.state_dict())
        extra = (gate.scale**2).sum()
        for _ in range(2):  # once for each pass, and nothing is left of it
            assert torch.allclose(model(**inputs).loss, silent(**inputs).loss + extra)
            assert gate.auxiliary_losses == [] and gate.diagnostics == {}
        expected = {"roberta.encoder.layer.1.output.dropout.mean": float(gate.scale.mean())}
        assert model.diagnostics == expected == silent.diagnostics
        gate.auxiliary_losses.append(torch.tensor(7.0))  # as a recomputation during `backward` would
        assert torch.allclose(model(**inputs).loss, silent(**inputs).loss + extra)
        model(**inputs).loss.backward()
        assert gate.scale.grad is not None
        model(**{name: value for name, value in inputs.items() if name != "labels"})
        assert gate.auxiliary_losses == []


def test_a_head_of_the_users_own() -> None:
    package = compiled(roberta(), {"token-classification": DeepHead})
    assert "class DeepHead(nn.Module)" in package.files["tiny_heads/modules_tiny_heads.py"]
    assert "from .modules_tiny_heads import DeepHead" in heads_text(package)
    assert "self.token_classifier = DeepHead(config)" in heads_text(package)
    model = built(package, "token-classification", roberta(), num_labels=4)
    assert model(**text(5)).logits.shape == (1, 5, 4)
    assert model.token_classifier.factor.item() == 2, "`reset_parameters` of the head is called"
    imported = compiled(roberta(), {"token-classification": DeepHead}, user_code="import")
    assert "from tests.heads.user import DeepHead" in heads_text(imported)


TEMPLATE = '''
{% import "tasks/parts/macros.jinja" as macros %}
import torch
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput


class {{ class_name }}({{ pretrained }}):
    """How long a text is, guessed from its first state."""

    def __init__(self, config):
        super().__init__(config)
        self.{{ prefix }} = {{ base }}({{ base_arguments }})
        self.length = nn.Linear({{ hidden_size }}, 1)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        outputs = self.{{ prefix }}(input_ids=input_ids, attention_mask=attention_mask)
        return SequenceClassifierOutput(logits=self.length(outputs.last_hidden_state[:, 0]))
'''


def test_templates_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "length_regression.py.jinja").write_text(TEMPLATE)
    package = compiled(roberta(), ["length-regression", "masked-lm"], templates=tmp_path)
    assert package.heads["length-regression"] == "RobertaForLengthRegressionTiny"
    assert built(package, "length-regression", roberta())(**text(5)).logits.shape == (1, 1)
    (tmp_path / "masked_lm.py.jinja").write_text(TEMPLATE.replace("self.length", "self.guess"))
    overridden = compiled(roberta(), ["masked-lm"], templates=tmp_path)
    assert "self.guess = nn.Linear(config.hidden_size, 1)" in heads_text(overridden)
    for wrong, says in {"{{ nothing }}": "nothing", "x = = 1": "no Python", "print(1)": "no import"}.items():
        (tmp_path / "masked_lm.py.jinja").write_text(wrong)
        with pytest.raises(archit.InvalidDeclaration, match=says):
            compiled(roberta(), ["masked-lm"], templates=tmp_path)


LOADS = """
import sys
from transformers import AutoModel, AutoModelForTokenClassification
tagger = AutoModelForTokenClassification.from_pretrained(sys.argv[1], trust_remote_code=True)
parser = AutoModel.from_pretrained(sys.argv[2], trust_remote_code=True)
print(type(tagger).__name__, type(parser).__name__, "archit_codegen" in sys.modules)
"""


def test_checkpoints_carry_the_code_of_their_heads(tmp_path: Path) -> None:
    package = compiled(gated(), ["token-classification", "dependency-parsing"])
    folders = []
    for task in package.heads:
        folders.append(str(tmp_path / task))
        built(package, task, gated()).save_pretrained(folders[-1])
    environment = dict(os.environ, HF_HUB_OFFLINE="1", HF_MODULES_CACHE=str(tmp_path / "cache"), PYTHONPATH="")
    done = subprocess.run(
        [sys.executable, "-c", LOADS, *folders], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["RobertaForTokenClassificationTiny", "RobertaForDependencyParsingTiny", "False"]


def test_on_meta_heads_are_checked_by_their_structure() -> None:
    with torch.device("meta"):
        live = tf.RobertaForMaskedLM(tf.RobertaConfig(**CONFIG))
        live.roberta.encoder.layer[1].output.dropout = Gate(8)
    package = compiled(live, ["token-classification"])
    assert package.heads and any("meta" in note for note in package.notes)


def frozen() -> Any:
    live = gated()
    live.roberta.embeddings.requires_grad_(False)
    live.roberta.encoder.layer[0].attention.output.LayerNorm.bias.requires_grad_(False)
    live.lm_head.dense.requires_grad_(False)
    return live


def test_heads_freeze_what_is_frozen_in_the_base_model() -> None:
    live = frozen()
    package = compiled(live, ALL[:2])
    assert heads_text(package).count("self.roberta.embeddings.requires_grad_(False)") == 2
    assert "lm_head" not in heads_text(package)
    model = built(package, "token-classification", live)
    flags = {name: p.requires_grad for name, p in live.base_model.named_parameters()}
    assert {name: p.requires_grad for name, p in model.base_model.named_parameters()} == flags
    assert all(p.requires_grad for p in model.token_classifier.parameters())
    whole = gated().requires_grad_(False)
    assert "        self.roberta.requires_grad_(False)" in heads_text(compiled(whole, ALL[:1]))
    itself = compiled(frozen().base_model, ALL[:1])
    assert "requires_grad_" not in heads_text(itself), "the class of the base model does it"


def test_choices_take_whatever_the_base_model_takes() -> None:
    """Inputs that the head does not name have one dimension more as well."""
    config = tf.LayoutLMConfig(**CONFIG, max_2d_position_embeddings=16)
    live = tf.LayoutLMModel(config).eval()
    model = built(compiled(live, ["multiple-choice"]), "multiple-choice", live)
    inputs, boxes = text(5, 4), torch.arange(40).view(2, 5, 4) % 16
    boxes[..., 2:] = boxes[..., :2]
    both = model(**{name: value.unsqueeze(0) for name, value in inputs.items()}, bbox=boxes.unsqueeze(0)).logits
    each = [
        model(**{n: v[i : i + 1, None] for n, v in inputs.items()}, bbox=boxes[i : i + 1, None]).logits for i in (0, 1)
    ]
    assert torch.allclose(both, torch.cat(each, 1), atol=1e-6) and both.shape == (1, 2)
