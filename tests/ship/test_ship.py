"""Packages in processes without archit_codegen: by import, and as remote code from a checkpoint's folder alone."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.ship import behaviour, processors, yard
from tests.ship.changed import MODELS

# Where the weights of the declared class stand in the changed one; what is not named stays where it is.
MOVED = {
    "roberta": ("roberta.encoder.layer.2.", "roberta.encoder.layer.2.layer."),
    "llama": ("model.layers.1.", "model.layers.1.layer."),
    "mixtral": ("model.layers.1.mlp.", "model.layers.1.mlp.layer."),
    "clip": ("vision_model.encoder.layers.1.", "vision_model.encoder.layers.1.layer."),
    "whisper": ("model.encoder.layers.1.", "model.encoder.layers.1.layer."),
}
AUTO = {
    "roberta": ["AutoModelForMaskedLM", "AutoModelForPreTraining"],
    "llama": ["AutoModelForCausalLM"],
    "t5": ["AutoModelForPreTraining", "AutoModelForSeq2SeqLM"],
    "mixtral": ["AutoModelForCausalLM"],
    "clip": ["AutoModel", "AutoModelForZeroShotImageClassification"],
    "whisper": ["AutoModelForSpeechSeq2Seq"],
}
CELLS = [(name, kind) for name in MODELS for kind in behaviour.BEHAVIOURS]
CANNOT = [(name, kind) for name, kind in CELLS if name in behaviour.CANNOT.get(kind, {})]
CAN = [cell for cell in CELLS if cell not in CANNOT]


@pytest.fixture(params=["changed", pytest.param("all", marks=pytest.mark.slow)], scope="module")
def vendor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, vendor: str) -> Path:
    return tmp_path_factory.mktemp(f"ship_{vendor}")


@pytest.fixture(scope="module")
def made(folder: Path, vendor: str) -> dict[str, dict[str, Any]]:
    return {name: yard.make(folder, name, vendor=vendor) for name in MODELS}


@pytest.fixture(scope="module")
def imported(folder: Path, made: dict[str, Any]) -> dict[str, Any]:
    return yard.elsewhere(folder, "package", list(made), [folder / "packages"])


@pytest.fixture(scope="module")
def remote(folder: Path, made: dict[str, Any], imported: dict[str, Any]) -> dict[str, Any]:
    """After the checkpoints were written; the packages are not on its path."""
    return yard.elsewhere(folder, "remote", list(made), [])


@pytest.fixture(params=["imported", "remote"], scope="module")
def found(request: pytest.FixtureRequest) -> dict[str, Any]:
    result = request.getfixturevalue(request.param)
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize(("name", "kind"), CAN)
def test_it_behaves_as_the_live_model(found: dict[str, Any], made: dict[str, Any], name: str, kind: str) -> None:
    live, answer = made[name]["answers"][kind], found[name]["answers"][kind]
    assert not isinstance(live, str), live
    assert yard.difference(live, answer) is None


@pytest.mark.parametrize(("name", "kind"), CANNOT)
def test_what_it_cannot_do_the_declared_class_cannot_do(
    found: dict[str, Any], made: dict[str, Any], name: str, kind: str
) -> None:
    pattern = behaviour.CANNOT[kind][name]
    for answer in (made[name]["cannot"][kind], made[name]["answers"][kind], found[name]["answers"][kind]):
        assert isinstance(answer, str) and re.match(pattern, answer), answer


@pytest.mark.parametrize("name", [name for name in MODELS if name != "mixtral"])
def test_training_is_resumed_from_a_checkpoint(made: dict[str, Any], name: str) -> None:
    """The trainer of transformers reads checkpoints without their conversions: with fused experts it fails there."""
    assert made[name]["answers"]["training"]["resumed"]
    assert not made["mixtral"]["answers"]["training"]["resumed"]


@pytest.mark.parametrize("name", MODELS)
def test_buffers_that_no_checkpoint_carries(found: dict[str, Any], made: dict[str, Any], name: str) -> None:
    assert yard.difference(made[name]["buffers"], found[name]["buffers"]) is None


@pytest.mark.parametrize("name", MODELS)
def test_an_auto_class_gives_the_root(imported: dict[str, Any], made: dict[str, Any], name: str) -> None:
    assert imported[name]["class"] and imported[name]["report"] == {}
    assert yard.difference(behaviour.plain(made[name]["weights"]), imported[name]["weights"]) is None


@pytest.mark.parametrize("name", MODELS)
def test_every_auto_class_stands_in_the_checkpoint(remote: dict[str, Any], name: str) -> None:
    assert remote[name]["auto_map"] == ["AutoConfig", *AUTO[name]]
    assert {remote[name][auto] for auto in AUTO[name]} == {f"{type(yard.live_model(name)).__name__}ToShip"}


@pytest.mark.parametrize("name", MODELS)
def test_remote_code_is_asked_for_trust_and_saved_again(
    remote: dict[str, Any], made: dict[str, Any], name: str
) -> None:
    assert "trust_remote_code=True" in remote[name]["untrusted"]
    assert remote[name]["files"] == [f"{file}_{name}_ship.py" for file in ("configuration", "modeling", "modules")]
    assert yard.difference(behaviour.plain(made[name]["weights"]), remote[name]["again"]) is None


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ["native", "base"])
def test_checkpoints_of_the_declared_class(found: dict[str, Any], made: dict[str, Any], name: str, kind: str) -> None:
    live = made[name]["live"]
    assert (kind in found[name]["native"]) == (kind == "native" or live.base_model is not live)
    if kind not in found[name]["native"]:
        return  # the declared class is its own base model
    arrived = found[name]["native"][kind]
    declared = {moved(name, key): weight for key, weight in made[name]["native"].items()}
    prefix = f"{live.base_model_prefix}." if kind == "base" else ""
    expected = {key: weight for key, weight in declared.items() if key.startswith(prefix)}
    here = made[name]["weights"]
    reached = {key for key in expected if key in here and expected[key].shape == here[key].shape}
    assert len(reached) > 20
    assert [key for key in sorted(reached) if not torch.equal(expected[key], arrived["weights"][key])] == []
    tied = set(live.all_tied_weights_keys)
    unknown = {key for key in here if key not in reached} - tied
    assert set(arrived["missing"]) - tied == unknown
    lost = {key for key in expected if key not in here}
    assert {key.removeprefix(prefix) for key in arrived["unexpected"]} == {key.removeprefix(prefix) for key in lost}


def moved(name: str, key: str) -> str:
    old, new = MOVED.get(name, ("", ""))
    return key.replace(old, new, 1) if old and key.startswith(old) else key


@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_is_converted_back_and_keeps_the_names_of_the_new_class(
    imported: dict[str, Any], made: dict[str, Any], folder: Path, name: str
) -> None:
    """What transformers fuses is split again; what a wrapper moved stands where the new class has it."""
    old, new = saved_names(folder / "native" / name), imported[name]["saved as"]
    assert any(".experts.0.w1." in key for key in new) == (name == "mixtral")
    here = made[name]["weights"]
    gone = {key for key in made[name]["native"] if moved(name, key) not in here}
    expected = {moved(name, key.replace(".block_sparse_moe.", ".mlp.")) for key in old if key not in gone}
    assert expected <= {key.replace(".block_sparse_moe.", ".mlp.") for key in new}


def saved_names(folder: Path) -> list[str]:
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as file:
        return list(file.keys())


@pytest.mark.parametrize("name", MODELS)
def test_shards_devices_and_precision(imported: dict[str, Any], made: dict[str, Any], name: str) -> None:
    pieces = imported[name]["pieces"]
    assert pieces["files"] > 1
    assert pieces["half"] == ["torch.bfloat16"]
    assert pieces["devices"] == pieces["automatic devices"] == ["cpu", "disk"]
    assert pieces["unsplit"] == []
    for kind in ("shards", "offloaded", "automatic"):
        assert yard.difference(made[name]["outputs"], pieces[kind]) is None, kind


@pytest.mark.parametrize("name", MODELS)
def test_a_config_of_the_declared_class_builds_it(imported: dict[str, Any], name: str) -> None:
    assert imported[name]["old config"]
    assert imported[name]["tokens"] == processors.processors(name)["tokenizer"]("t4 t5")["input_ids"]


@pytest.mark.parametrize("name", MODELS)
def test_a_pipeline_says_what_it_says_of_the_live_model(
    imported: dict[str, Any], remote: dict[str, Any], made: dict[str, Any], name: str
) -> None:
    live = made[name]["live"]
    tasks = processors.tasks(type(live))
    if name == "whisper":
        told = "transformers.pipelines.automatic_speech_recognition asks for the model type whisper:"
        assert any(note.startswith(told) for note in made[name]["notes"])
    if name not in processors.PIPELINES:
        assert tasks == []
    else:
        assert processors.PIPELINES[name][0] in tasks
        expected = processors.piped(live, name, **processors.processors(name))
        assert name != "whisper" or expected["text"]
        assert imported[name]["pipeline"] == remote[name]["pipeline"] == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_flex_attention(folder: Path, made: dict[str, Any], compiled_attention: dict[str, Any], name: str) -> None:
    """Where the live model cannot be run with it either, the error is of the same kind."""
    live = behaviour.answers(made[name]["live"], name, ["flex"])["flex"]
    there = compiled_attention[name]["answers"]["flex"]
    if isinstance(live, str):
        live, there = live.partition(":")[0], str(there).partition(":")[0]
    assert yard.difference(live, there) is None


@pytest.fixture(scope="module")
def compiled_attention(folder: Path, made: dict[str, Any], imported: dict[str, Any]) -> dict[str, Any]:
    """Kernels depend on the shapes that were compiled before: here, too, they start anew."""
    import torch

    torch._dynamo.reset()
    return yard.elsewhere(folder, "slow", list(made), [])
