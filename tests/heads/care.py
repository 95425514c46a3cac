"""Fields without which some configs have no small model: their defaults leave open what a model needs, or do not fit
what they become when they are made smaller. By type of model; the values are arguments of the config class."""

from collections.abc import Iterator, Mapping
from typing import Any

from transformers import PreTrainedConfig, PreTrainedModel

from tests.zoo.shrink import Rung, shrink


def default_config(cls: type[PreTrainedModel]) -> Any:
    """The config of the class as it is without arguments, but for what needs care."""
    config_class: type[PreTrainedConfig] = cls.config_class
    return config_class(**CARE.get(config_class.model_type, {}))


def small_by(cls: type[PreTrainedModel], rung: Rung) -> Any:
    """The same, made smaller."""
    default = default_config(cls)
    return shrink(default, rung, frozenset(names(CARE.get(default.model_type, {}))))


def names(care: Mapping[str, Any]) -> Iterator[str]:
    for name, value in care.items():
        yield from names(value) if name.endswith("_config") else (name,)


def sections(*sizes: int) -> dict[str, Any]:
    """Rotary embeddings over time, height and width: each has a share of half a head."""
    return {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": list(sizes)}}


def below(**fields: Any) -> dict[str, Any]:
    """Fields of the config of the text model within."""
    return {"text_config": fields}


WIDTHS = {"hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2}
TINY = {**WIDTHS, "num_hidden_layers": 2, "head_dim": 16, "vocab_size": 128}
ROPE = {"rope_type": "default", "rope_theta": 10000.0}
EXPERTS = {"num_experts_per_tok": 2, "n_routed_experts": 8, "moe_intermediate_size": 1024}
QWEN = sections(16, 24, 24)
GLM = {"rope_parameters": {**QWEN["rope_parameters"], "partial_rotary_factor": 1.0}}
HALF = ["linear_attention", "full_attention"]

CARE: Mapping[str, Mapping[str, Any]] = {
    # which layers attend, where the first two would not
    "bamba": {"attn_layer_indices": [1]},
    "granitemoehybrid": {"layer_types": HALF * 16},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "use_mamba_kernels": False},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 16},
    "qwen3_next": {"layer_types": HALF * 24},
    "recurrent_gemma": {"block_types": ["recurrent", "attention"]},
    # heads: of keys no more than of queries, and in four groups, one for each device that trained it
    "paligemma": below(num_attention_heads=4, num_key_value_heads=1),
    "codegen": {"n_head": 4, "n_embd": 64, "rotary_dim": 8},
    # experts
    "deepseek_ocr2": below(**EXPERTS, mlp_layer_types=["dense", "sparse"] * 16),
    "deepseek_v2": {**EXPERTS, "topk_group": 1, "n_group": 1},
    "diffusion_gemma": below(num_experts=8, top_k_experts=2, moe_intermediate_size=512),
    "dots1": {**EXPERTS, "n_shared_experts": 1},
    "kolibri1": {"num_experts": 8},
    # heads
    "hunyuan_v1_dense": {"head_dim": 128},
    "hunyuan_v1_moe": {"head_dim": 128},
    "hunyuan_vl": below(**QWEN, head_dim=128),
    "hunyuan_vl_text": {**QWEN, "head_dim": 128},
    "ministral": {"head_dim": 128},
    "nemotron": {"num_key_value_heads": 48},
    # rotary embeddings
    "cohere_compass": below(rope_parameters={"full_attention": ROPE, "sliding_attention": ROPE}),
    "cohere_compass_text": {"rope_parameters": {"full_attention": ROPE, "sliding_attention": ROPE}},
    "dbrx": {"attn_config": {"rope_theta": 10000.0, "clip_qkv": 8.0}},
    "glm46v": below(**GLM),
    "glm4v": below(**GLM),
    "glm4v_moe": below(**GLM, num_attention_heads=32),
    "glm4v_moe_text": {**GLM, "num_attention_heads": 32},
    "glm4v_text": GLM,
    "glm_image": below(**GLM),
    "glm_image_text": GLM,
    "glmga": below(**GLM),
    "paddleocr_vl": below(**QWEN),
    "qwen2_5_omni_thinker": below(**QWEN),
    "qwen2_5_vl": below(**QWEN),
    "qwen2_5_vl_text": QWEN,
    "qwen2_vl": below(**QWEN),
    "qwen2_vl_text": QWEN,
    # positions that want texts of one length when they are trained
    "reformer": {"axial_pos_embds": False, "attn_layers": ["local", "local"]},
    # vocabularies
    "chameleon": {"vocabulary_map": {"<image>": 4, "IMGIMGA": 5}},
    "emu3": {"vocabulary_map": {"<image>": 4}},
    "esm": {"vocab_size": 33, "pad_token_id": 1, "mask_token_id": 32},
    # what is large and does not shrink with the rest
    "blt": {"use_cache": False},
    "ernie4_5_vl_moe": {
        **below(
            **sections(22, 22, 20),
            hidden_size=256,
            num_attention_heads=2,
            num_key_value_heads=1,
            intermediate_size=256,
            moe_intermediate_size=[64, 64],
            moe_num_experts=4,
            moe_k=2,
        ),
        "vision_config": {"hidden_size": 64, "num_heads": 4, "intermediate_size": 64, "depth": 2},
    },
    "granite4_vision": {"deepstack_layer_map": [], "spatial_target_layers": [], "downsample_rate": "2/4"},
    "inkling_mm_model": {"vision_config": {"patch_size": 4}},
    "janus": {"vq_config": {"base_channels": 256}},
    "llama4": below(**TINY, num_local_experts=2, intermediate_size_mlp=64),
    "mistral_large4": below(num_hidden_layers=2, kv_source_layers=[0, 1], no_rope_layers=[1, 0]),
}
