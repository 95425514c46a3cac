"""One model, compiled for real: what its lock remembers, what is refused, and what an upgrade report says of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import dynamic_module_utils

from archit_codegen.disk.lock import LOCK_NAME, read_lock
from archit_codegen.regeneration.freshness import Examiner
from archit_codegen.regeneration.generate import imported, preview, regenerate
from archit_codegen.regeneration.results import Outcome, Result
from archit_codegen.regeneration.spec import Spec, read_spec
from archit_codegen.regeneration.upgrade import judged

SPEC = """
output = "models"
[[model]]
name = "tiny"
surgery = "surgery/tiny.py:build"
suffix = "X"
"""
SURGERY = """
import json
from pathlib import Path
from torch import nn
from surgery.sizes import WIDTH

class Tiny(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(width, width)
        self.last = nn.ReLU()

    def forward(self, x):
        return self.last(self.first(x))

def build():
    bias = json.loads((Path(__file__).parent.parent / "data" / "bias.json").read_text())
    tiny = Tiny(WIDTH)
    tiny.first = nn.Linear(WIDTH, WIDTH, bias=bias)
    tiny.last = nn.GELU()
    return tiny
"""


def write(root: Path, path: str, text: str) -> Path:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    return root / path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    write(tmp_path, "surgery/tiny.py", SURGERY)
    write(tmp_path, "surgery/sizes.py", "WIDTH = 4\n")
    write(tmp_path, "data/bias.json", "false")
    write(tmp_path, "archit.toml", SPEC)
    return tmp_path


def spec_of(root: Path) -> Spec:
    return read_spec(root / "archit.toml")


def generate(root: Path, **options: bool) -> Result:
    return regenerate(spec_of(root), "tiny", **options)


def reasons(root: Path) -> list[str]:
    (status,) = Examiner(spec_of(root)).models()
    return [problem.text for problem in status.problems]


def test_the_lock_remembers_what_was_run(root: Path) -> None:
    result = generate(root)
    assert result.outcome is Outcome.WRITTEN and result.text == "TinyX", result.text
    lock = read_lock(root / "models" / "tiny")
    assert lock is not None and list(lock.origin.sources) == ["surgery/sizes.py", "surgery/tiny.py"]
    assert lock.origin.declared.endswith(":Tiny") and lock.origin.spec == "../../archit.toml"
    assert str(root) not in (root / "models" / "tiny" / LOCK_NAME).read_text() and reasons(root) == []
    assert generate(root).outcome is Outcome.UNCHANGED
    write(root, "surgery/sizes.py", "WIDTH = 5\n")
    assert reasons(root) == ["surgery/sizes.py changed"]
    assert generate(root).outcome is Outcome.WRITTEN and reasons(root) == []


def test_what_a_surgery_reads_has_to_be_listed(root: Path) -> None:
    said = "the surgery reads data/bias.json, which `inputs` does not list"
    assert said in generate(root).notes
    write(root, "data/bias.json", "true ")
    assert reasons(root) == []
    write(root, "archit.toml", SPEC + 'inputs = ["data/*.json"]\n')
    assert reasons(root) == ["the spec of tiny changed", "data/bias.json is new"]
    assert said not in generate(root).notes and reasons(root) == []
    write(root, "data/bias.json", "false")
    assert reasons(root) == ["data/bias.json changed"]
    write(root, "archit.toml", SPEC + 'inputs = ["data/bais.json"]\n')
    result = generate(root)
    assert (
        result.outcome is Outcome.FAILED and "the input 'data/bais.json' of model 'tiny' is not there" in result.text
    )


def test_a_hand_edit_is_shown_against_what_was_generated(root: Path) -> None:
    generate(root)
    model = root / "models" / "tiny" / "modeling_tiny.py"
    before = model.read_text()
    model.write_text(before.replace("self.last(", "2 * self.last("))
    result = generate(root)
    assert result.outcome is Outcome.REFUSED and result.files == ("modeling_tiny.py",)
    assert "-        return 2 * self.last(" in result.diff and "+        return self.last(" in result.diff
    assert "2 * self.last(" in model.read_text()
    result = generate(root, overwrite=True)
    assert model.read_text() == before and "2 * self.last(" in model.with_name("modeling_tiny.py.orig").read_text()
    assert result.notes[-1] == "the old modeling_tiny.py was kept beside it"


def test_a_link_to_elsewhere_is_refused(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (root / "models").symlink_to(elsewhere)
    for result in (generate(root, overwrite=True), preview(spec_of(root), "tiny"), imported(spec_of(root), "tiny")):
        assert "by a link" in result.text and result.bad
    assert list(elsewhere.iterdir()) == []


def test_a_package_imports_or_says_why_not(root: Path) -> None:
    generate(root)
    assert imported(spec_of(root), "tiny").outcome is Outcome.UNCHANGED
    write(root, "models/tiny/modeling_tiny.py", "import nothing_of_this_name\n")
    result = imported(spec_of(root), "tiny")
    assert result.bad and result.text == (
        "importing it raises ModuleNotFoundError: No module named 'nothing_of_this_name'"
    )


def test_an_upgrade_report(root: Path) -> None:
    generate(root)
    assert report(root) == ("same", "", "")
    lock = root / "models" / "tiny" / LOCK_NAME
    lock.write_text(lock.read_text().replace('"transformers": "5.', '"transformers": "4.'))
    write(root, "surgery/sizes.py", "WIDTH = 3\n")
    verdict, why, diff = report(root)
    assert verdict == "same" and why == "" and diff == ""
    write(root, "surgery/tiny.py", SURGERY.replace("nn.GELU", "nn.SiLU"))
    verdict, why, diff = report(root)
    assert (
        verdict == "changed source" and why.startswith("transformers 5.") and "+        self.last = nn.SiLU()" in diff
    )
    write(root, "surgery/tiny.py", SURGERY.replace("nn.Linear(WIDTH, WIDTH, bias", "nn.Linaer(WIDTH, WIDTH, bias"))
    verdict, why, diff = report(root)
    assert verdict == "refused" and "surgery/tiny.py:19: AttributeError" in why


def report(root: Path) -> tuple[str, str, str]:
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    line = judged(preview(spec_of(root), "tiny"))
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    return line.verdict, line.why, line.diff


def test_a_new_minor_version_in_the_header_is_no_change(root: Path) -> None:
    result = Result("x", root, Outcome.DIFFERENT, "X", (), "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-{}+{}".format(
        "# BertModel of transformers 5.23, modified.\n", "# BertModel of transformers 5.24, modified.\n"
    ))  # fmt: skip
    assert judged(result).verdict == "same"
    changed = replace(result, diff=result.diff + "+class Y:\n")
    assert judged(changed).verdict == "changed source"


REMOTE = """
import transformers
open({trace!r}, "w").close()
class RemoteConfig(transformers.BertConfig):
    model_type = "remote"
class RemoteModel(transformers.BertModel):
    config_class = RemoteConfig
"""


@pytest.mark.parametrize("asked", ["trust_remote_code=True", ""])
@pytest.mark.parametrize("trusted", [False, True])
def test_remote_code_is_run_only_where_the_spec_trusts_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool, asked: str
) -> None:
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(root / "cache"))
    monkeypatch.setattr("builtins.input", lambda *a: pytest.fail("it asked"))
    trace = root / "trace"
    write(root, "remote/modeling_remote.py", REMOTE.format(trace=str(trace)))
    small = {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
        "vocab_size": 9,
    }
    auto_map = {"AutoConfig": "modeling_remote.RemoteConfig", "AutoModel": "modeling_remote.RemoteModel"}
    write(root, "remote/config.json", json.dumps({"model_type": "remote", "auto_map": auto_map, **small}))
    write(root, "surgery/tiny.py", (
        "from torch import nn\nfrom transformers import AutoModel\ndef build():\n"
        f"    model = AutoModel.from_pretrained({str(root / 'remote')!r}, {asked})\n"
        "    model.pooler = nn.Identity()\n    return model\n"
    ))  # fmt: skip
    write(root, "archit.toml", f"{SPEC}trust_remote_code = {str(trusted).lower()}\n")
    result = preview(spec_of(root), "tiny")
    assert trace.exists() is (trusted and bool(asked)), result.text
    if not trusted and asked:
        assert "set `trust_remote_code = true` for this model in the spec" in result.text
    if not asked:
        assert "trust_remote_code=True" in result.text
