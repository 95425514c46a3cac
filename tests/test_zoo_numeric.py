"""Small models of any class, and a spread sample of the numeric zoo: what is compiled computes the same."""

import types

import pytest
import torch
import transformers as tf

from tests.test_judge import package_of
from tests.zoo import ledger, numeric, small, user
from tests.zoo.discovery import find, named
from tests.zoo.faithful import Expected, Judgement
from tests.zoo.inputs import find_inputs, make
from tests.zoo.numeric_run import HASHES, TABLE
from tests.zoo.outputs import run
from tests.zoo.run import CRASH, WRONG
from tests.zoo.shrink import Rung, all_configs, rungs, shrink, with_every_kind
from tests.zoo.structure import Snapshot

SIZE = 8


@pytest.fixture(scope="module")
def table() -> dict[str, small.Small]:
    torch.set_num_threads(1)
    return small.read()


@pytest.mark.parametrize("index", range(SIZE))
def test_what_is_compiled_computes_the_same(table: dict[str, small.Small], index: int) -> None:
    running = [row for row in table.values() if row.runs]
    row = running[(2 * index + 1) * len(running) // (2 * SIZE)]
    known = ledger.read(TABLE, HASHES)
    for found in numeric.judged(find(row.cls), row, wanted=1, first=index):
        assert found.outcome not in (WRONG, CRASH), found
        assert not ledger.worse(known.get(ledger.key(found)), found), found


def test_most_classes_have_a_small_config_and_most_of_those_run(table: dict[str, small.Small]) -> None:
    assert sum(row.builds for row in table.values()) > 1600
    assert sum(row.runs for row in table.values()) > 1300


@pytest.mark.parametrize("name", ["bert.BertModel", "qwen3_vl.Qwen3VLModel", "clip.CLIPModel", "swin.SwinModel"])
def test_the_search_finds_what_the_table_has(table: dict[str, small.Small], name: str) -> None:
    assert small.search(find(name)) == table[name]


def test_a_small_model_is_the_same_each_time(table: dict[str, small.Small]) -> None:
    row = table["gpt2.GPT2LMHeadModel"]
    (one, inputs), (other, _) = small.build(find(row.cls), row), small.build(find(row.cls), row)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert set(inputs) >= {"input_ids", "attention_mask"}
    assert named(type(one)) == row.cls


@pytest.mark.parametrize("config", [tf.BertConfig(), tf.LlamaConfig(), tf.CLIPConfig(), tf.MixtralConfig()])
def test_shrinking_keeps_what_divides_what(config: tf.PreTrainedConfig) -> None:
    for rung in list(rungs(config))[:4]:
        for inner in all_configs(shrink(config, rung)):
            heads = getattr(inner, "num_attention_heads", None)
            if heads:
                assert inner.hidden_size % heads == 0
                assert inner.num_hidden_layers == 2


def test_special_tokens_stay_inside_the_vocabulary_and_apart() -> None:
    config = shrink(tf.CLIPTextConfig(), Rung(8))
    assert config.vocab_size == 128
    assert len({config.bos_token_id, config.eos_token_id, config.pad_token_id}) == 3
    assert max(config.bos_token_id, config.eos_token_id) < 128


def test_a_list_that_is_cut_keeps_every_kind() -> None:
    assert with_every_kind(["sliding"] * 5 + ["full"], 2) == ["sliding", "full"]
    assert with_every_kind(["full"] * 4, 2) == ["full", "full"]


def test_a_rung_reads_what_it_wrote() -> None:
    for rung in rungs(tf.BertConfig()):
        assert Rung.read(str(rung)) == rung


def tiny() -> tf.PreTrainedModel:
    torch.manual_seed(0)
    return tf.BertModel(shrink(tf.BertConfig(), Rung(4, 4))).eval()


def test_inputs_are_made_again_from_their_number() -> None:
    number, inputs = find_inputs(tiny())
    again = make(tiny(), number)
    assert inputs.keys() == again.keys()
    assert torch.equal(inputs["input_ids"], again["input_ids"])


def judge(live: tf.PreTrainedModel, change) -> None:
    _, inputs = find_inputs(live)
    Judgement(live, package_of(live, change), Snapshot(live), Expected.of(live, inputs)).judge()


def patched(module: torch.nn.Module) -> None:
    module.forward = types.MethodType(user.loud_forward, module)


def nudge(model: tf.PreTrainedModel) -> None:
    """Something that only the outputs tell: a function that a method calls."""
    layer = model.encoder.layer[1].output.LayerNorm
    layer.register_forward_hook(lambda module, args, output: output * (1 + 2e-7))


PLANTED = {
    "a hidden buffer": (lambda m: m.embeddings.position_ids.add_(1), "position_ids"),
    "a last bit of the outputs": (nudge, "output .* differs"),
    "a method": (lambda m: patched(m.encoder.layer[0].output), "method forward"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_difference_is_found(planted: str) -> None:
    change, message = PLANTED[planted]
    with pytest.raises(AssertionError, match=message):
        judge(tiny(), change)


def test_a_faithful_copy_passes() -> None:
    judge(tiny(), lambda model: None)


def test_the_native_class_of_a_failure_is_tried() -> None:
    _, inputs = find_inputs(tiny())
    assert run(tiny(), inputs)


class Garbage(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.empty(3)


class Counting(torch.nn.Module):
    calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x + self.calls


@pytest.mark.parametrize("model", [Garbage(), Counting()])
def test_what_gives_something_else_each_time_is_not_compared(model: torch.nn.Module) -> None:
    with pytest.raises(ValueError, match=r"each time|nobody has written"):
        Expected.of(model, {"x": torch.ones(3)})
