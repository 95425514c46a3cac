"""A surgery given as a function of the config: the package follows the config where the surgery does."""

import copy
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers as tf
from torch import nn
from transformers.models.mistral.modeling_mistral import MistralMLP

import archit_codegen as archit
from tests import user_modules as user
from tests.small import said
from tests.zoo.structure import MetaJudgement, Snapshot

DEPTH, WIDTH, WORDS = 4, 16, 40
TEXT = {"vocab_size": WORDS, "num_attention_heads": 2, "intermediate_size": 24, "max_position_embeddings": 16}
CONFIGS: dict[str, Callable[..., Any]] = {
    "bert": lambda depth, width, words: tf.BertConfig(
        **{**TEXT, "vocab_size": words}, hidden_size=width, num_hidden_layers=depth
    ),
    "llama": lambda depth, width, words: tf.LlamaConfig(
        **{**TEXT, "vocab_size": words}, hidden_size=width, num_hidden_layers=depth, num_key_value_heads=1
    ),
    "gpt2": lambda depth, width, words: tf.GPT2Config(
        vocab_size=words, n_embd=width, n_layer=depth, n_head=2, n_positions=16
    ),
    "t5": lambda depth, width, words: tf.T5Config(
        vocab_size=words, d_model=width, num_layers=depth, d_kv=4, num_heads=2, d_ff=24
    ),
    "vit": lambda depth, width, words: tf.ViTConfig(
        hidden_size=width, num_hidden_layers=depth, num_attention_heads=2, intermediate_size=24, image_size=4,
        patch_size=2,
    ),
}  # fmt: skip
CLASSES = {
    "bert": tf.BertForMaskedLM,
    "llama": tf.LlamaForCausalLM,
    "gpt2": tf.GPT2LMHeadModel,
    "t5": tf.T5ForConditionalGeneration,
    "vit": tf.ViTForImageClassification,
}
LAYERS = {
    "bert": "bert.encoder.layer",
    "llama": "model.layers",
    "gpt2": "transformer.h",
    "t5": "encoder.block",
    "vit": "vit.layers",
}


def surgery(family: str, modify: Callable[[Any, Any, Any], None]) -> Callable[[Any], Any]:
    def build(config: Any) -> Any:
        model = CLASSES[family](config)
        modify(model, model.get_submodule(LAYERS[family]), config)
        return model.eval()

    return build


def follows(family: str, modify: Callable[[Any, Any, Any], None], *lines: str) -> archit.Package:
    """What is compiled at one config is the surgery at another, deeper and wider than all that were learnt from."""
    build, config = surgery(family, modify), CONFIGS[family](DEPTH, WIDTH, WORDS)
    before = config.to_dict()
    with torch.device("meta"):
        package = archit.compile_surgery(build, config, name="tiny_x", suffix="WithX")
        live = build(CONFIGS[family](DEPTH + 5, WIDTH * 6, WORDS + 30))
    assert config.to_dict() == before
    assert [note for note in package.notes if "follow" in note] == []
    said(package.files, *lines)
    MetaJudgement(live, package, Snapshot(live)).judge()
    return package


def embedding(model: Any, layers: Any, config: Any) -> None:
    width = config.hidden_size
    model.set_input_embeddings(user.FactorisedEmbedding(config.vocab_size, width, rank=width // 4))


def adapters(model: Any, layers: Any, config: Any) -> None:
    for index in range(len(layers)):
        layers[index] = user.BottleneckAdapter(layers[index], config.hidden_size, 2)


def last_dropped(model: Any, layers: Any, config: Any) -> None:
    del layers[-1]


def every_second_wrapped(model: Any, layers: Any, config: Any) -> None:
    for index in range(0, len(layers), 2):
        layers[index] = user.BottleneckAdapter(layers[index], config.hidden_size, config.hidden_size // 8)


def last_three_gated(model: Any, layers: Any, config: Any) -> None:
    for layer in layers[-3:]:
        layer.gate = nn.Parameter(torch.zeros(config.hidden_size))


def quiet(self: Any, hidden_states: torch.Tensor) -> torch.Tensor:
    return 0.5 * hidden_states


def first_patched(model: Any, layers: Any, config: Any) -> None:
    module = next(m for name, m in layers[0].named_modules() if type(m) in (nn.Linear, tf.pytorch_utils.Conv1D))
    module.forward = types.MethodType(quiet, module)


def heads(model: Any, layers: Any, config: Any) -> None:
    model.probe = nn.Linear(config.hidden_size, 3)


def second_vocabulary(model: Any, layers: Any, config: Any) -> None:
    model.second = nn.Linear(config.hidden_size, config.vocab_size, bias=False)


def wrapped_within_wrapped(model: Any, layers: Any, config: Any) -> None:
    for index, layer in enumerate(layers[:-1]):
        layer.mlp = user.BottleneckAdapter(layer.mlp, config.hidden_size, 2)
        layers[index] = user.BottleneckAdapter(layer, config.hidden_size, 3)


def narrower(model: Any, layers: Any, config: Any) -> None:
    """From a copy of the model's config."""
    other = copy.deepcopy(model.config)
    other.intermediate_size = config.hidden_size // 2
    layers[0].mlp = type(layers[0].mlp)(other)


def of_another_config(model: Any, layers: Any, config: Any) -> None:
    """From a config that the model never had."""
    other = tf.MistralConfig(hidden_size=config.hidden_size, intermediate_size=config.hidden_size * 3)
    layers[0].mlp = MistralMLP(other)


def own_sizes(model: Any, layers: Any, config: Any) -> None:
    """Also those that happen to be the numbers of this very config."""
    hidden_size = WIDTH
    model.fixed = nn.Linear(hidden_size, WORDS)


@pytest.mark.parametrize(
    ("family", "modify", "lines"),
    [
        ("bert", embedding, ["(config.vocab_size, config.hidden_size, rank=config.hidden_size // 4)"]),
        ("llama", embedding, ["rank=config.hidden_size // 4"]),
        ("vit", adapters, ["ViTLayer(config), config.hidden_size, 2)"]),
        ("gpt2", adapters, ["config.hidden_size, 2) for i in range(config.num_hidden_layers)"]),
        ("bert", last_dropped, ["if i != config.num_hidden_layers - 1"]),
        ("t5", last_dropped, ["if i != config.num_layers - 1"]),
        ("llama", every_second_wrapped, ["config.hidden_size // 8) if layer_idx % 2 == 0 else"]),
        ("bert", last_three_gated, ["if i >= config.num_hidden_layers - 3 else", "torch.zeros(config.hidden_size)"]),
        ("gpt2", first_patched, ["if i == 0 else"]),
        ("t5", heads, ["nn.Linear(config.hidden_size, 3)"]),
        ("gpt2", second_vocabulary, ["nn.Linear(config.hidden_size, config.vocab_size, bias=False)"]),
        ("vit", heads, ["nn.Linear(config.hidden_size, 3)"]),
        ("llama", own_sizes, ["nn.Linear(16, 40)"]),
        ("llama", wrapped_within_wrapped, ["if layer_idx != config.num_hidden_layers - 1 else LlamaDecoderLayer("]),
        ("llama", narrower, ["LlamaMLP(config_with(config, intermediate_size=config.hidden_size // 2))"]),
        ("llama", of_another_config, ["MistralConfig(hidden_size=config.hidden_size, intermediate_size="]),
    ],
)  # fmt: skip
def test_follows_the_config(family: str, modify: Any, lines: list[str]) -> None:
    follows(family, modify, *lines)


def repeated_and_half(model: Any, layers: Any, config: Any) -> None:
    for layer in layers[len(layers) // 2 :]:
        layer.register_module("side", nn.Linear(config.hidden_size, config.hidden_size * 2))
    layers.append(copy.deepcopy(layers[-1]))


def test_several_rules_at_once() -> None:
    half, more = "if i >= config.num_hidden_layers // 2 else", "(*range(config.num_hidden_layers), config.num_hidden"
    follows("bert", repeated_and_half, half, more, "nn.Linear(config.hidden_size, config.hidden_size * 2)")


def test_weights_and_outputs_are_compared_as_well() -> None:
    torch.manual_seed(0)
    inputs = {"input_ids": torch.arange(6).reshape(2, 3)}
    package = archit.compile_surgery(
        surgery("bert", heads), CONFIGS["bert"](2, 8, 20), name="tiny_x", suffix="WithX", inputs=inputs
    )
    assert not [note for note in package.notes if "compared" in note]


def odd_sized(model: Any, layers: Any, config: Any) -> None:
    model.probe = nn.Linear(divmod(config.hidden_size**2, 37)[1], 3)


def test_what_does_not_follow_is_named() -> None:
    config = CONFIGS["bert"](2, 8, 20)
    with torch.device("meta"):
        package = archit.compile_surgery(surgery("bert", odd_sized), config, name="tiny_x", suffix="WithX")
    notes = [note for note in package.notes if "does not follow the config" in note]
    assert notes and all(note.startswith("probe does not") for note in notes)
    said(package.files, "self.probe = nn.Linear(27, 3)")


def test_a_surgery_that_works_at_one_config_only() -> None:
    def build(config: Any) -> Any:
        assert config.hidden_size == 8 and config.num_hidden_layers == 2 and config.vocab_size == 20, "mine alone"
        return surgery("bert", heads)(config)

    with torch.device("meta"):
        package = archit.compile_surgery(build, CONFIGS["bert"](2, 8, 20), name="tiny_x", suffix="WithX")
    assert any("nothing is known of what follows" in note and "mine alone" in note for note in package.notes)


def test_a_patched_class_is_patched_once() -> None:
    """The surgery runs several times: each calls what it found, and that must not pile up."""
    original = tf.models.bert.modeling_bert.BertPooler.forward

    def build(config: Any) -> Any:
        model = tf.BertModel(config)
        model.extra = nn.Linear(config.hidden_size, 1)
        return model.eval()

    with torch.device("meta"):
        archit.compile_surgery(build, CONFIGS["bert"](2, 8, 20), name="tiny_x", suffix="WithX")
    assert tf.models.bert.modeling_bert.BertPooler.forward is original


def test_what_the_surgery_raises_is_passed_on() -> None:
    def build(config: Any) -> Any:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        archit.compile_surgery(build, CONFIGS["bert"](2, 8, 20), name="tiny_x", suffix="WithX")


def test_a_surgery_that_returns_nothing() -> None:
    with pytest.raises(archit.InvalidDeclaration, match=r"an nn\.Module"):
        archit.compile_surgery(lambda config: None, CONFIGS["bert"](2, 8, 20), name="tiny_x", suffix="WithX")  # type: ignore[arg-type,return-value]


def test_a_depth_that_cannot_be_changed_is_said() -> None:
    def build(config: Any) -> Any:
        assert config.num_hidden_layers == 2, "two layers"
        return surgery("bert", heads)(config)

    with torch.device("meta"):
        package = archit.compile_surgery(build, CONFIGS["bert"](2, 8, 20), name="tiny_x", suffix="WithX")
    assert any("what follows the number of layers of the config is not known" in note for note in package.notes)
    said(package.files, "nn.Linear(config.hidden_size, 3)")
