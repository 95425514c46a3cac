"""Heads in a spec: tasks, head classes and templates of the user's."""

from pathlib import Path

import pytest

import archit_codegen as archit
from archit_codegen.regeneration.generate import regenerate
from archit_codegen.regeneration.results import Result
from archit_codegen.regeneration.spec import read_spec

SPEC = """
output = "out"

[[model]]
name = "tiny_spec"
surgery = "surgery.py:build"
suffix = "Spec"
"""
SURGERY = """
import torch
from torch import nn
from transformers import RobertaConfig, RobertaModel


class MyHead(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.linear = nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, hidden_states, attention_mask=None):
        return self.linear(hidden_states)


def build():
    return RobertaModel(
        RobertaConfig(vocab_size=31, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    )
"""


def generated(folder: Path, line: str) -> Result:
    (folder / "archit.toml").write_text(SPEC + line)
    (folder / "surgery.py").write_text(SURGERY)
    return regenerate(read_spec(folder / "archit.toml"), "tiny_spec")


def test_heads_are_written_beside_the_model(tmp_path: Path) -> None:
    heads = 'heads = ["masked-lm", "token-classification=surgery.py:MyHead", "my-task"]\ntemplates = "mine"'
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "my_task.py.jinja").write_text(
        "class {{ class_name }}({{ pretrained }}):\n"
        "    def __init__(self, config):\n        super().__init__(config)\n"
        "        self.{{ prefix }} = {{ base }}({{ base_arguments }})\n        self.post_init()\n\n"
        "    def forward(self, input_ids=None, attention_mask=None):\n"
        "        return self.{{ prefix }}(input_ids, attention_mask)\n"
    )
    result = generated(tmp_path, heads)
    assert not result.bad, result.text
    text = (result.package / "modeling_tiny_spec_heads.py").read_text()
    for name in ("MaskedLM", "TokenClassification", "MyTask"):
        assert f"class RobertaFor{name}Spec(" in text
    assert "self.token_classifier = MyHead(config)" in text
    assert "class MyHead(nn.Module)" in (result.package / "modules_tiny_spec.py").read_text()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('heads = ["token-clasification"]', "no task 'token-clasification'"),
        ('heads = ["masked-lm", "masked-lm"]', "named twice"),
        ('heads = ["masked-lm=surgery.py:build"]', "subclass of nn.Module"),
        ('heads = ["masked-lm=surgery.py:Missing"]', "Missing"),
    ],
)
def test_what_cannot_be_a_head(tmp_path: Path, line: str, says: str) -> None:
    result = generated(tmp_path, line)
    assert result.bad and says in result.text and not (tmp_path / "out").exists()


@pytest.mark.parametrize("line", ['heads = "masked-lm"', "heads = [1]", 'heads = [""]'])
def test_a_list_of_tasks_is_wanted(tmp_path: Path, line: str) -> None:
    with pytest.raises(archit.SpecError, match="heads"):
        generated(tmp_path, line)
