"""Packages in processes without archit_codegen: by import, and as remote code from a checkpoint's folder alone."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.ship import behaviour, yard
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
PAIRS = [(name, kind) for name in MODELS for kind, (_, models) in behaviour.BEHAVIOURS.items() if name in models]


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


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_it_behaves_as_the_live_model(found: dict[str, Any], made: dict[str, Any], name: str, kind: str) -> None:
    live, answer = made[name]["answers"][kind], found[name]["answers"][kind]
    assert not isinstance(live, str), live
    assert behaviour.difference(live, answer) is None


@pytest.mark.parametrize("name", MODELS)
def test_buffers_that_no_checkpoint_carries(found: dict[str, Any], made: dict[str, Any], name: str) -> None:
    assert behaviour.difference(made[name]["buffers"], found[name]["buffers"]) is None


@pytest.mark.parametrize("name", MODELS)
def test_an_auto_class_gives_the_root(imported: dict[str, Any], made: dict[str, Any], name: str) -> None:
    assert imported[name]["class"] and imported[name]["report"] == {}
    assert behaviour.difference(behaviour.plain(made[name]["weights"]), imported[name]["weights"]) is None


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
    assert behaviour.difference(behaviour.plain(made[name]["weights"]), remote[name]["again"]) is None


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ["native", "base"])
def test_checkpoints_of_the_declared_class(found: dict[str, Any], made: dict[str, Any], name: str, kind: str) -> None:
    if kind not in found[name]["native"]:
        pytest.skip("the declared class is its own base model, or a checkpoint cannot tell them apart")
    arrived = found[name]["native"][kind]
    declared = {moved(name, key): weight for key, weight in made[name]["native"].items()}
    prefix = f"{made[name]['live'].base_model_prefix}." if kind == "base" else ""
    expected = {key: weight for key, weight in declared.items() if key.startswith(prefix)}
    here = made[name]["weights"]
    reached = {key for key in expected if key in here and expected[key].shape == here[key].shape}
    assert len(reached) > 20
    assert [key for key in sorted(reached) if not torch.equal(expected[key], arrived["weights"][key])] == []
    tied = set(made[name]["live"].all_tied_weights_keys)
    unknown = {key for key in here if key not in reached} - tied
    assert set(arrived["missing"]) - tied == unknown
    lost = {key for key in expected if key not in here}
    assert {key.removeprefix(prefix) for key in arrived["unexpected"]} == {key.removeprefix(prefix) for key in lost}


def moved(name: str, key: str) -> str:
    old, new = MOVED.get(name, ("", ""))
    return key.replace(old, new, 1) if old and key.startswith(old) else key


@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_has_the_names_of_the_declared_class(
    imported: dict[str, Any], made: dict[str, Any], folder: Path, name: str
) -> None:
    """Conversions work in both directions: what is the same stands there under its old name, split where it was."""
    old = set(saved_names(folder / "native" / name))
    new = set(imported[name]["saved as"])
    kept = {key for key in made[name]["native"] if moved(name, key) in made[name]["weights"]}
    gone = {key for key in made[name]["native"] if key not in kept}
    assert old - gone <= new


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
        assert behaviour.difference(made[name]["outputs"], pieces[kind]) is None, kind


@pytest.mark.parametrize("name", MODELS)
def test_a_config_of_the_declared_class_builds_it(imported: dict[str, Any], name: str) -> None:
    assert imported[name]["old config"]
    assert imported[name]["tokens"] == [4, 5]


@pytest.mark.parametrize("name", ["roberta", "llama", "mixtral"])
def test_a_pipeline_says_what_it_says_of_the_live_model(
    imported: dict[str, Any], remote: dict[str, Any], made: dict[str, Any], folder: Path, name: str
) -> None:
    import transformers as tf

    tokenizer = tf.AutoTokenizer.from_pretrained(folder / "checkpoints" / name)
    task, text = behaviour.PIPELINES[name]
    arguments = {"do_sample": False, "max_new_tokens": 4} if task == "text-generation" else {}
    expected = tf.pipeline(task, model=made[name]["live"], tokenizer=tokenizer)(text, **arguments)
    assert imported[name]["pipeline"] == remote[name]["pipeline"] == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_flex_attention(folder: Path, made: dict[str, Any], compiled_attention: dict[str, Any], name: str) -> None:
    """Where the live model cannot be run with it either, the error is of the same kind."""
    live = behaviour.answers(made[name]["live"], name, slow=True)["flex"]
    there = compiled_attention[name]["answers"]["flex"]
    if isinstance(live, str):
        live, there = live.partition(":")[0], str(there).partition(":")[0]
    assert behaviour.difference(live, there) is None


@pytest.fixture(scope="module")
def compiled_attention(folder: Path, made: dict[str, Any], imported: dict[str, Any]) -> dict[str, Any]:
    """Kernels depend on the shapes that were compiled before: here, too, they start anew."""
    import torch

    torch._dynamo.reset()
    return yard.elsewhere(folder, "slow", list(made), [])
