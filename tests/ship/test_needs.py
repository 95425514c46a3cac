"""Packages that import the user's modules say what they need, and are refused clearly where that is missing."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
import transformers as tf

import archit_codegen as archit
from tests.ship import yard

MODULE = '''
from torch import nn


class Halved(nn.Module):
    """Half of what comes in."""

    def forward(self, hidden_states):
        return hidden_states / 2
'''
LOAD = """
import sys
sys.path += sys.argv[2:]
import transformers as tf
model = tf.AutoModelForMaskedLM.from_pretrained(sys.argv[1], trust_remote_code=True)
print(type(model.bert.encoder.layer[0].intermediate.intermediate_act_fn).__module__)
"""


@pytest.fixture()
def mates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    folder = tmp_path / "mates" / "shipmates"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "halved.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(folder.parent))
    return __import__("shipmates.halved").halved  # type: ignore[no-any-return]


def checkpoint(mates: ModuleType, where: Path) -> archit.Package:
    torch.manual_seed(0)
    config = tf.BertConfig(
        vocab_size=31, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12
    )
    live = tf.BertForMaskedLM(config)
    live.bert.encoder.layer[0].intermediate.intermediate_act_fn = mates.Halved()
    package = archit.compile_model(live, name="bert_halved", suffix="Halved", user_code="import")
    loaded = package.load()
    model = loaded.BertForMaskedLMHalved(loaded.BertConfigHalved.from_dict(config.to_dict()))
    model.load_state_dict(live.state_dict())
    model.save_pretrained(where)
    return package


def load(where: Path, home: Path, *paths: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "-c", LOAD, str(where), *paths, *yard.libraries()]
    environment = {"PATH": os.environ.get("PATH", ""), "HF_HUB_OFFLINE": "1", "HF_HOME": str(home), "HOME": str(home)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_package_says_what_it_needs(mates: ModuleType, tmp_path: Path) -> None:
    package = checkpoint(mates, tmp_path / "checkpoint")
    assert "the package needs shipmates to be installed where it is used" in package.notes
    assert "# It needs shipmates to be installed." in package.files["bert_halved/modeling_bert_halved.py"]
    assert not any("modules_" in name for name in package.files)
    without = load(tmp_path / "checkpoint", tmp_path / "home")
    assert without.returncode == 1
    assert "packages that were not found in your environment: shipmates" in without.stderr
    there = load(tmp_path / "checkpoint", tmp_path / "home", str(tmp_path / "mates"))
    assert there.stdout.strip().endswith("shipmates.halved"), there.stderr
