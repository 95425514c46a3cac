"""Inputs are made for unmodified models of every kind, which run on them and come back as they were."""

import pytest
import torch
import transformers
from torch import nn

from archit_codegen.declaration.inputs import InputsUnknown, make_inputs
from archit_codegen.declaration.outputs import compare, run

TEXT = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 32,
}
KEYS = {"num_key_value_heads": 2, "head_dim": 8}
BART = {
    "vocab_size": 60,
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
}
VISION = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "image_size": 16,
    "patch_size": 8,
}
WHISPER = BART | {
    "num_mel_bins": 8,
    "max_source_positions": 10,
    "max_target_positions": 20,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
WAVE = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": (8, 8),
    "conv_stride": (5, 64),
    "conv_kernel": (10, 64),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
CASES = [
    ("RobertaForMaskedLM", "RobertaConfig", TEXT),
    ("BertForSequenceClassification", "BertConfig", TEXT),
    ("DebertaV2ForMaskedLM", "DebertaV2Config", TEXT),
    ("ModernBertForMaskedLM", "ModernBertConfig", TEXT | {"pad_token_id": 0}),
    ("GPT2LMHeadModel", "GPT2Config", {"vocab_size": 60, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32}),
    ("GPT2ForSequenceClassification", "GPT2Config", {"vocab_size": 60, "n_embd": 16, "n_layer": 2, "n_head": 2}),
    ("LlamaForCausalLM", "LlamaConfig", TEXT),
    ("Qwen3ForCausalLM", "Qwen3Config", TEXT | KEYS),
    ("MixtralForCausalLM", "MixtralConfig", TEXT | KEYS | {"num_local_experts": 2}),
    (
        "T5ForConditionalGeneration",
        "T5Config",
        {"vocab_size": 60, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2},
    ),
    ("BartForConditionalGeneration", "BartConfig", BART),
    ("BartForSequenceClassification", "BartConfig", BART),
    ("ViTForImageClassification", "ViTConfig", VISION),
    ("CLIPModel", "CLIPConfig", {"text_config": TEXT, "vision_config": VISION}),
    ("WhisperForConditionalGeneration", "WhisperConfig", WHISPER),
    ("Wav2Vec2Model", "Wav2Vec2Config", WAVE),
    ("LayoutLMModel", "LayoutLMConfig", TEXT),
]


def tiny(model, config, values):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return getattr(transformers, model)(getattr(transformers, config)(**values))


@pytest.mark.parametrize(("model", "config", "values"), CASES, ids=[case[0] for case in CASES])
def test_made_inputs_run_and_leave_no_trace(model, config, values):
    live = tiny(model, config, values).train()
    state, hooks = torch.get_rng_state(), [len(module._forward_hooks) for module in live.modules()]
    attributes = [list(vars(module)) for module in live.modules()]
    inputs = make_inputs(live)
    first, second = run(live, inputs), run(live, inputs)
    assert first
    assert compare(first, second) is None
    assert any("hidden_states" in name for name in first)
    assert not any(tensor.isnan().any() for tensor in first.values() if tensor.is_floating_point())
    assert torch.equal(state, torch.get_rng_state())
    assert hooks == [len(module._forward_hooks) for module in live.modules()]
    assert attributes == [list(vars(module)) for module in live.modules()]
    assert all(module.training for module in live.modules())


def test_attentions_are_given_where_the_implementation_has_them():
    live = tiny("RobertaForMaskedLM", "RobertaConfig", TEXT | {"attn_implementation": "eager"})
    assert [name for name in run(live, make_inputs(live)) if "attentions" in name] == [
        "attentions[0]",
        "attentions[1]",
    ]


def test_unknown_inputs_are_refused_by_name():
    class Plain(nn.Module):
        def forward(self, x):
            return x

    with pytest.raises(InputsUnknown, match="Plain: it has no config of transformers"):
        make_inputs(Plain())

    live = tiny("RobertaModel", "RobertaConfig", TEXT)
    live.forward = lambda secret, input_ids=None: secret
    with pytest.raises(InputsUnknown, match="its forward needs secret"):
        make_inputs(live)


def test_buffers_and_state_changed_by_forward_are_put_back():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("seen", torch.zeros(1))
            self.calls = []

        def forward(self, x):
            self.seen += 1
            self.calls.append(1)
            self.last = x
            return {"x": x + self.seen, "noise": torch.rand(1)}

    live = Counter()
    first, second = run(live, {"x": torch.ones(1)}), run(live, {"x": torch.ones(1)})
    assert compare(first, second) is None
    assert (live.seen.item(), live.calls, hasattr(live, "last")) == (0, [], False)


def test_compare_names_the_first_difference():
    same = {"a": torch.tensor([1.0, float("nan")]), "b": torch.zeros(2)}
    assert compare(same, {"a": same["a"].clone(), "b": torch.zeros(2)}) is None
    assert compare(same, same | {"b": torch.tensor([0.0, 0.5])}) == "b differs by up to 0.5"
    assert compare(same, {"a": same["a"]}) == "b is missing"
    assert compare(same, same | {"b": torch.zeros(2).half()}) == "b is torch.float16 [2], should be torch.float32 [2]"
