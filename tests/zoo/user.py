"""Modules as a user would write them, that stand in for any module of a kind; arguments are kept as attributes."""

import functools

import torch
from torch import nn


class Factorised(nn.Module):
    """Token embedding of low rank."""

    def __init__(self, num_embeddings: int, embedding_dim: int, rank: int) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim, self.rank = num_embeddings, embedding_dim, rank
        self.tokens = nn.Embedding(num_embeddings, rank)
        self.expand = nn.Linear(rank, embedding_dim, bias=False)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.expand(self.tokens(input_ids))


class LowRank(nn.Module):
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

    def __init__(self, size: int, eps: float = 1e-4) -> None:
        super().__init__()
        self.size, self.eps = size, eps
        self.gain = nn.Parameter(torch.ones(size))

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.gain * hidden_states / (hidden_states.norm(dim=-1, keepdim=True) + self.eps)


class LeakySquare(nn.Module):
    """An activation without arguments."""

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return torch.where(hidden_states > 0, hidden_states.square(), 0.01 * hidden_states)


class Mixer(nn.Module):
    """Stands in for an attention, an MLP or a whole layer."""

    def __init__(self, size: int, depth: int = 1) -> None:
        super().__init__()
        self.size, self.depth = size, depth
        self.steps = nn.ModuleList([nn.Linear(size, size) for _ in range(depth)])

    def forward(self, hidden_states: torch.Tensor, *args: object, **kwargs: object) -> torch.Tensor:
        for step in self.steps:
            hidden_states = torch.tanh(step(hidden_states))
        return hidden_states


class Scaled(nn.Module):
    """Holds any module and scales what it returns."""

    def __init__(self, inner: nn.Module, scale: float = 0.5) -> None:
        super().__init__()
        self.inner, self.scale = inner, scale
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, *args: object, **kwargs: object) -> torch.Tensor:
        return self.gain * self.scale * self.inner(*args, **kwargs)


class Bottleneck(nn.Module):
    """Holds a layer and adds a bottleneck to what it returns."""

    def __init__(self, layer: nn.Module, size: int, bottleneck: int = 8) -> None:
        super().__init__()
        self.layer, self.size, self.bottleneck = layer, size, bottleneck
        self.down = nn.Linear(size, bottleneck)
        self.up = nn.Linear(bottleneck, size)

    def forward(self, hidden_states: torch.Tensor, *args: object, **kwargs: object) -> torch.Tensor:
        outputs = self.layer(hidden_states, *args, **kwargs)
        return outputs + self.up(torch.relu(self.down(outputs)))


# Methods to patch in.


def quiet_forward(self, hidden_states, *args, **kwargs):
    return 0.5 * hidden_states


def loud_forward(self, *args, **kwargs):
    return 2.0 * type(self).forward(self, *args, **kwargs)


def scaled_linear(self, hidden_states):
    return 0.25 * nn.functional.linear(hidden_states, self.weight, self.bias)


def calling_original(original):
    def forward(*args, **kwargs):
        return 0.5 * original(*args, **kwargs)

    return forward


def halved(outputs):
    return 0.5 * outputs if isinstance(outputs, torch.Tensor) else outputs


def noted(original):
    @functools.wraps(original)
    def forward(*args, **kwargs):
        return halved(original(*args, **kwargs))

    return forward


def wrapped(module):
    return noted(module.forward)


def wrapped_twice(module):
    return noted(noted(module.forward))


def with_a_default(module):
    return lambda *args, original=module.forward, **kwargs: halved(original(*args, **kwargs))


def through_the_module(module):
    def forward(*args, **kwargs):
        return halved(type(module).forward(module, *args, **kwargs))

    return forward


def holding_a_part(module, part):
    original = module.forward

    @torch.no_grad()
    def forward(*args, **kwargs):
        outputs = original(*args, **kwargs)
        return outputs if part.weight is None else halved(outputs)

    return forward


WRAPPINGS = (wrapped, wrapped_twice, with_a_default, through_the_module)
