"""Modules as a user would write them: every argument is kept as an attribute under the name of its parameter."""

import torch
from torch import nn
from transformers.models.llama.modeling_llama import LlamaDecoderLayer
from transformers.models.roberta.modeling_roberta import RobertaLayer

FACTOR = 0.5


def tripled(x):
    return 3 * x


class FactorisedEmbedding(nn.Module):
    """Token embedding of low rank."""

    def __init__(self, vocab_size: int, hidden_size: int, rank: int) -> None:
        super().__init__()
        self.vocab_size, self.hidden_size, self.rank = vocab_size, hidden_size, rank
        self.tokens = nn.Embedding(vocab_size, rank)
        self.expand = nn.Linear(rank, hidden_size, bias=False)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.expand(self.tokens(input_ids))


class FactorisedPatches(nn.Module):
    """Patch projection of low rank."""

    def __init__(self, channels: int, hidden_size: int, patch_size: int, rank: int) -> None:
        super().__init__()
        self.channels, self.hidden_size, self.patch_size, self.rank = channels, hidden_size, patch_size, rank
        self.patches = nn.Conv2d(channels, rank, kernel_size=patch_size, stride=patch_size)
        self.expand = nn.Conv2d(rank, hidden_size, kernel_size=1)

    @property
    def weight(self) -> nn.Parameter:  # ViT asks its projection for the dtype
        return self.patches.weight

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return self.expand(self.patches(pixel_values))


class LowRankLinear(nn.Module):
    """A linear map as the product of two thin ones."""

    def __init__(self, in_features: int, out_features: int, rank: int = 4) -> None:
        super().__init__()
        self.in_features, self.out_features, self.rank = in_features, out_features, rank
        self.down = nn.Linear(in_features, rank, bias=False)
        self.up = nn.Linear(rank, out_features)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.up(self.down(hidden_states))


class UnitNorm(nn.Module):
    """Scales every vector to length one, then by a learnt gain."""

    def __init__(self, hidden_size: int, eps: float = 1e-4) -> None:
        super().__init__()
        self.hidden_size, self.eps = hidden_size, eps
        self.gain = nn.Parameter(torch.rand(hidden_size) + 0.5)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.gain * hidden_states / (hidden_states.norm(dim=-1, keepdim=True) + self.eps)


class MixerLayer(nn.Module):
    """A layer that looks at no other token."""

    def __init__(self, hidden_size: int, attention_type: str = "full_attention") -> None:
        super().__init__()
        self.hidden_size, self.attention_type = hidden_size, attention_type
        self.norm = nn.LayerNorm(hidden_size)
        self.mix = nn.Linear(hidden_size, hidden_size)

    def forward(self, hidden_states: torch.Tensor, *args: object, **kwargs: object) -> torch.Tensor:
        return hidden_states + torch.tanh(self.mix(self.norm(hidden_states)))


class MixerPairLayer(MixerLayer):
    """For encoders whose layers return (hidden states, attention)."""

    def forward(self, hidden_states: torch.Tensor, *args: object, **kwargs: object) -> tuple:  # type: ignore[override]
        return super().forward(hidden_states), None


class MixerBlock(MixerLayer):
    """For T5, whose blocks hand the position biases on."""

    def forward(  # type: ignore[override]
        self,
        hidden_states,
        attention_mask=None,
        position_bias=None,
        encoder_hidden_states=None,
        encoder_attention_mask=None,
        encoder_decoder_position_bias=None,
        **kwargs,
    ):
        return super().forward(hidden_states), position_bias, encoder_decoder_position_bias


class QuietRobertaLayer(RobertaLayer):
    """A RoBERTa layer of half the volume."""

    def __init__(self, config, layer_idx=None):
        super().__init__(config, layer_idx=layer_idx)
        self.config, self.layer_idx = config, layer_idx
        self.volume = nn.Parameter(torch.rand(config.hidden_size))

    def forward(self, hidden_states, *args, **kwargs):
        return self.volume * super().forward(hidden_states, *args, **kwargs)


class QuietLlamaLayer(LlamaDecoderLayer):
    """A Llama layer with a gate on its contribution."""

    def __init__(self, config, layer_idx):
        super().__init__(config, layer_idx)
        self.config, self.layer_idx = config, layer_idx
        self.volume = nn.Parameter(torch.rand(config.hidden_size))

    def forward(self, hidden_states, *args, **kwargs):
        return hidden_states + self.volume * (super().forward(hidden_states, *args, **kwargs) - hidden_states)


class BottleneckAdapter(nn.Module):
    """Holds a layer and adds a bottleneck to what it returns."""

    def __init__(self, layer: nn.Module, hidden_size: int, bottleneck: int) -> None:
        super().__init__()
        self.layer, self.hidden_size, self.bottleneck = layer, hidden_size, bottleneck
        self.down = nn.Linear(hidden_size, bottleneck)
        self.up = nn.Linear(bottleneck, hidden_size)

    @property
    def attention_type(self) -> str:
        return self.layer.attention_type

    def forward(self, hidden_states, *args, **kwargs):
        outputs = self.layer(hidden_states, *args, **kwargs)
        if isinstance(outputs, tuple):
            return (self.adapt(outputs[0]), *outputs[1:])
        return self.adapt(outputs)

    def adapt(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return hidden_states + self.up(torch.relu(self.down(hidden_states)))


# Forwards to patch in with types.MethodType: each says all of what it does, nothing is called through a closure.


def quiet_intermediate(self, hidden_states):
    return 0.5 * self.intermediate_act_fn(self.dense(hidden_states))


def quiet_modernbert_mlp(self, hidden_states):
    value, gate = self.Wi(hidden_states).chunk(2, dim=-1)
    return 0.5 * self.Wo(self.drop(self.act(value) * gate))


def quiet_gpt2_mlp(self, hidden_states):
    return 0.5 * self.dropout(self.c_proj(self.act(self.c_fc(hidden_states))))


def quiet_gated_mlp(self, x):
    return 0.5 * self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))


def quiet_t5_dense(self, hidden_states):
    return 0.5 * self.wo(self.dropout(self.act(self.wi(hidden_states))))


def quiet_linear(self, hidden_states):
    return 0.5 * nn.functional.linear(hidden_states, self.weight, self.bias)


def quiet_mlp(self, hidden_states):
    return 0.5 * self.fc2(self.activation_fn(self.fc1(hidden_states)))


def quiet_experts(self, hidden_states):
    shape = hidden_states.shape
    flat = hidden_states.view(-1, shape[-1])
    _, weights, chosen = self.gate(flat)
    return 0.5 * self.experts(flat, chosen, weights).reshape(shape)
