"""Where the parts of each family are: what the modifications of `tests.surgeries` need to know."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from transformers.models.gpt2.modeling_gpt2 import GPT2Block
from transformers.models.llama.modeling_llama import LlamaDecoderLayer
from transformers.models.roberta.modeling_roberta import RobertaLayer
from transformers.pytorch_utils import Conv1D

from tests import user_modules as user
from tests.models import VOCABULARY, WIDTH


@dataclass(frozen=True)
class Family:
    """Paths from the root (`embedding`, `layers`), and from one layer (the others)."""

    name: str
    embedding: str
    layers: str
    linear: str
    """The projection that ends the attention."""
    norm: str
    mlp: tuple[tuple[str, ...], str]
    """The linears into the intermediate width, and the one out of it."""
    patched: str
    patch: Callable[..., torch.Tensor]
    reshape: Callable[[nn.Module, nn.Module], None]
    """(model, second layer): gives a parameter another shape."""
    new_layer: Callable[[nn.Module], nn.Module] = lambda model: user.MixerLayer(WIDTH)
    fresh: Callable[[nn.Module, int], nn.Module] | None = None
    """(model, index): another layer of the declared class; without it the last one is copied."""

    def layer_list(self, model: nn.Module) -> nn.ModuleList:
        layers = model.get_submodule(self.layers)
        assert isinstance(layers, nn.ModuleList)
        return layers


def reshaped(path: str, name: str, *shape: int) -> Callable[[nn.Module, nn.Module], None]:
    """A reshape of one parameter of the second layer."""

    def reshape(model: nn.Module, layer: nn.Module) -> None:
        setattr(layer.get_submodule(path), name, nn.Parameter(torch.randn(shape)))

    return reshape


def longer_positions(path: str, length: int) -> Callable[[nn.Module, nn.Module], None]:
    def reshape(model: nn.Module, layer: nn.Module) -> None:
        model.get_submodule(path).weight = nn.Parameter(torch.randn(length, WIDTH))

    return reshape


def wider_modernbert_mlp(model: nn.Module, layer: nn.Module) -> None:
    layer.mlp.Wi.weight = nn.Parameter(torch.randn(80, WIDTH))
    layer.mlp.Wo.weight = nn.Parameter(torch.randn(WIDTH, 40))


def wider_experts(model: nn.Module, layer: nn.Module) -> None:
    layer.mlp.experts.gate_up_proj = nn.Parameter(torch.randn(4, 80, WIDTH))
    layer.mlp.experts.down_proj = nn.Parameter(torch.randn(4, WIDTH, 40))


def second_class_token(model: nn.Module, layer: nn.Module) -> None:
    model.vit.embeddings.cls_token = nn.Parameter(torch.randn(1, 2, WIDTH))
    model.vit.embeddings.position_embeddings = nn.Parameter(torch.randn(1, 11, WIDTH))


def class_token_of_three_dimensions(model: nn.Module, layer: nn.Module) -> None:
    model.vision_model.embeddings.class_embedding = nn.Parameter(torch.randn(1, 1, WIDTH))


def bert_like(name: str, base: str, **more: object) -> Family:
    paths = {"linear": "attention.output.dense", "norm": "output.LayerNorm", "patched": "intermediate"}
    return Family(
        name, f"{base}.embeddings.word_embeddings", f"{base}.encoder.layer", **paths,
        mlp=(("intermediate.dense",), "output.dense"), patch=user.quiet_intermediate, **more,
    )  # fmt: skip


def decoder(name: str, **more: object) -> Family:
    paths = {"linear": "self_attn.o_proj", "norm": "post_attention_layernorm", "patched": "mlp"}
    gated = {"mlp": (("mlp.gate_proj", "mlp.up_proj"), "mlp.down_proj"), "patch": user.quiet_gated_mlp}
    return Family(name, "model.embed_tokens", "model.layers", **{**paths, **gated, **more})


FAMILIES = {
    family.name: family
    for family in (
        bert_like(
            "roberta", "roberta",
            reshape=longer_positions("roberta.embeddings.position_embeddings", 50),
            new_layer=lambda model: user.QuietRobertaLayer(model.config, layer_idx=1),
            fresh=lambda model, index: RobertaLayer(model.config, layer_idx=index),
        ),
        bert_like("bert", "bert", reshape=reshaped("output.dense", "bias", 1, WIDTH)),
        bert_like(
            "deberta_v2", "deberta",
            reshape=reshaped("output.dense", "bias", 1, WIDTH),
            new_layer=lambda model: user.MixerPairLayer(WIDTH),
        ),
        Family(
            "modernbert", "model.embeddings.tok_embeddings", "model.layers",
            linear="attn.Wo", norm="mlp_norm", mlp=(("mlp.Wi",), "mlp.Wo"),
            patched="mlp", patch=user.quiet_modernbert_mlp, reshape=wider_modernbert_mlp,
            new_layer=lambda model: user.MixerLayer(WIDTH, model.config.layer_types[1]),
        ),
        Family(
            "gpt2", "transformer.wte", "transformer.h",
            linear="attn.c_proj", norm="ln_2", mlp=(("mlp.c_fc",), "mlp.c_proj"),
            patched="mlp", patch=user.quiet_gpt2_mlp, reshape=reshaped("attn.c_proj", "bias", 1, WIDTH),
            fresh=lambda model, index: GPT2Block(model.config, layer_idx=index),
        ),
        decoder(
            "llama", reshape=reshaped("input_layernorm", "weight", 1, 1, WIDTH),
            new_layer=lambda model: user.QuietLlamaLayer(model.config, 1),
            fresh=lambda model, index: LlamaDecoderLayer(model.config, index),
        ),
        decoder("qwen3", reshape=reshaped("self_attn.q_norm", "weight", 1, 4)),
        decoder("mixtral", patch=user.quiet_experts, reshape=wider_experts, mlp=((), "")),
        Family(
            "t5", "shared", "encoder.block",
            linear="layer.0.SelfAttention.o", norm="layer.0.layer_norm",
            mlp=(("layer.1.DenseReluDense.wi",), "layer.1.DenseReluDense.wo"),
            patched="layer.1.DenseReluDense", patch=user.quiet_t5_dense,
            reshape=reshaped("layer.0.layer_norm", "weight", 1, 1, WIDTH),
            new_layer=lambda model: user.MixerBlock(WIDTH),
        ),
        Family(
            "bart", "model.shared", "model.decoder.layers",
            linear="self_attn.out_proj", norm="encoder_attn_layer_norm", mlp=(("fc1",), "fc2"),
            patched="fc1", patch=user.quiet_linear, reshape=longer_positions("model.encoder.embed_positions", 50),
        ),
        Family(
            "vit", "vit.embeddings.patch_embeddings.projection", "vit.layers",
            linear="attention.o_proj", norm="layernorm_after", mlp=(("mlp.fc1",), "mlp.fc2"),
            patched="mlp", patch=user.quiet_mlp, reshape=second_class_token,
        ),
        Family(
            "clip", "text_model.embeddings.token_embedding", "vision_model.encoder.layers",
            linear="self_attn.out_proj", norm="layer_norm2", mlp=(("mlp.fc1",), "mlp.fc2"),
            patched="mlp", patch=user.quiet_mlp, reshape=class_token_of_three_dimensions,
        ),
    )
}  # fmt: skip


def other_width(linear: nn.Module, *, inputs: int | None = None, outputs: int | None = None) -> nn.Module:
    """A linear like the given one, of other width."""
    if isinstance(linear, Conv1D):
        return Conv1D(outputs or linear.nf, inputs or linear.nx)
    bias = linear.bias is not None
    return nn.Linear(inputs or linear.in_features, outputs or linear.out_features, bias=bias)


def wider_head(model: nn.Module) -> None:
    model.lm_head = nn.Linear(WIDTH, VOCABULARY + 6, bias=False)
