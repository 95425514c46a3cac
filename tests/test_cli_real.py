"""`archit generate` and `archit diff` with the real compiler, and the mistakes that have to end in one clear line."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from archit_codegen.cli import main
from archit_codegen.declaration.loading import load_package, unload_package

SPEC = """
output = "models"

[[model]]
name = "roberta_gated"
surgery = "surgery/gated.py:build"
declared = "transformers:RobertaForMaskedLM"
suffix = "WithGate"
"""
SURGERY = """
import torch
from torch import nn
from transformers import RobertaConfig, RobertaForMaskedLM, RobertaModel


class Gate(nn.Module):
    def __init__(self, width, seed=None):
        super().__init__()
        if width < 1:
            raise ValueError(f"a gate of width {width}")
        self.open = nn.Linear(width, width)

    def forward(self, hidden_states):
        return hidden_states * self.open(hidden_states).sigmoid()


class Picky(nn.Module):
    count = 0

    def __init__(self):
        super().__init__()
        Picky.count += 1
        if Picky.count > 1:
            raise RuntimeError("there can be only one")

    def forward(self, hidden_states):
        return hidden_states


def roberta():
    return RobertaForMaskedLM(RobertaConfig(
        vocab_size=61, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24
    ))


def build():
    model = roberta()
    model.roberta.encoder.layer[1].output.dropout = Gate(model.config.hidden_size)
    return model


def forgot_to_return():
    model = build()


def returns_config():
    return build().config


def base_model():
    return build().roberta


def of_width_zero():
    model = build()
    model.lm_head.layer_norm = Gate(0)
    return model


def of_an_object():
    model = build()
    model.lm_head.layer_norm = Gate(16, seed=object())
    return model


def only_once():
    model = build()
    model.lm_head.layer_norm = Picky()
    return model


def undone():
    return roberta()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch.set_num_threads(1)
    (tmp_path / "surgery").mkdir()
    (tmp_path / "surgery" / "gated.py").write_text(SURGERY)
    (tmp_path / "archit.toml").write_text(SPEC)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def archit(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="archit")


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_diff_shows_what_will_be_emitted(project: Path) -> None:
    before = tree(project)
    result = archit("diff", "roberta_gated")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "RobertaForMaskedLM",
        "└── roberta.encoder.layer.1.output.dropout: Dropout replaced by Gate",
        "emits RobertaOutputWithGate, RobertaLayerWithGate, RobertaPreTrainedModelWithGate, RobertaEncoderWithGate, "
        "RobertaModelWithGate, RobertaForMaskedLMWithGate",
    ]
    assert tree(project) == before


def test_generate_writes_a_package_that_builds(project: Path) -> None:
    result = archit("generate")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("roberta_gated: RobertaForMaskedLMWithGate in ")
    assert "weights = true" in result.stderr or "meta device" in result.stderr
    folder = project / "models" / "roberta_gated"
    assert tree(project / "models") == [
        "roberta_gated",
        "roberta_gated/__init__.py",
        "roberta_gated/archit.lock",
        "roberta_gated/configuration_roberta_gated.py",
        "roberta_gated/modeling_roberta_gated.py",
        "roberta_gated/modules_roberta_gated.py",
    ]
    files = {f"roberta_gated/{path.name}": path.read_text() for path in folder.glob("*.py")}
    assert not any(
        "archit_codegen" in line for text in files.values() for line in text.splitlines() if "import" in line
    )
    package = load_package("roberta_gated", files)
    try:
        small = {"vocab_size": 61, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
        model = package.RobertaForMaskedLMWithGate(package.RobertaConfigWithGate(**small, intermediate_size=24))
        assert type(model.roberta.encoder.layer[1].output.dropout).__name__ == "Gate"
        assert model(torch.randint(3, 61, (2, 5))).logits.shape == (2, 5, 61)
    finally:
        unload_package(package)


def test_with_weights_outputs_are_compared(project: Path) -> None:
    (project / "archit.toml").write_text(SPEC + "weights = true\n")
    result = archit("generate")
    assert result.exit_code == 0 and "note" not in result.stderr, result.stderr


def test_generating_again_changes_nothing(project: Path) -> None:
    archit("generate")
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    assert archit("generate").exit_code == 0
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("gated.py:build", "gated.py:biuld", ["'biuld'", "did you mean 'build'?"]),
        ("surgery/gated.py", "surgery/gatde.py", ["surgery/gatde.py", "did you mean 'gated.py'?"]),
        ("surgery = ", "surgrey = ", ["'surgrey'", "did you mean 'surgery'?"]),
        (":build", ":forgot_to_return", ["has to return the live model", "it returned None"]),
        (":build", ":returns_config", ["has to return the live model", "it returned a RobertaConfig"]),
        ("transformers:RobertaForMaskedLM", "transformers:BertForMaskedLM", ["BertForMaskedLM", "no ancestor"]),
        (":build", ":base_model", ["RobertaForMaskedLM", "no ancestor", "RobertaModel"]),
        ("transformers:RobertaForMaskedLM", "transformers:RobertaConfig", ["has to name an nn.Module class"]),
        ("WithGate", "With-Gate", ["suffix 'With-Gate'", "identifier"]),
        ("WithGate", "WithGäte", ["suffix", "identifier"]),
        (":build", ":of_width_zero", ["surgery/gated.py:11: ValueError: a gate of width 0"]),
        (":build", ":of_an_object", ["lm_head.layer_norm"]),
        (":build", ":only_once", ["lm_head.layer_norm", "there can be only one"]),
        (":build", ":undone", ["RobertaForMaskedLM", "nothing to compile"]),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(project: Path, before: str, after: str, says: list[str]) -> None:
    assert before in SPEC
    (project / "archit.toml").write_text(SPEC.replace(before, after, 1))
    untouched = tree(project)
    result = archit("generate")
    assert result.exit_code == 2, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("archit: ")]
    assert all(text in line for text in says), line
    assert "Traceback" not in result.output and "Please report" not in line
    assert result.stdout == "" and tree(project) == untouched
