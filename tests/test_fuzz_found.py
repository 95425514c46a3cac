"""Sequences that random surgery once found to go wrong, in the smallest form; and a few new ones from a fixed seed."""

from collections import Counter
from typing import Any

import pytest
import torch

from tests.zoo import small
from tests.zoo.fuzz import fuzz
from tests.zoo.run import REBUILT, WRONG
from tests.zoo.sequences import Sequence, replay

FOUND: list[tuple[str, list[tuple[str, int]]]] = [
    (
        "afmoe.AfmoeForCausalLM",
        [("activation_swapped", 0), ("low_rank_adapters_around", 6), ("inside_a_container", 1)],
    ),
    ("mimi.MimiEncoderModel", [("norm_eps", 1), ("linear_swapped", 2), ("layer_appended", 1)]),
    # A list inside of a wrapper, rearranged, in statements of the root: no such path is declared.
    (
        "pp_lcnet.PPLCNetForImageClassification",
        [
            ("linear_to_sequential", 0),
            ("linear_swapped", 0),
            ("layer_dropped", 0),
            ("every_layer_wrapped", 3),
            ("low_rank_adapters_around", 0),
        ],
    ),
]
REFUSED_ONCE: list[tuple[str, list[tuple[str, int]]]] = [
    # A patch on an object that calls the declared method, which the class does not have any more.
    ("afmoe.AfmoeForCausalLM", [("forward_calls_original", 0), ("class_patched", 0)]),
    # The base class of a user's class is another one now, and stands in the file of the root, which comes last.
    ("gemma2.Gemma2Model", [("forward_calls_class", 0), ("all_layer_classes_changed", 2)]),
    # A bias that is saved as one with two others is gone.
    ("qianfan_ocr.QianfanOCRForConditionalGeneration", [("growing_through_the_layers", 2)]),
    # The model was run before a layer was put in, which has none of the hooks that hidden states are taken by.
    ("mt5.MT5Stack", [("linear_swapped", 8), ("layer_of_a_subclass", 2)]),
]
SEED, SEQUENCES = 1, 5
SMALL = ["bert.BertForMaskedLM", "gpt2.GPT2Model", "llama.LlamaForCausalLM", "t5.T5Model", "vit.ViTModel"]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("case", FOUND, ids=lambda case: f"{case[0]}-{'-'.join(name for name, _ in case[1])}")
def test_what_was_found_stays_mended(case: tuple[str, Any]) -> None:
    assert replay(*case) is None


@pytest.mark.parametrize("case", REFUSED_ONCE, ids=lambda case: f"{case[0]}-{case[1][-1][0]}")
def test_what_was_refused_is_rebuilt(case: tuple[str, Any]) -> None:
    sequence = Sequence(case[0])
    assert [sequence.step(name, choice) for name, choice in case[1]] == [None] * len(case[1])
    assert sequence.counts[REBUILT] == len(case[1]), sequence.counts
    sequence.close()


def test_a_few_new_sequences() -> None:
    counts, wrong = fuzz(SMALL, SEQUENCES, SEED)
    assert wrong is None, wrong
    assert counts["sequences"] >= SEQUENCES
    assert counts["rebuilt"] > 0


def test_a_sequence_goes_on_from_the_model_as_it_is() -> None:
    sequence = Sequence("bert.BertModel")
    assert sequence.step("norm_eps", 1) is None
    assert sequence.step("layer_appended", 1) is None
    assert sequence.counts == Counter({"rebuilt": 2, "with outputs": 2})
    assert len(sequence.model.encoder.layer) == 3
    assert str(sequence) == '["bert.BertModel", [["norm_eps", 1], ["layer_appended", 1]]]'
    sequence.close()


def test_what_does_not_apply_is_no_step() -> None:
    sequence = Sequence("bert.BertModel")
    assert sequence.step("two_towers", 1) is None
    assert sequence.steps == []
    assert sequence.counts == Counter({"n/a": 1})
    sequence.close()


def test_a_wrong_result_is_told_with_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.zoo.numeric.verdict", lambda *facts: (WRONG, "planted"))
    assert replay("bert.BertModel", [("norm_eps", 1)]) == ('WRONG: planted\n["bert.BertModel", [["norm_eps", 1]]]')


def test_hypothesis_shrinks_to_the_smallest_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(self: Sequence, modification: str, choice: int) -> str | None:
        self.steps.append((modification, choice))
        names = {name for name, _ in self.steps}
        return f"WRONG: planted\n{self}" if {"norm_eps", "layer_dropped"} <= names else None

    monkeypatch.setattr(Sequence, "step", step)
    monkeypatch.setattr("tests.zoo.fuzz.MODIFICATIONS", {"norm_eps": None, "layer_dropped": None, "bias_added": None})
    _, wrong = fuzz(["bert.BertModel"], 30, SEED)
    assert wrong is not None
    assert wrong.count("0]") == 2 and "bias_added" not in wrong


def test_every_class_of_the_sample_runs() -> None:
    table = small.read()
    assert all(table[name].runs for name in SMALL)
