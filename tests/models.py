"""Tiny models of the twelve families: seconds in total, weights from a seed, never a download."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
import transformers as tf

VOCABULARY, WIDTH, DEPTH = 61, 16, 4
TEXT = {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": 4}
SPECIAL = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}


def encoder_config(config_class: type, **more: Any) -> Any:
    return config_class(**TEXT, **SPECIAL, intermediate_size=24, max_position_embeddings=40, **more)


def decoder_config(config_class: type, **more: Any) -> Any:
    return encoder_config(config_class, num_key_value_heads=2, **more)


def roberta() -> torch.nn.Module:
    return tf.RobertaForMaskedLM(encoder_config(tf.RobertaConfig, type_vocab_size=2))


def bert() -> torch.nn.Module:
    return tf.BertForMaskedLM(encoder_config(tf.BertConfig))


def deberta_v2() -> torch.nn.Module:
    relative = {"relative_attention": True, "position_buckets": 8, "norm_rel_ebd": "layer_norm", "share_att_key": True}
    config = encoder_config(
        tf.DebertaV2Config, pos_att_type=["p2c", "c2p"], conv_kernel_size=3, conv_act="gelu", **relative
    )
    return tf.DebertaV2ForMaskedLM(config)


def modernbert() -> torch.nn.Module:
    config = encoder_config(
        tf.ModernBertConfig, cls_token_id=0, sep_token_id=2, local_attention=8, global_attn_every_n_layers=2
    )
    return tf.ModernBertForMaskedLM(config)


def gpt2() -> torch.nn.Module:
    special = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    config = tf.GPT2Config(
        vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=DEPTH, n_head=4, n_positions=40, n_inner=24, **special
    )
    return tf.GPT2LMHeadModel(config)


def llama() -> torch.nn.Module:
    return tf.LlamaForCausalLM(decoder_config(tf.LlamaConfig, tie_word_embeddings=True))


def qwen3() -> torch.nn.Module:
    return tf.Qwen3ForCausalLM(decoder_config(tf.Qwen3Config, head_dim=4, tie_word_embeddings=True))


def mixtral() -> torch.nn.Module:
    experts = {"num_local_experts": 4, "num_experts_per_tok": 2}
    return tf.MixtralForCausalLM(decoder_config(tf.MixtralConfig, tie_word_embeddings=True, **experts))


def t5() -> torch.nn.Module:
    config = tf.T5Config(
        vocab_size=VOCABULARY, d_model=WIDTH, d_kv=4, d_ff=24, num_layers=DEPTH, num_heads=4, decoder_start_token_id=0,
        relative_attention_num_buckets=8, relative_attention_max_distance=16,
    )  # fmt: skip
    return tf.T5ForConditionalGeneration(config)


def bart() -> torch.nn.Module:
    towers = {
        f"{tower}_{name}": value
        for tower in ("encoder", "decoder")
        for name, value in {"layers": DEPTH, "attention_heads": 4, "ffn_dim": 24}.items()
    }
    config = tf.BartConfig(
        vocab_size=VOCABULARY, d_model=WIDTH, max_position_embeddings=40, decoder_start_token_id=2,
        forced_eos_token_id=2, **SPECIAL, **towers,
    )  # fmt: skip
    return tf.BartForConditionalGeneration(config)


def vit() -> torch.nn.Module:
    layers = {"hidden_size": WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": 4, "intermediate_size": 24}
    return tf.ViTForImageClassification(tf.ViTConfig(**layers, image_size=12, patch_size=4, num_labels=5))


def clip() -> torch.nn.Module:
    layers = {"hidden_size": WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": 4, "intermediate_size": 24}
    text = dict(layers, vocab_size=VOCABULARY, max_position_embeddings=40, projection_dim=8, **SPECIAL)
    vision = dict(layers, image_size=12, patch_size=4, projection_dim=8)
    return tf.CLIPModel(tf.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))


BUILDERS: dict[str, Callable[[], torch.nn.Module]] = {
    builder.__name__: builder
    for builder in (roberta, bert, deberta_v2, modernbert, gpt2, llama, qwen3, t5, bart, vit, clip, mixtral)
}


def build(family: str) -> torch.nn.Module:
    """The tiny model of one family: the same weights each time, in evaluation mode."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = BUILDERS[family]().eval()
    liven(model)
    return model


def liven(model: torch.nn.Module) -> None:
    """Give every parameter values of its own: fresh biases are zero and fresh norms one, which hides differences."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)


def inputs_for(model: torch.nn.Module, cached: bool = True) -> dict[str, Any]:
    """Inputs of every kind that the model's forward takes; the last two tokens of the last row are masked."""
    accepted = set(inspect.signature(type(model).forward).parameters)
    if "input_ids" not in accepted:
        accepted.discard("attention_mask")
    generator = torch.Generator().manual_seed(2)
    tokens = torch.randint(3, VOCABULARY, (2, 11), generator=generator)
    mask = torch.ones_like(tokens)
    mask[-1, -2:] = 0
    decoder = torch.randint(3, VOCABULARY, (2, 7), generator=generator)
    pixels = torch.randn((2, 3, 12, 12), generator=generator)
    made = {"input_ids": tokens, "attention_mask": mask, "decoder_input_ids": decoder, "pixel_values": pixels}
    if not cached:
        made["use_cache"] = False
    return {name: value for name, value in made.items() if name in accepted}
