"""ArchIt's own example, as a script: its class lives in `__main__`, and nothing was recorded."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONFIG = """
import torch
from transformers import RobertaConfig, RobertaForMaskedLM

config = RobertaConfig(
    vocab_size=61, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24
)
"""
AS_IT_STANDS = """
class CoolNewEmbeddingMatrix(torch.nn.Module):
    def forward(self, input_ids): ...
"""
THAT_RUNS = """
class CoolNewEmbeddingMatrix(torch.nn.Module):
    def forward(self, input_ids):
        return torch.nn.functional.one_hot(input_ids % 16, 16).float()  # [batch, length, hidden]
"""
EXAMPLE = """
model = RobertaForMaskedLM(config)
model.roberta.embeddings.word_embeddings = CoolNewEmbeddingMatrix()
from archit_codegen.declaration.compiler import printDifference
printDifference(model, RobertaForMaskedLM)
"""
COMPARE = """
import sys
from archit_codegen import compile_model

package = compile_model(model, RobertaForMaskedLM, name="roberta_cool", suffix="WithCoolEmbedding")
loaded = package.load()
root = getattr(loaded, package.root_class)
rebuilt = root(root.config_class(**config.to_diff_dict()))
rebuilt.load_state_dict(model.state_dict(), strict=True)
rebuilt.save_pretrained(sys.argv[1])
tokens = torch.randint(3, 61, (2, 9))

@torch.no_grad()
def run(which):
    answer = which.eval()(tokens, output_hidden_states=True)
    return (answer.logits, *answer.hidden_states)

for which in (rebuilt, root.from_pretrained(sys.argv[1])):
    assert all(map(torch.equal, run(model), run(which)))
print("# bit-equal, also after save and load:", len(run(model)), "tensors; notes:", list(package.notes))
"""
NEW = ["RobertaEmbeddings", "RobertaPreTrainedModel", "RobertaModel", "RobertaForMaskedLM"]


def run_script(text: str, folder: Path) -> str:
    """What the text prints as a script of its own, from a folder of its own."""
    (folder / "example.py").write_text(text)
    environment = dict(os.environ, PYTHONPATH=str(ROOT), HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1")
    command = [sys.executable, "example.py", str(folder / "checkpoint")]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def classes(text: str) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}


def methods(node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    return run_script(CONFIG + AS_IT_STANDS + EXAMPLE, tmp_path_factory.mktemp("example"))


def test_it_prints_the_users_class_and_the_new_ones(printed: str) -> None:
    assert list(classes(printed)) == ["CoolNewEmbeddingMatrix", *(f"{name}Modified" for name in NEW)]
    assert "def forward(self, input_ids): ..." in printed
    assert "# Create the position ids from the input token ids." in printed, "comments of the original are kept"


def test_the_classes_are_complete(printed: str) -> None:
    found = classes(printed)
    for name in (
        "CoolNewEmbeddingMatrix",
        "RobertaEmbeddingsModified",
        "RobertaModelModified",
        "RobertaForMaskedLMModified",
    ):
        assert "forward" in methods(found[name]), name
    embeddings = ast.unparse(methods(found["RobertaEmbeddingsModified"])["__init__"])
    assert "self.word_embeddings = CoolNewEmbeddingMatrix()" in embeddings
    initialise = ast.unparse(methods(found["RobertaPreTrainedModelModified"])["_init_weights"])
    assert "isinstance(module, RobertaEmbeddingsModified)" in initialise
    assert "self.embeddings = RobertaEmbeddingsModified(config)" in printed
    assert "self.roberta = RobertaModelModified(config, add_pooling_layer=False)" in printed


def test_it_says_that_validation_was_structural(printed: str) -> None:
    (note,) = [line for line in printed.splitlines() if "structural only" in line]
    assert note.startswith("# ") and "the live model's forward raises" in note


def test_with_a_class_that_runs_outputs_are_bit_equal(tmp_path: Path) -> None:
    said = run_script(CONFIG + THAT_RUNS + EXAMPLE + COMPARE, tmp_path)
    assert "structural only" not in said
    assert said.splitlines()[-1] == "# bit-equal, also after save and load: 4 tensors; notes: []"
