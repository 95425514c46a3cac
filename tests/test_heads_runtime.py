"""Heads at run time: from a live base model, and from every kind of checkpoint."""

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf
from torch import nn

import archit_codegen as archit
from archit_codegen.declaration.relatives import native_class_for
from archit_codegen.instantiation import basemodels, heads, tasks
from archit_codegen.instantiation.native import NATIVE
from tests.heads.labels import labelled
from tests.heads.small import SHAPE, TASKS, headed, llama, module_of, roberta, text
from tests.heads.user import DeepHead, Gate
from tests.models import liven

ROOT = Path(__file__).parent.parent
README = """
from transformers import RobertaConfig

from archit_codegen.instantiation.basemodels import RobertaBaseModel
from archit_codegen.instantiation.tasks import ForDependencyParsing
from archit_codegen.instantiation.heads import DependencyParsingHeadConfig

model_with_head = ForDependencyParsing.fromModelAndHeadConfig(
    RobertaBaseModel(RobertaConfig(num_hidden_layers=1)),
    DependencyParsingHeadConfig()
)
model_with_head.base_model.save_pretrained("path/to/core-checkpoint")
model_with_head = ForDependencyParsing.from_pretrained(
    "path/to/core-checkpoint",
    RobertaBaseModel,
    DependencyParsingHeadConfig()
)
print(type(model_with_head).__name__, len(model_with_head.newly_initialised))
"""


@torch.no_grad()
def same(left: Any, right: Any, task: str = "token-classification") -> bool:
    given = labelled(task, text(6, 4))
    one, other = left(**given), right(**given)
    names = [name for name in one if isinstance(one[name], torch.Tensor)]
    return all(torch.allclose(one[name], other[name], atol=1e-6) for name in names)


def test_both_programs_of_archits_readme(tmp_path: Path) -> None:
    environment = dict(os.environ, PYTHONPATH=str(ROOT), HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1")
    command = [sys.executable, "-c", README]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["RobertaForDependencyParsing", "11"]


def test_the_base_models_that_have_a_name() -> None:
    small = {**SHAPE, "intermediate_size": 12, "max_position_embeddings": 40}
    gpt2 = tf.GPT2Config(vocab_size=31, n_embd=8, n_layer=1, n_head=2, n_positions=40)
    canine = {**small, "num_hash_buckets": 64, "downsampling_rate": 2, "local_transformer_stride": 16}
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    configs = {
        basemodels.RobertaBaseModel: tf.RobertaConfig(**small),
        basemodels.DebertaBaseModel: tf.DebertaConfig(**small),
        basemodels.ModernBertBaseModel: tf.ModernBertConfig(**small, **special),
        basemodels.GPT2BaseModel: gpt2,
        basemodels.CanineBaseModel: tf.CanineConfig(**canine),
    }
    for base, config in configs.items():
        model = tasks.ForTokenClassification.from_model_and_head_config(
            base(config), heads.TokenClassificationHeadConfig(num_labels=5)
        )
        assert model.eval()(**text(6, 6)).logits.shape == (2, 6, 5), base.__name__


def test_the_live_base_model_becomes_part_of_the_result() -> None:
    base = roberta()
    base.encoder.layer[0].output.dropout = Gate(8)  # a modification that no class declares
    before = {name: value.clone() for name, value in base.state_dict().items()}
    model = tasks.ForTokenClassification.from_model_and_head_config(base)
    assert model.roberta is base and model.config.num_labels == 2
    assert all(torch.equal(before[name], value) for name, value in base.state_dict().items()), "its weights stay"
    assert not hasattr(base.config, "head_layers"), "and its config"
    loss = model(**labelled("token-classification", text(5, 5), labels=2)).loss
    assert loss > (base.encoder.layer[0].output.dropout.scale ** 2).sum() > 0
    whole = tf.RobertaForMaskedLM(base.config)
    assert tasks.ForTokenClassification.from_model_and_head_config(whole).roberta is whole.roberta


def test_the_same_text_is_emitted_and_rendered_in_memory() -> None:
    def definitions(text_: str) -> dict[str, str]:
        return {node.name: ast.unparse(node) for node in ast.parse(text_).body if hasattr(node, "name")}

    package = archit.compile_model(roberta(), name="tiny", suffix="X", heads=["dependency-parsing"])
    emitted = definitions(package.files["tiny/modeling_tiny_heads.py"])
    rendered = definitions(inspect.getsource(module_of(headed("dependency-parsing"))))
    assert len(rendered) > 10
    for name, text_ in rendered.items():
        own = name if name in emitted else f"{name}X"
        plain = emitted[own]
        for other in rendered:
            plain = plain.replace(f"{other}X", other)
        assert plain.replace("RobertaPreTrainedModelX", "RobertaPreTrainedModel") == text_


@pytest.mark.parametrize("task", TASKS)
def test_a_checkpoint_of_the_same_task(task: str, tmp_path: Path) -> None:
    model = headed(task, llama() if task == "causal-lm" else None)
    model.save_pretrained(tmp_path)
    loaded = TASKS[task].from_pretrained(tmp_path, type(model.base_model)).eval()
    assert loaded.newly_initialised == () and same(model, loaded, task)


def test_a_checkpoint_of_the_base_model(tmp_path: Path) -> None:
    base = roberta()
    base.save_pretrained(tmp_path)
    config = heads.TokenClassificationHeadConfig(num_labels=4, layers=2)
    model = tasks.ForTokenClassification.from_pretrained(tmp_path, type(base), config)
    assert set(model.newly_initialised) == {
        "token_states.layer_weights", "token_classifier.classifier.weight", "token_classifier.classifier.bias"
    }  # fmt: skip
    assert torch.equal(model.roberta.embeddings.word_embeddings.weight, base.embeddings.word_embeddings.weight)
    assert not model.token_states.layer_weights.any() and not model.token_classifier.classifier.bias.any()


@pytest.mark.parametrize(
    ("task", "base"),
    [
        *((task, roberta) for task in NATIVE if task != "causal-lm"),
        ("causal-lm", llama),
        ("sequence-classification", llama),
    ],
)
def test_a_checkpoint_of_transformers_own_class(task: str, base: Any, tmp_path: Path) -> None:
    live = base()
    native = native_class_for(live.config, NATIVE[task])(live.config).eval()
    liven(native)
    native.save_pretrained(tmp_path)
    model = TASKS[task].from_pretrained(tmp_path, type(live)).eval()
    agrees = task != "multiple-choice"  # RobertaForMultipleChoice scores the pooled state: this needs its pooler
    assert (model.newly_initialised == ()) or not agrees
    given = labelled(task, text(6, 6), labels=2)
    names = ("start_logits", "end_logits") if task == "question-answering" else ("logits",)
    with torch.no_grad():
        expected, found = native(**given), model(**given)
    assert all(torch.equal(expected[name], found[name]) for name in names)


def test_a_head_that_means_something_else_is_left_out(tmp_path: Path) -> None:
    config = tf.GPT2Config(vocab_size=31, n_embd=8, n_layer=1, n_head=2, n_positions=40, num_labels=3)
    native = tf.GPT2DoubleHeadsModel(config)
    native.save_pretrained(tmp_path)
    model = tasks.ForMultipleChoice.from_pretrained(tmp_path, tf.GPT2Model)
    assert model.newly_initialised and all(name.startswith("choice_scorer.") for name in model.newly_initialised)


def test_heads_of_two_tasks_are_never_mixed_up(tmp_path: Path) -> None:
    """Whatever the shapes: no weight of one task's head has the name of another's."""
    names: dict[str, set[str]] = {}
    for task in TASKS:
        model = headed(task, llama() if task == "causal-lm" else None)
        below = {id(parameter) for parameter in model.base_model.parameters()}
        own = {name for name, p in model.named_parameters() if id(p) not in below}
        names[task] = {name for name in own if not name.startswith("token_states.")}
    for task, own in names.items():
        assert own and all(own.isdisjoint(others) for other, others in names.items() if other != task)
    headed("token-classification").save_pretrained(tmp_path)
    other = tasks.ForQuestionAnswering.from_pretrained(tmp_path, tf.RobertaModel)
    assert set(other.newly_initialised) == {"span_classifier.classifier.weight", "span_classifier.classifier.bias"}


def test_a_head_of_the_users_own(tmp_path: Path) -> None:
    class Local(DeepHead):
        """Defined where no statement can import it from."""

    for head in (DeepHead, Local):
        model = headed("token-classification", head=head)
        assert isinstance(model.token_classifier, head)
        assert model(**text(5)).logits.shape == (1, 5, 3)
        model.save_pretrained(tmp_path)
        config = heads.TokenClassificationHeadConfig(head=head)
        loaded = tasks.ForTokenClassification.from_pretrained(tmp_path, tf.RobertaModel, config).eval()
        assert same(model, loaded) and loaded.config.num_labels == 3


class Prefixed(tf.RobertaModel):
    """Its states are not those of the tokens alone."""

    def forward(self, input_ids=None, attention_mask=None, **kwargs):  # type: ignore[no-untyped-def]
        outputs = super().forward(input_ids=input_ids, attention_mask=attention_mask, **kwargs)
        states = outputs.last_hidden_state
        outputs.last_hidden_state = torch.cat((torch.ones_like(states[:, :2]), states), 1)
        return outputs


@torch.no_grad()
def test_the_mask_of_a_text_hides_no_states_that_are_not_of_its_tokens() -> None:
    base = Prefixed(roberta().config).eval()
    with pytest.raises(archit.InvalidDeclaration, match="one hidden state for each token"):
        tasks.ForTokenClassification.from_model_and_head_config(base)
    model = headed("sequence-classification", base, pooling="mean")
    inputs = text(6, 6)
    pooled = base(**inputs).last_hidden_state.mean(1)
    assert torch.allclose(model(**inputs).logits, model.sequence_classifier(pooled), atol=1e-6)


SHORTEST = '''
class {{ class_name }}({{ pretrained }}):
    """Scores of the vocabulary, by the embedding itself."""

    def __init__(self, config):
        super().__init__(config)
        self.{{ prefix }} = {{ base }}({{ base_arguments }})
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        states = self.{{ prefix }}(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return states @ self.get_input_embeddings().weight.T
'''


def test_templates_of_the_users_own(tmp_path: Path) -> None:
    """One for a task that there is, and one for another."""
    for name in ("masked_lm", "my_guess"):
        (tmp_path / f"{name}.py.jinja").write_text(SHORTEST)

    class Mine(tasks.ForMaskedLM):  # type: ignore[misc,valid-type]
        templates = tmp_path

    class MyGuess(tasks.Task):
        name = "my-guess"
        templates = tmp_path

    base, inputs = roberta(), text(5)
    for kind in (Mine, MyGuess):
        model = kind.from_model_and_head_config(base).eval()
        assert not [name for name, _ in model.named_parameters() if not name.startswith("roberta.")]
        assert model(**inputs).shape == (1, 5, 31)
    ours = tasks.ForMaskedLM.from_model_and_head_config(base)
    assert hasattr(ours, "masked_lm_head"), "a template of the user's is for those alone who name its folder"


def test_problem_types_have_names_of_their_own() -> None:
    inputs = text(5, 5)
    cases = {
        tasks.ForSingleLabelSequenceClassification: torch.tensor([0, 2]),
        tasks.ForMultiLabelSequenceClassification: torch.tensor([[0.0, 1, 1], [1, 0, 0]]),
        tasks.ForSequenceRegression: torch.rand(2, 3),
    }
    for task, labels in cases.items():
        config = heads.SequenceClassificationHeadConfig(num_labels=3)
        model = task.from_model_and_head_config(roberta(), config).eval()
        loss = {
            tasks.ForSingleLabelSequenceClassification: nn.functional.cross_entropy,
            tasks.ForMultiLabelSequenceClassification: nn.functional.binary_cross_entropy_with_logits,
            tasks.ForSequenceRegression: nn.functional.mse_loss,
        }[task]
        outputs = model(**inputs, labels=labels)
        assert torch.allclose(outputs.loss, loss(outputs.logits, labels))


def test_what_is_refused(tmp_path: Path) -> None:
    llama().save_pretrained(tmp_path / "llama")
    with pytest.raises(archit.InvalidDeclaration, match=r"lacks \d+ weights .* RobertaModel"):
        tasks.ForTokenClassification.from_pretrained(tmp_path / "llama", tf.RobertaModel)
    with pytest.raises(archit.InvalidDeclaration, match="TokenClassificationHeadConfig"):
        tasks.ForTokenClassification.from_model_and_head_config(roberta(), heads.MaskedLMHeadConfig())
    with pytest.raises(archit.InvalidDeclaration, match="base model class"):
        tasks.ForTokenClassification.from_pretrained(tmp_path / "llama", tf.LlamaConfig)  # type: ignore[arg-type]
    with pytest.raises(archit.InvalidDeclaration, match="see those after"):
        tasks.ForCausalLM.from_model_and_head_config(roberta())
    model = headed("token-classification")
    model.save_pretrained(tmp_path / "short")
    tensors = {name: value for name, value in model.state_dict().items() if "classifier.bias" not in name}
    model.save_pretrained(tmp_path / "short", state_dict=tensors)
    with pytest.raises(archit.InvalidDeclaration, match="with a head for token-classification"):
        tasks.ForTokenClassification.from_pretrained(tmp_path / "short", tf.RobertaModel)
