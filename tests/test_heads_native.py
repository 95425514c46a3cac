"""Heads beside those of transformers: the same weights, and the same logits and loss, whatever the base model is."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf

import archit_codegen as archit
from archit_codegen.declaration.basefacts import base_facts
from archit_codegen.declaration.relatives import base_of, native_class_for
from archit_codegen.instantiation import tasks
from archit_codegen.instantiation.native import NATIVE, Disagreement, adopt
from archit_codegen.instantiation.rendering import render_task
from tests.heads.agreement import EQUAL, agreement
from tests.heads.small import SHAPE, text
from tests.models import liven

WIDE = {**SHAPE, "intermediate_size": 12}
LABELS = {"num_labels": 3}
T5 = {"vocab_size": 31, "d_model": 8, "d_kv": 4, "d_ff": 12, "num_layers": 1, "num_heads": 2}
BART = {
    "vocab_size": 31, "d_model": 8, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 12, "decoder_ffn_dim": 12, "max_position_embeddings": 40,
}  # fmt: skip
LLAMA4 = {
    **WIDE, "intermediate_size_mlp": 12, "num_key_value_heads": 1, "head_dim": 4, "num_local_experts": 2,
    "pad_token_id": 0,
}  # fmt: skip


def equal(config: Any, task: str) -> tuple[str, str]:
    """What came of the weights of transformers' own class for this task."""
    return agreement(native_class_for(config, NATIVE[task]), config, task)


@pytest.mark.parametrize(
    ("config", "task"),
    [
        (tf.AlbertConfig(**WIDE, embedding_size=8), "masked-lm"),  # norm and dense layer have biases of one shape
        (tf.ElectraConfig(**WIDE, embedding_size=8), "masked-lm"),
        (
            tf.Qwen2Config(**WIDE, **LABELS, num_key_value_heads=1),
            "sequence-classification",
        ),  # scores each token, then picks
        (tf.OPTConfig(**SHAPE, **LABELS, ffn_dim=12, word_embed_proj_dim=8), "sequence-classification"),
        (tf.Llama4TextConfig(**LLAMA4), "causal-lm"),  # holds its base model under the name of another family
        (tf.FalconConfig(**SHAPE), "causal-lm"),
        (tf.BartConfig(**BART), "question-answering"),
    ],
)
def test_transformers_own_heads(config: Any, task: str) -> None:
    assert equal(config, task)[0] == EQUAL


def test_a_loss_that_does_not_shift_is_told() -> None:
    outcome, why = equal(tf.BartConfig(**BART), "causal-lm")
    assert outcome != EQUAL and why.startswith("logits are equal; its loss")


def test_heads_find_the_base_model_below_a_wrapper() -> None:
    held = {
        tf.Llama4ForCausalLM(tf.Llama4TextConfig(**LLAMA4)): "Llama4TextModel",
        tf.BartForCausalLM(tf.BartConfig(**BART)): "BartDecoder",
        tf.BartForConditionalGeneration(tf.BartConfig(**BART)): "BartModel",
    }
    for live, name in held.items():
        assert type(base_of(live)).__name__ == name


def test_a_head_on_another_base_model_is_another_one() -> None:
    native = tf.T5ForTokenClassification(tf.T5Config(**T5))
    base = tf.T5Model(tf.T5Config(**T5))
    with pytest.raises(Disagreement, match="T5EncoderModel"):
        adopt(native, "token-classification", render_task("token-classification", base, None), base.config)


def falcon(seed: int) -> Any:
    torch.manual_seed(seed)
    model = tf.FalconModel(tf.FalconConfig(**SHAPE)).eval()
    liven(model)
    return model


def test_what_is_causal() -> None:
    """Whatever the last bits: one row of a batch and the whole of it are summed up in other orders."""
    assert all(base_facts(falcon(seed)).causal for seed in range(3))
    assert not base_facts(t5()).causal, "its encoder reads the whole text"
    assert not base_facts(tf.BertModel(tf.BertConfig(**WIDE))).causal
    assert base_facts(tf.BertModel(tf.BertConfig(**WIDE, is_decoder=True))).causal


def t5() -> Any:
    torch.manual_seed(0)
    model = tf.T5Model(tf.T5Config(**T5)).eval()
    liven(model)
    return model


def shifted(tokens: torch.Tensor) -> torch.Tensor:
    return torch.cat((torch.zeros_like(tokens[:, :1]), tokens[:, :-1]), 1)


@torch.no_grad()
def test_a_decoder_reads_the_text_one_token_later() -> None:
    live, inputs = t5(), text(6, 4)
    every = ["token-classification", "question-answering", "multi-task", "dependency-parsing"]
    package = archit.compile_model(live, name="tiny_t5", suffix="Tiny", heads=every)
    assert set(package.heads) == set(every) and not package.notes
    model = tasks.ForTokenClassification.from_model_and_head_config(live).eval()
    expected = live(**inputs, decoder_input_ids=shifted(inputs["input_ids"])).last_hidden_state
    assert torch.equal(model(**inputs).logits, model.token_classifier(expected))
    own = torch.zeros_like(inputs["input_ids"])
    other = live(**inputs, decoder_input_ids=own).last_hidden_state
    assert torch.equal(model(**inputs, decoder_input_ids=own).logits, model.token_classifier(other))


@torch.no_grad()
def test_a_decoder_that_reads_the_text_by_itself_is_left_to_it() -> None:
    package = archit.compile_model(
        tf.BartModel(tf.BartConfig(**BART)).eval(), name="tiny_bart", suffix="Tiny", heads=["token-classification"]
    )
    assert "shift_right" not in "".join(package.files.values())


def test_on_meta_a_decoder_is_given_the_text_too() -> None:
    with torch.device("meta"):
        live = tf.T5Model(tf.T5Config(**T5))
    package = archit.compile_model(live, name="tiny_t5", suffix="Tiny", heads=["token-classification"])
    assert "def shift_right" in "".join(package.files.values())


def test_buffers_that_the_base_model_fills_below_it_are_there_after_loading(tmp_path: Path) -> None:
    """Transformers initialises nothing for a module without tensors of its own, in code that it does not have."""
    config = tf.FalconH1Config(
        **WIDE, num_key_value_heads=1, mamba_d_ssm=16, mamba_n_heads=2, mamba_d_head=8, mamba_d_state=4, pad_token_id=0
    )
    live = tf.FalconH1Model(config).eval()
    package = archit.compile_model(live, name="tiny_falcon", suffix="Tiny", heads=["token-classification"])
    assert not package.notes
    model = tasks.ForTokenClassification.from_model_and_head_config(live).eval()
    model.save_pretrained(tmp_path)
    loaded = tasks.ForTokenClassification.from_pretrained(tmp_path, tf.FalconH1Model).eval()
    with torch.no_grad():
        assert torch.allclose(loaded(**text(5)).logits, model(**text(5)).logits, atol=1e-6)
