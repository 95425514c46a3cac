"""A surgery with a parameter: the spec names the config that it is given, and the package follows it."""

from pathlib import Path

import pytest
from transformers import BertConfig

from archit_codegen.regeneration.generate import difference, regenerate
from archit_codegen.regeneration.results import Outcome, Result
from archit_codegen.regeneration.spec import read_spec

SPEC = """
output = "out"
[[model]]
name = "bert_probe"
surgery = "surgery.py:build"
suffix = "WithProbe"
config = "{config}"
"""
SURGERY = """
from torch import nn
from transformers import BertModel

def build(config):
    model = BertModel(config)
    model.probe = nn.Linear(config.hidden_size // 2, config.vocab_size)
    return model
"""
SIZES = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12, "vocab_size": 23}


def project(root: Path, config: str = "small", surgery: str = SURGERY) -> Path:
    BertConfig(**SIZES).save_pretrained(root / "small")
    (root / "surgery.py").write_text(surgery)
    (root / "archit.toml").write_text(SPEC.format(config=config))
    return root / "archit.toml"


def generated(spec: Path) -> Result:
    return regenerate(read_spec(spec), "bert_probe")


@pytest.mark.parametrize("named", ["small", "small/config.json"])
def test_a_folder_or_a_file(tmp_path: Path, named: str) -> None:
    result = generated(project(tmp_path, named))
    assert result.outcome is Outcome.WRITTEN, result
    text = (tmp_path / "out" / "bert_probe" / "modeling_bert_probe.py").read_text()
    assert "nn.Linear(config.hidden_size // 2, config.vocab_size)" in text


def test_a_spec_says_what_is_vendored(tmp_path: Path) -> None:
    spec = project(tmp_path)
    assert generated(spec).outcome is Outcome.WRITTEN
    folder = tmp_path / "out" / "bert_probe"
    assert not (folder / "modular_bert_probe.py").exists()
    spec.write_text(spec.read_text() + 'vendor = "modular"\n')
    assert generated(spec).outcome is Outcome.WRITTEN
    assert "class BertModelWithProbe(BertPreTrainedModelWithProbe, BertModel)" in (
        (folder / "modular_bert_probe.py").read_text()
    )
    spec.write_text(spec.read_text().replace("modular", "all"))
    assert generated(spec).outcome is Outcome.WRITTEN
    assert not (folder / "modular_bert_probe.py").exists()
    assert "from transformers.models.bert" not in (folder / "modeling_bert_probe.py").read_text()


def test_the_difference_is_that_at_the_config(tmp_path: Path) -> None:
    assert [change.path for change in difference(read_spec(project(tmp_path)), "bert_probe").changes] == ["probe"]


@pytest.mark.parametrize(
    ("config", "surgery", "says"),
    [
        ("nowhere/at-all", SURGERY, "no such file or folder"),
        ("surgery.py", SURGERY, "config 'surgery.py': "),
        ("small", SURGERY.replace("(config)", "()", 1), "take one argument"),
        ("small", SURGERY.replace("BertModel(config)", "1 / 0"), "ZeroDivisionError"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, config: str, surgery: str, says: str) -> None:
    result = generated(project(tmp_path, config, surgery))
    assert result.bad and says in result.text and "\n" not in result.text


def test_a_parameter_and_no_config(tmp_path: Path) -> None:
    spec = project(tmp_path)
    spec.write_text(SPEC.format(config="small").replace('config = "small"', ""))
    result = generated(spec)
    assert result.bad and "has to name the `config`" in result.text
