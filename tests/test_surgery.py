"""Surgeries are loaded fresh, run without weights, and fail in one line that says where."""

import inspect
import os
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel, PreTrainedModel
from transformers.utils import is_peft_available

from archit_codegen.declaration.record import recorded_call
from archit_codegen.errors import SurgeryError
from archit_codegen.regeneration.imports import project_imports
from archit_codegen.regeneration.spec import ModelSpec
from archit_codegen.regeneration.surgery import declared_class, run_surgery

TINY = "BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, vocab_size=11)"
IMPORTS = "import torch\nfrom torch import nn\nfrom transformers import *\n"


def write(root: Path, text: str, name: str = "surgery/hel.py") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(IMPORTS + text)


def spec(surgery: str, root: Path, declared: str | None = None, weights: bool = False) -> ModelSpec:
    return ModelSpec("x", surgery, "X", root, declared, weights)


def run(root: Path, surgery: str = "surgery/hel.py:build", weights: bool = False) -> nn.Module:
    with project_imports(root):
        return run_surgery(spec(surgery, root, weights=weights), root)


def failure(root: Path, surgery: str = "surgery/hel.py:build", weights: bool = False) -> str:
    path, finders = list(sys.path), list(sys.meta_path)
    with pytest.raises(SurgeryError) as error:
        run(root, surgery, weights)
    assert (sys.path, sys.meta_path) == (path, finders)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_it_runs_on_meta_and_is_recorded(tmp_path: Path) -> None:
    write(tmp_path, "class Own(nn.Linear):\n    kept = 1\ndef build():\n    return nn.Sequential(Own(2, 3))\n")
    live = run(tmp_path)
    assert live[0].weight.device.type == "meta"
    call = recorded_call(live[0])
    assert call is not None and call.args == (2, 3)
    assert "kept = 1" in inspect.getsource(type(live[0]))
    assert torch.zeros(1).device.type == "cpu"


def test_weights_are_had_by_asking(tmp_path: Path) -> None:
    write(
        tmp_path, "def build():\n    linear = nn.Linear(2, 3)\n    linear.weight.detach().numpy()\n    return linear\n"
    )
    assert run(tmp_path, weights=True).weight.device.type == "cpu"
    assert "hel.py:6" in failure(tmp_path) and "weights = true" in failure(tmp_path)


@pytest.mark.parametrize(
    "line",
    ["linear.weight.sum().item()", "linear.weight.nonzero()", "linear.weight @ torch.ones(2, device='cpu')"],
)
def test_values_on_meta_are_explained(tmp_path: Path, line: str) -> None:
    write(tmp_path, f"def build():\n    linear = nn.Linear(2, 3)\n    {line}\n    return linear\n")
    assert "surgery/hel.py:6" in failure(tmp_path) and "weights = true" in failure(tmp_path)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A folder with a config and nothing else: whoever looks for weights fails."""
    config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, vocab_size=11)
    config.save_pretrained(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


@pytest.mark.parametrize("cls", ["BertModel", "AutoModel", "AutoModelForMaskedLM"])
def test_from_pretrained_reads_the_config_only(tmp_path: Path, checkpoint: Path, cls: str) -> None:
    call = f"{cls}.from_pretrained({str(checkpoint)!r}, num_hidden_layers=2, device_map='auto', dtype=torch.float16)"
    write(tmp_path, f"def build():\n    return {call}\n")
    original = PreTrainedModel.__dict__["from_pretrained"]
    live = run(tmp_path)
    assert PreTrainedModel.__dict__["from_pretrained"] is original
    assert isinstance(live, PreTrainedModel) and live.config.num_hidden_layers == 2
    assert {(p.device.type, p.dtype) for p in live.parameters()} == {("meta", torch.float16)}


def test_from_pretrained_with_a_config_of_its_own(tmp_path: Path, checkpoint: Path) -> None:
    text = f"def build():\n    config = {TINY}\n    config.hidden_act = 'relu'\n"
    text += f"    model, info = BertModel.from_pretrained({str(checkpoint)!r}, config=config, "
    text += (
        "add_pooling_layer=False, output_loading_info=True)\n    assert model.config is not config\n    return model\n"
    )
    write(tmp_path, text)
    live = run(tmp_path)
    assert isinstance(live, BertModel) and live.config.hidden_act == "relu" and live.pooler is None


def test_quantized_weights_are_needed(tmp_path: Path, checkpoint: Path) -> None:
    write(
        tmp_path,
        f"def build():\n    return BertModel.from_pretrained({str(checkpoint)!r}, quantization_config={{'a': 1}})\n",
    )
    assert "quantization_config" in failure(tmp_path) and "weights = true" in failure(tmp_path)


@pytest.mark.parametrize("adapter", ["{'revision': None}", "{}", "None"])
def test_the_auto_classes_pass_on_that_there_is_no_adapter(tmp_path: Path, checkpoint: Path, adapter: str) -> None:
    call = f"BertModel.from_pretrained({str(checkpoint)!r}, adapter_kwargs={adapter})"
    write(tmp_path, f"def build():\n    return {call}\n")
    assert isinstance(run(tmp_path), BertModel)


@pytest.mark.parametrize("more", ["adapter_kwargs={'_adapter_model_path': 'x'}", "revision=None"])
def test_the_weights_of_an_adapter_are_needed(tmp_path: Path, checkpoint: Path, more: str) -> None:
    if "adapter" not in more:
        if not is_peft_available():
            pytest.skip("without peft, transformers looks for no adapter")
        (checkpoint / "adapter_config.json").write_text("{}")
    write(tmp_path, f"def build():\n    return BertModel.from_pretrained({str(checkpoint)!r}, {more})\n")
    assert "comes with an adapter" in failure(tmp_path) and "weights = true" in failure(tmp_path)


def test_spelling_mistakes(tmp_path: Path) -> None:
    write(tmp_path, "def build():\n    return nn.Identity()\n")
    write(tmp_path, "", "lab/__init__.py")
    write(tmp_path, "def build():\n    return nn.Identity()\n", "lab/surgeries.py")
    assert "no file surgery/hell.py (did you mean 'hel.py'?)" in failure(tmp_path, "surgery/hell.py:build")
    assert "no 'biuld' in surgery/hel.py (did you mean 'build'?)" in failure(tmp_path, "surgery/hel.py:biuld")
    assert "no module 'lab.surgerys' (did you mean 'surgeries'?)" in failure(tmp_path, "lab.surgerys:build")
    assert "no module 'lob' (did you mean 'lab'?)" in failure(tmp_path, "lob.surgeries:build")
    assert "has to be 'folder/file.py:name'" in failure(tmp_path, "surgery/hel.py")
    assert isinstance(run(tmp_path, "lab.surgeries:build"), nn.Identity)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def build():\n    return None\n", "it returned None"),
        ("def build():\n    return nn.Linear\n", "it returned a type"),
        ("build = 3\n", "has to name a function, it names a int"),
        ("def build():\n    raise ValueError('two\\nlines')\n", "surgery/hel.py:5: ValueError: two lines"),
        ("def build(:\n", "surgery/hel.py:4: SyntaxError"),
        ("import nothing_of_this_name\n", "surgery/hel.py:4: ModuleNotFoundError"),
        ("def build():\n    raise SystemExit(3)\n", "surgery/hel.py:5: SystemExit: 3"),
        ("def build(model):\n    return model\n", "the spec has to name the `config`"),
        ("def build():\n    return nn.Linear('x', 'y')\n", "surgery/hel.py:5"),
    ],
)
def test_failures_say_where(tmp_path: Path, text: str, says: str) -> None:
    write(tmp_path, text)
    assert says in failure(tmp_path)


def test_an_error_in_an_imported_helper_is_placed_there(tmp_path: Path) -> None:
    write(tmp_path, "from helper import make\ndef build():\n    return make()\n")
    write(tmp_path, "def make():\n    return 1 / 0\n", "surgery/helper.py")
    assert "surgery/helper.py:5: ZeroDivisionError" in failure(tmp_path)


@pytest.mark.parametrize("surgery", ["surgery/hel.py:build", "lab.surgery:build"])
def test_an_edit_of_one_size_within_one_second_is_seen(tmp_path: Path, surgery: str) -> None:
    text = "from lab.helper import make\ndef build():\n    return nn.Sequential(make(), nn.Linear(1, {}))\n"
    write(tmp_path, "", "lab/__init__.py")
    for size in (3, 4):
        for name in ("surgery/hel.py", "lab/surgery.py"):
            write(tmp_path, text.format(size), name)
            os.utime(tmp_path / name, (10**9, 10**9))
        write(tmp_path, f"class Own(nn.Linear):\n    pass\ndef make():\n    return Own(1, {size})\n", "lab/helper.py")
        os.utime(tmp_path / "lab/helper.py", (10**9, 10**9))
        live = run(tmp_path, surgery)
        assert [module.out_features for module in live] == [size, size]
        assert f"Own(1, {size})" in inspect.getsource(sys.modules[type(live[0]).__module__])
    assert not list(tmp_path.rglob("*.pyc"))


def test_the_declared_class(tmp_path: Path) -> None:
    with project_imports(tmp_path):
        assert declared_class(spec("x:y", tmp_path, "transformers:BertModel"), tmp_path) is BertModel
        assert declared_class(spec("x:y", tmp_path), tmp_path) is None
        with pytest.raises(SurgeryError, match=r"declared class .*did you mean 'BertModel'"):
            declared_class(spec("x:y", tmp_path, "transformers:BertModle"), tmp_path)
        with pytest.raises(SurgeryError, match=r"has to name an nn.Module class"):
            declared_class(spec("x:y", tmp_path, "transformers:BertConfig"), tmp_path)
