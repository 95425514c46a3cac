"""`diff`, `compile_model` and the package: typed changes, nothing disturbed, the same text each time."""

import functools
import importlib
import io
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import black
import pytest
import torch
from torch import nn

import archit_codegen as archit
from archit_codegen.declaration import changes, compiler
from tests.goldens import CASES, expected
from tests.judge import judge
from tests.matrix import fingerprint
from tests.small import bert, compiled, inputs_of, llama, said


def modified() -> Any:
    live = llama()
    live.model.layers[0].self_attn.scaling = 0.125
    live.model.layers[1].mlp = nn.Identity()
    live.model.layers[2].mlp.up_proj.bias = nn.Parameter(torch.rand(12))
    live.model.embed_tokens.requires_grad_(False)
    live.model.norm = nn.LayerNorm(8)
    live.probe = nn.Linear(8, 2)
    return live


@functools.cache
def package_of_modified() -> tuple[Any, Any]:
    live = modified()
    return live, compiled(live)


def test_changes_are_typed() -> None:
    found = {change.path: change for change in archit.diff(modified()).changes}
    assert {path: type(change) for path, change in found.items()} == {
        "model.embed_tokens": changes.Frozen,
        "model.layers.0.self_attn.scaling": changes.AttributeChanged,
        "model.layers.1.mlp": changes.Replaced,
        "model.layers.2.mlp.up_proj": changes.Replaced,
        "model.norm": changes.Replaced,
        "probe": changes.Added,
    }
    assert found["model.layers.0.self_attn.scaling"].slot == "scaling"


def test_a_difference_is_a_readable_tree() -> None:
    assert str(archit.diff(modified(), suffix="WithX")).splitlines() == [
        "LlamaForCausalLM",
        "├─ model",
        "│  ├─ layers",
        "│  │  ├─ 0.self_attn.scaling: set to 0.125",
        "│  │  ├─ 1.mlp: LlamaMLP replaced by Identity",
        "│  │  └─ 2.mlp.up_proj: Linear constructed with other arguments",
        "│  ├─ norm: LlamaRMSNorm replaced by LayerNorm",
        "│  └─ embed_tokens: frozen",
        "└─ probe: Linear added",
        "emits LlamaMLPWithX, LlamaAttentionWithX, LlamaDecoderLayerWithX, LlamaDecoderLayerWithX2, "
        "LlamaDecoderLayerWithX3, LlamaPreTrainedModelWithX, LlamaModelWithX, LlamaForCausalLMWithX",
    ]


def test_no_difference() -> None:
    found = archit.diff(bert())
    assert not found and found.changes == () and str(found) == "BertForMaskedLM"


@pytest.mark.parametrize("heads", [(), ("token-classification",)])
def test_without_validation_nothing_is_proved_and_a_note_says_so(
    heads: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    live = llama()
    live.model.norm = nn.LayerNorm(8)
    proved = compiled(live, heads=heads)
    for name in ("check_files", "check_heads", "validate"):
        monkeypatch.setattr(compiler, name, refuse)
    unproved = compiled(live, heads=heads, validation=False)
    assert unproved.files == proved.files and unproved.notes.count(compiler.UNPROVED) == 1
    assert compiler.UNPROVED not in proved.notes
    with pytest.raises(archit.ValidationFailed):
        compiled(live, heads=heads)


def test_what_may_stand_in_a_file_is_asked_without_validation_too() -> None:
    with pytest.raises(archit.UnsupportedChange, match="turns the text around"):
        compiler._unproved({"a/modules_a.py": "x = 1  # \u202e"})


def refuse(*args: object, **kwargs: object) -> None:
    raise archit.ValidationFailed("", "refused")


@pytest.mark.parametrize("order", [(0, 2), (2, 1, 0), (0, 0, 1, 1, 2, 2)])
def test_a_list_in_another_order_is_one_change(order: tuple[int, ...]) -> None:
    live = bert()
    layers = list(live.bert.encoder.layer)
    live.bert.encoder.layer = nn.ModuleList([layers[index] for index in order])
    (change,) = [change for change in archit.diff(live).changes if isinstance(change, changes.Arranged)]
    assert (change.path, change.order, change.size) == ("bert.encoder.layer", order, 3)


@pytest.mark.parametrize("fails", [False, True])
def test_the_live_model_and_the_random_state_are_untouched(fails: bool) -> None:
    live = modified().train()
    live.model.layers[0].eval()
    live.lm_head.weight.grad = torch.ones_like(live.lm_head.weight)
    if fails:
        live.model.rotary_emb.inv_freq.mul_(0.5)
    torch.manual_seed(7)
    before, loaded = seen_from_outside(live), set(sys.modules)
    with pytest.raises(archit.UnsupportedChange) if fails else nullcontext():
        archit.compile_model(live, name="tiny_x", suffix="WithX")
    assert seen_from_outside(live) == before
    assert not [name for name in set(sys.modules) - loaded if "tiny_x" in name]


def seen_from_outside(live: Any) -> tuple[object, ...]:
    names = [list(vars(module)) for module in live.modules()]
    gradients = {name: weight.grad.tolist() for name, weight in live.named_parameters() if weight.grad is not None}
    return fingerprint(live), names, gradients, live.config.to_dict()


def test_the_same_files_each_time() -> None:
    _, first = package_of_modified()
    second = compiled(modified())
    assert dict(first.files) == dict(second.files) and list(first.files) == list(second.files)
    assert first.declared == second.declared and first.classes == second.classes


HASHED = """
import sys
from torch import nn
from tests.small import compiled, llama

live = llama()
for layer in live.model.layers:
    layer.self_attn.note = {*"abcdef"}
live.model.norm = nn.LayerNorm(8)
package = compiled(live)
print(package.files, package.declared, package.classes, ascii(package.notes), file=stream)
"""


def test_the_same_text_under_another_hash_seed(tmp_path: Path) -> None:
    here = io.StringIO()
    exec(HASHED, {"stream": here})
    environment = {**os.environ, "PYTHONPATH": str(Path(archit.__file__).parent.parent), "PYTHONHASHSEED": "1"}
    script = HASHED.replace("stream", "sys.stdout")
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    assert run.stdout.decode() == here.getvalue()


def test_hand_edits_are_refused(tmp_path: Path) -> None:
    _, package = package_of_modified()
    folder = package.write(tmp_path)
    assert folder == tmp_path / "tiny_x"
    assert package.write(tmp_path) == folder, "what is its own is written again"
    (folder / "mine.txt").write_text("kept")
    (folder / "modeling_tiny_x.py").write_text("edited")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(archit.WriteRefused, match="edited by hand") as caught:
        package.write(tmp_path)
    assert list(caught.value.files) == ["modeling_tiny_x.py"]
    assert before == {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    package.write(tmp_path, overwrite=True)
    assert (folder / "modeling_tiny_x.py").read_text() == package.files["tiny_x/modeling_tiny_x.py"]
    assert (folder / "mine.txt").read_text() == "kept"


def test_a_package_is_modified_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that was emitted is a declared class like any other: a second surgery on top of the first."""
    _, package = package_of_modified()
    package.write(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("tiny_x")
    monkeypatch.setitem(sys.modules, "tiny_x", module)
    root = getattr(module, package.root_class)
    torch.manual_seed(0)
    live = root(root.config_class.from_dict(llama().config.to_dict() | {"model_type": "tiny_x"})).eval()
    live.model.layers[2].mlp.act_fn = nn.GELU().eval()
    again = archit.compile_model(live, name="tiny_y", suffix="Again", inputs=inputs_of(live))
    assert again.root_class == "LlamaForCausalLMWithXAgain"
    # The first surgery froze a module, and from_pretrained keeps no requires_grad: a note, not a difference.
    judge(live, again, inputs_of(live), saved=False)
    said(again.files, "self.act_fn = nn.GELU()", "self.scaling = 0.125")
    for name in [name for name in sys.modules if name.split(".")[0] == "tiny_x"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("case", CASES)
def test_black_leaves_golden_files_as_they_are(case: str) -> None:
    mode = black.Mode(line_length=119)
    for name, text in expected(case).items():
        if name.endswith(".py"):
            assert black.format_str(text, mode=mode) == text, name
