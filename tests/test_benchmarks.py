"""What the benchmarks measure is what they say; no time is asserted."""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf
from torch import nn

import archit_codegen
from archit_codegen.regeneration.spec import read_spec
from benchmarks import clock, growth, others, results, specs
from benchmarks.caches import OF_TEXTS
from benchmarks.floor import floor_of
from benchmarks.measured import measured_on
from benchmarks.models import CASES, swap
from benchmarks.parts import ScaledEmbedding
from benchmarks.stages import BUILD, STAGES, stage_seconds
from tests.small import SHAPE, TEXT


@pytest.fixture
def live() -> nn.Module:
    with torch.device("meta"):
        model = tf.LlamaForCausalLM(tf.LlamaConfig(**TEXT, num_key_value_heads=1, tie_word_embeddings=True))
    swap(model, "model.embed_tokens")
    return model.eval()


def test_the_floor_is_measured_on_the_classes_that_become_variants(live: nn.Module) -> None:
    floor = floor_of(live)
    heads = [text.partition("(")[0].rpartition(" ")[2] for text in floor.originals]
    assert sorted(heads) == ["LlamaForCausalLM", "LlamaModel", "LlamaPreTrainedModel"]
    assert len(floor.emitted) == 4 and "class ScaledEmbedding" in "".join(floor.emitted)
    assert [module.code for module in floor.parse()] == list(floor.originals)


def test_the_floor_formats_the_emitted_text_once(live: nn.Module) -> None:
    floor = floor_of(live)
    assert floor.format() == list(floor.emitted)  # nothing changes: that is where black stops after one pass


def test_the_floor_builds_the_declared_class(live: nn.Module) -> None:
    built = floor_of(live).build()
    assert type(built) is tf.LlamaForCausalLM and type(built.model.embed_tokens) is nn.Embedding
    assert {parameter.device.type for parameter in built.parameters()} == {"meta"}
    assert built.config.num_hidden_layers == SHAPE["num_hidden_layers"]


def test_the_swapped_embedding_keeps_the_weights(live: nn.Module) -> None:
    embedding = live.get_submodule("model.embed_tokens")
    assert type(embedding) is ScaledEmbedding and embedding.weight is live.get_submodule("lm_head").weight


def test_there_are_twelve_models() -> None:
    assert len({case.cls for case in CASES}) == len({case.title for case in CASES}) == 12


def modules() -> Iterator[str]:
    for found in pkgutil.walk_packages(archit_codegen.__path__, "archit_codegen."):
        if not found.name.endswith("__main__"):
            yield found.name


def test_every_cache_over_texts_is_forgotten() -> None:
    """One that is not would make the second compile of a model look faster than the first."""
    known = set()
    for name in modules():
        for value in vars(importlib.import_module(name)).values():
            if hasattr(value, "cache_clear") and "text" in inspect.signature(value).parameters:
                known.add(value)
    assert known == set(OF_TEXTS)


def test_the_shares_of_the_stages_are_those_of_the_whole(live: nn.Module) -> None:
    def compile_it() -> None:
        archit_codegen.compile_model(live, name="tiny_x", suffix="WithX")

    taken = stage_seconds(compile_it)
    assert taken.keys() == {*STAGES, "other"} and all(seconds > 0 for seconds in taken.values())
    assert sum(clock.shares(taken).values()) == pytest.approx(1)
    assert stage_seconds(compile_it, BUILD).keys() == {"build", "other"}


def test_ratios_are_of_the_same_round() -> None:
    assert clock.ratio([2, 30, 4], [1, 10, 2]) == 2  # the slow second round slows both


def test_works_are_done_in_turns_and_caches_are_forgotten_before_each() -> None:
    done: list[str] = []
    works = {name: lambda name=name: done.append(name) for name in "ab"}
    times = clock.in_turns(works, 2, lambda: done.append("-"))
    assert done == ["-", "a", "-", "b", "-", "a", "-", "b"]
    assert [len(found) for found in times.values()] == [2, 2]


def test_results_keep_other_sections(tmp_path: Path) -> None:
    file = tmp_path / "speed.json"
    results.keep("a", {"x": 1.23456}, file)
    results.keep("b", [0.0001239, 5], file)
    states = {"a": results.state(), "b": results.state()}
    assert json.loads(file.read_text()) == {"a": {"x": 1.23}, "b": [0.000124, 5], "states": states}
    assert results.read(file)["a"] == {"x": 1.23} and [path.name for path in tmp_path.iterdir()] == ["speed.json"]


def test_the_report_says_what_was_measured_on_which_commit() -> None:
    states = {"growth depth": "1234567", "growth parameters": "1234567", "growth models": "89abcde", "memory": "0"}
    told = "Measured on `1234567` (layers of the model, parameters), `89abcde` (models in a spec).\n"
    assert measured_on(states, "growth") == told
    assert measured_on(states, "memory") == "Measured on `0`.\n" and measured_on(states, "x") == ""


def test_a_point_is_the_least_of_the_rounds() -> None:
    rounds = [{"plain": 3.0, "proved": 9.0}, {"plain": 4.0, "proved": 6.0}]
    assert growth.point(rounds) == {"plain": 3.0, "proved": 6.0}


def test_exponents_are_those_of_the_last_points() -> None:
    assert growth.exponent({x: 5 * x**1.5 for x in (1, 2, 4, 8)}) == pytest.approx(1.5)
    assert growth.exponent({1: 100, 2: 100, 4: 4, 8: 8, 16: 16, 32: 32}) == pytest.approx(1)
    assert growth.spread({1: 2, 2: 3, 4: 2.5}) == 1.5


@pytest.mark.parametrize("number", [1, 3])
def test_layers_are_changed_alike_or_apart(number: int) -> None:
    models: dict[bool, Any] = {alike: growth.changed(number, alike=alike) for alike in (True, False)}
    for alike, model in models.items():
        norms = [layer.input_layernorm for layer in model.model.layers]
        other = {norm.eps for norm in norms if type(norm) is nn.LayerNorm}
        assert sum(type(norm) is nn.LayerNorm for norm in norms) == number
        assert len(norms) == growth.DEEPEST and len(other) == (1 if alike else number)


@pytest.mark.parametrize("parameters", growth.PARAMETERS)
def test_models_have_as_many_parameters_as_they_say(parameters: float) -> None:
    live = growth.of_parameters(parameters)
    assert sum(parameter.numel() for parameter in live.parameters()) == pytest.approx(parameters, rel=0.1)


def test_an_error_of_something_else_is_named(live: nn.Module) -> None:
    """And `torch.export` gives its text: what is compared with has to be at work."""
    assert "class GraphModule" in others.exported(live)
    assert others._multiple(lambda _: 1 / 0, live, 1) == "ZeroDivisionError"


def test_the_models_of_the_spec_are_those_that_they_say(tmp_path: Path) -> None:
    specs.write_spec(tmp_path, 5)
    spec = read_spec(tmp_path / "archit.toml")
    assert [model.name for model in spec.models] == [f"m{number}" for number in range(5)]
    texts = [(tmp_path / "surgery" / f"m{number}.py").read_text() for number in range(5)]
    assert "LlamaForCausalLM" in texts[0] and "LlamaForCausalLM" in texts[4] and texts[0] != texts[4]
    for text in texts[1:4]:
        compile(text, "surgery.py", "exec")


def test_the_report_says_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    report, pictures = (importlib.import_module(f"benchmarks.{name}") for name in ("report", "pictures"))
    line = growth.summary({1: {"plain": 1.0}, 2: {"plain": 2.0}, 4: {"plain": 4.0}})
    ratios = {"plain": 1.23, "proved": 4.5, "floor": dict.fromkeys(("build", "libcst", "black"), 0.33)}
    row = {**ratios, "stages": {"format": 1.0}, "modules": 7, "parameters": 1_740_000_000_000}
    found = {
        "ratios": {"Some": row},
        "growth": {"depth": line},
        "others": {"Some": {"export": 30.0, "fx": "TypeError"}},
    }
    text = "".join(report.sections(found))
    assert "| Some | 1.74 T | 7 | 1.23 x | 4.5 x | 33 : 33 : 33 |" in text
    assert "| layers of the model, without validation | 1 to 4 | 1.00 | 4 x |" in text
    assert "| Some | 4.5 x | 30 x | TypeError |" in text
    monkeypatch.setattr(results, "DOCS", tmp_path)
    drawn = []
    for _ in range(2):
        pictures.draw(found)
        drawn.append({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    assert drawn[0] == drawn[1] and drawn[0].keys() == {"speed.svg", "growth-depth.svg"}
