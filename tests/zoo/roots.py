"""Root classes that are none of transformers: how each is built small, and what its forward is given.

Libraries are imported when a root is built, so that a missing one is a reason and no error.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

SEED = 9
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Root:
    """`arguments` and `inputs` are made anew each time, the same ones."""

    path: str
    arguments: Callable[[], Values]
    inputs: Callable[[], Values]

    @property
    def library(self) -> str:
        return self.path.partition(":")[0].partition(".")[0]

    @property
    def name(self) -> str:
        return f"{self.library}.{self.path.partition(':')[2]}"

    def cls(self) -> type[nn.Module]:
        module, _, name = self.path.partition(":")
        found: type[nn.Module] = getattr(importlib.import_module(module), name)
        return found


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(SEED))


def ids(high: int, *shape: int) -> torch.Tensor:
    return torch.randint(1, high, shape, generator=torch.Generator().manual_seed(SEED))


def library(module: str, name: str, **arguments: Any) -> Any:
    """An object of a library that is an argument of a root."""
    return getattr(importlib.import_module(module), name)(**arguments)


def root(path: str, inputs: Callable[[], Values], **arguments: Any) -> Root:
    """Arguments that are functions are called: modules are never shared between two models."""
    return Root(path, lambda: {k: v() if callable(v) else v for k, v in arguments.items()}, inputs)


def image(channels: int = 3, side: int = 16) -> torch.Tensor:
    return noise(2, channels, side, side)


def at_time(**more: Any) -> Values:
    return {"timestep": torch.tensor([3, 5])} | more


BLOCKS = {"block_out_channels": (8, 16), "norm_num_groups": 4}
D = "diffusers"

DIFFUSERS = (
    root(f"{D}:UNet2DModel", lambda: at_time(sample=image()), sample_size=16, layers_per_block=1,
         down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
         attention_head_dim=4, **BLOCKS),
    root(f"{D}:UNet2DConditionModel", lambda: at_time(sample=image(4), encoder_hidden_states=noise(2, 5, 12)),
         sample_size=16, layers_per_block=1, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
         up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=12, attention_head_dim=4, **BLOCKS),
    root(f"{D}:UNet1DModel", lambda: at_time(sample=noise(2, 14, 16)), block_out_channels=(8, 8, 16, 16),
         in_channels=14, out_channels=14, time_embedding_type="positional", use_timestep_embedding=True,
         out_block_type="OutConv1DBlock", flip_sin_to_cos=False, freq_shift=1.0,
         mid_block_type="MidResTemporalBlock1D", down_block_types=("DownResnetBlock1D",) * 4,
         up_block_types=("UpResnetBlock1D",) * 3, act_fn="swish"),
    root(f"{D}:UNet3DConditionModel",
         lambda: at_time(sample=noise(2, 4, 2, 16, 16), encoder_hidden_states=noise(2, 4, 12)), sample_size=16,
         block_out_channels=(4, 8), norm_num_groups=4, down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
         up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"), cross_attention_dim=12, attention_head_dim=4,
         layers_per_block=1),
    root(f"{D}:ControlNetModel", lambda: at_time(
         sample=image(4), encoder_hidden_states=noise(2, 5, 12), controlnet_cond=image(3, 128)), layers_per_block=1,
         down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), cross_attention_dim=12, attention_head_dim=4,
         conditioning_embedding_out_channels=(8, 8, 16, 16), **BLOCKS),
    root(f"{D}:AutoencoderKL", lambda: {"sample": image()}, down_block_types=("DownEncoderBlock2D",) * 2,
         up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, **BLOCKS),
    root(f"{D}:VQModel", lambda: {"sample": image()}, down_block_types=("DownEncoderBlock2D",) * 2,
         up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=3, num_vq_embeddings=16, **BLOCKS),
    root(f"{D}:AsymmetricAutoencoderKL", lambda: {"sample": image()}, down_block_types=("DownEncoderBlock2D",),
         down_block_out_channels=(8,), up_block_types=("UpDecoderBlock2D",), up_block_out_channels=(8,),
         norm_num_groups=4, latent_channels=4),
    root(f"{D}:AutoencoderTiny", lambda: {"sample": image()}, encoder_block_out_channels=(8, 8),
         decoder_block_out_channels=(8, 8), num_encoder_blocks=(1, 2), num_decoder_blocks=(2, 1)),
    root(f"{D}:AutoencoderOobleck", lambda: {"sample": noise(2, 2, 64)}, encoder_hidden_size=6,
         downsampling_ratios=[1, 2], decoder_channels=3, decoder_input_channels=3, audio_channels=2,
         channel_multiples=[2, 4]),
    root(f"{D}:AutoencoderDC", lambda: {"sample": image()}, latent_channels=4, attention_head_dim=2,
         encoder_block_types=("ResBlock", "EfficientViTBlock"), decoder_block_types=("ResBlock", "EfficientViTBlock"),
         encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), encoder_qkv_multiscales=((), (5,)),
         decoder_qkv_multiscales=((), (5,)), encoder_layers_per_block=(1, 1), decoder_layers_per_block=[1, 1],
         downsample_block_type="conv", upsample_block_type="interpolate", decoder_norm_types="rms_norm",
         decoder_act_fns="silu"),
    root(f"{D}:AutoencoderKLTemporalDecoder", lambda: {"sample": image(), "num_frames": 2}, latent_channels=4,
         down_block_types=("DownEncoderBlock2D",) * 2, block_out_channels=(32, 32)),
    root(f"{D}:AutoencoderKLCogVideoX", lambda: {"sample": noise(1, 3, 4, 16, 16)},
         down_block_types=("CogVideoXDownBlock3D",) * 4, up_block_types=("CogVideoXUpBlock3D",) * 4,
         block_out_channels=(8,) * 4, latent_channels=4, layers_per_block=1, norm_num_groups=2,
         temporal_compression_ratio=4),
    root(f"{D}:Transformer2DModel", lambda: {"hidden_states": image(8)}, in_channels=8, norm_num_groups=4,
         num_attention_heads=2, attention_head_dim=4, num_layers=2),
    root(f"{D}:DiTTransformer2DModel", lambda: at_time(hidden_states=image(4, 8), class_labels=torch.tensor([1, 2])),
         in_channels=4, out_channels=8, num_layers=2, num_attention_heads=2, attention_head_dim=4, sample_size=8,
         patch_size=2, num_embeds_ada_norm=8),
    root(f"{D}:PixArtTransformer2DModel", lambda: at_time(
         hidden_states=image(4, 8), encoder_hidden_states=noise(2, 5, 8),
         added_cond_kwargs={"aspect_ratio": None, "resolution": None}), sample_size=8, num_layers=2, patch_size=2,
         attention_head_dim=4, num_attention_heads=2, in_channels=4, out_channels=8, cross_attention_dim=8,
         caption_channels=8, use_additional_conditions=False),
    root(f"{D}:SD3Transformer2DModel", lambda: at_time(
         hidden_states=image(4, 8), encoder_hidden_states=noise(2, 5, 12), pooled_projections=noise(2, 16)),
         sample_size=8, patch_size=1, in_channels=4, num_layers=2, attention_head_dim=4, num_attention_heads=2,
         caption_projection_dim=8, joint_attention_dim=12, pooled_projection_dim=16, out_channels=4),
    root(f"{D}:FluxTransformer2DModel", lambda: {
         "hidden_states": noise(1, 16, 4), "encoder_hidden_states": noise(1, 5, 12), "img_ids": torch.zeros(16, 3),
         "txt_ids": torch.zeros(5, 3), "pooled_projections": noise(1, 12), "timestep": torch.tensor([1.0])},
         patch_size=1, in_channels=4, num_layers=1, num_single_layers=2, attention_head_dim=8, num_attention_heads=2,
         joint_attention_dim=12, pooled_projection_dim=12, axes_dims_rope=(2, 2, 4)),
    root(f"{D}:AuraFlowTransformer2DModel", lambda: at_time(
         hidden_states=image(4, 8), encoder_hidden_states=noise(2, 5, 12)), sample_size=8, patch_size=2,
         in_channels=4, num_mmdit_layers=1, num_single_dit_layers=1, attention_head_dim=4, num_attention_heads=2,
         caption_projection_dim=8, joint_attention_dim=12, out_channels=4, pos_embed_max_size=64),
    root(f"{D}:SanaTransformer2DModel", lambda: at_time(
         hidden_states=image(4, 8), encoder_hidden_states=noise(2, 5, 8)), patch_size=1, in_channels=4,
         out_channels=4, num_layers=2, attention_head_dim=4, num_attention_heads=2, num_cross_attention_heads=2,
         cross_attention_head_dim=4, cross_attention_dim=8, caption_channels=8, sample_size=8),
    root(f"{D}:CogVideoXTransformer3DModel", lambda: at_time(
         hidden_states=noise(2, 1, 4, 8, 8), encoder_hidden_states=noise(2, 8, 8)), num_attention_heads=2,
         attention_head_dim=8, in_channels=4, out_channels=4, time_embed_dim=2, text_embed_dim=8, num_layers=2,
         sample_width=8, sample_height=8, sample_frames=8, patch_size=2, max_text_seq_length=8),
    root(f"{D}:LTXVideoTransformer3DModel", lambda: at_time(
         hidden_states=noise(2, 16, 4), encoder_hidden_states=noise(2, 5, 12),
         encoder_attention_mask=torch.ones(2, 5), num_frames=1, height=4, width=4), in_channels=4, out_channels=4,
         num_attention_heads=2, attention_head_dim=8, cross_attention_dim=16, num_layers=2, caption_channels=12),
    root(f"{D}:WanTransformer3DModel", lambda: at_time(
         hidden_states=noise(2, 4, 2, 8, 8), encoder_hidden_states=noise(2, 5, 12)), patch_size=(1, 2, 2),
         num_attention_heads=2, attention_head_dim=12, in_channels=4, out_channels=4, text_dim=12, freq_dim=16,
         ffn_dim=16, num_layers=2, cross_attn_norm=True, qk_norm="rms_norm_across_heads", rope_max_seq_len=32),
    root(f"{D}:StableAudioDiTModel", lambda: {
         "hidden_states": noise(1, 3, 8), "timestep": torch.tensor([2]), "encoder_hidden_states": noise(1, 4, 4),
         "global_hidden_states": noise(1, 1, 4)}, sample_size=4, in_channels=3, num_layers=2, attention_head_dim=4,
         num_attention_heads=2, num_key_value_attention_heads=2, out_channels=3, cross_attention_dim=4,
         time_proj_dim=8, global_states_input_dim=4, cross_attention_input_dim=4),
    root(f"{D}:PriorTransformer", lambda: at_time(
         hidden_states=noise(2, 8), proj_embedding=noise(2, 8), encoder_hidden_states=noise(2, 7, 8)),
         num_attention_heads=2, attention_head_dim=4, num_layers=2, embedding_dim=8, num_embeddings=7,
         additional_embeddings=4),
    root(f"{D}:UVit2DModel", lambda: {
         "input_ids": ids(30, 2, 8, 8), "encoder_hidden_states": noise(2, 5, 8), "pooled_text_emb": noise(2, 8),
         "micro_conds": noise(2, 5)}, hidden_size=16, cond_embed_dim=8, micro_cond_encode_dim=4,
         micro_cond_embed_dim=20, encoder_hidden_size=8, vocab_size=32, codebook_size=32, num_hidden_layers=2,
         num_attention_heads=2, block_num_heads=2, in_channels=16, block_out_channels=16, intermediate_size=32,
         sample_size=8),
    root(f"{D}:T2IAdapter", lambda: {"x": image(3, 64)}, channels=[8, 16], num_res_blocks=1, downscale_factor=8),
    root(f"{D}.models.transformers.t5_film_transformer:T5FilmDecoder", lambda: {
         "encodings_and_masks": [(noise(2, 5, 16), torch.ones(2, 5))], "decoder_input_tokens": noise(2, 6, 4),
         "decoder_noise_time": torch.tensor([0.1, 0.2])}, input_dims=4, targets_length=6, max_decoder_noise_time=100.0,
         d_model=16, num_layers=2, num_heads=2, d_kv=8, d_ff=24, dropout_rate=0.1),
)  # fmt: skip

X = "x_transformers"


def layers(kind: str, **more: Any) -> Callable[[], Any]:
    return lambda: library(X, kind, **{"dim": 16, "depth": 2, "heads": 2, "attn_dim_head": 8, **more})


X_TRANSFORMERS = (
    root(f"{X}:TransformerWrapper", lambda: {"x": ids(40, 2, 7)}, num_tokens=40, max_seq_len=16,
         attn_layers=layers("Decoder", rotary_pos_emb=True)),
    root(f"{X}:ContinuousTransformerWrapper", lambda: {"x": noise(2, 7, 6)}, dim_in=6, dim_out=5, max_seq_len=16,
         attn_layers=layers("Encoder", use_rmsnorm=True, ff_glu=True)),
    root(f"{X}:ViTransformerWrapper", lambda: {"img": image()}, image_size=16, patch_size=4, num_classes=5,
         attn_layers=layers("Encoder")),
    root(f"{X}:Encoder", lambda: {"x": noise(2, 7, 16)}, dim=16, depth=2, heads=2, attn_dim_head=8,
         alibi_pos_bias=True, alibi_num_heads=1),
    root(f"{X}:XTransformer", lambda: {"src": ids(30, 2, 7), "tgt": ids(30, 2, 6)}, dim=16, enc_num_tokens=30,
         enc_depth=2, enc_heads=2, enc_max_seq_len=16, dec_num_tokens=30, dec_depth=2, dec_heads=2,
         dec_max_seq_len=16),
)  # fmt: skip

S = "sentence_transformers.sentence_transformer.modules"


def features() -> Values:
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]])
    return {"features": {"token_embeddings": noise(2, 5, 8), "attention_mask": mask,
                         "sentence_embedding": noise(2, 8), "sentence_lengths": torch.tensor([4, 5])}}  # fmt: skip


SENTENCES = (
    root(f"{S}:Dense", features, in_features=8, out_features=6),
    root(f"{S}:CNN", features, in_word_embedding_dimension=8, out_channels=4, kernel_sizes=[1, 3]),
    root(f"{S}:LSTM", features, word_embedding_dimension=8, hidden_dim=4, num_layers=1, dropout=0.0),
    root(f"{S}:LayerNorm", features, dimension=8),
)  # fmt: skip

P = "tests.zoo.plain"
PLAIN = (
    root(f"{P}:Multilayer", lambda: {"x": noise(3, 12)}),
    root(f"{P}:SmallGPT", lambda: {"ids": ids(40, 2, 7)}),
    root(f"{P}:SmallResNet", lambda: {"x": image()}),
    root(f"{P}:SmallUNet", lambda: {"x": image()}),
    root(f"{P}:SequenceTagger", lambda: {"ids": ids(30, 2, 7)}),
    root(f"{P}:VariationalAutoencoder", lambda: {"x": noise(3, 12)}),
    root(f"{P}:MixtureOfExperts", lambda: {"x": noise(2, 5, 8)}),
    root(f"{P}:Siamese", lambda: {"left": noise(3, 12), "right": noise(3, 12) + 1}),
    root(f"{P}:GraphConvolution", lambda: {"nodes": noise(4, 8), "edges": noise(4, 4)}, rounds=4),
    root(f"{P}:Given", lambda: {"x": noise(3, 12)}, net=lambda: library(P, "Multilayer", sizes=(12, 16, 8)),
         head=lambda: nn.Linear(8, 3), extra=lambda: [nn.Linear(8, 8), nn.LayerNorm(8)]),
    root("torch.nn:Transformer", lambda: {"src": noise(2, 5, 8), "tgt": noise(2, 4, 8)}, d_model=8, nhead=2,
         num_encoder_layers=2, num_decoder_layers=2, dim_feedforward=16, batch_first=True),
)  # fmt: skip

ROOTS = (*PLAIN, *DIFFUSERS, *X_TRANSFORMERS, *SENTENCES)
