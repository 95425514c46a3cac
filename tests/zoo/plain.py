"""Plain torch code, as it stands in papers and notebooks: roots without a config, a library or a base class."""

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional


class Multilayer(nn.Module):
    """A perceptron whose layers are a Sequential made in a loop."""

    def __init__(self, sizes: tuple[int, ...] = (12, 16, 16, 4), dropout: float = 0.1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for size_in, size_out in pairwise(sizes[:-1]):
            layers += [nn.Linear(size_in, size_out), nn.LayerNorm(size_out), nn.GELU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class CausalAttention(nn.Module):
    def __init__(self, width: int, heads: int, context: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, 1 / math.sqrt(width // heads)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.register_buffer("mask", torch.tril(torch.ones(context, context)).bool(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = (q @ k.transpose(-2, -1) * self.scale).masked_fill(~self.mask[:length, :length], -math.inf)
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, width: int, heads: int, context: int) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), CausalAttention(width, heads, context)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class SmallGPT(nn.Module):
    """A decoder with tied embeddings."""

    def __init__(
        self, vocabulary: int = 40, width: int = 16, heads: int = 2, depth: int = 3, context: int = 16
    ) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList([Block(width, heads, context) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Residual(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.act = nn.ReLU()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride=stride), nn.BatchNorm2d(channels))
        else:
            self.shortcut = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.bn2(self.conv2(self.act(self.bn1(self.conv1(x)))))
        return self.act(out + self.shortcut(x))


class SmallResNet(nn.Module):
    """Stages made by a helper method, as in the common implementations."""

    def __init__(self, widths: tuple[int, ...] = (8, 16), classes: int = 5) -> None:
        super().__init__()
        self.inplanes = widths[0]
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        self.stages = nn.ModuleList()
        for index, width in enumerate(widths):
            self.stages.append(self._stage(width, blocks=2, stride=1 if index == 0 else 2))
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(widths[-1], classes)

    def _stage(self, width: int, blocks: int, stride: int) -> nn.Sequential:
        layers = [Residual(self.inplanes, width, stride)]
        self.inplanes = width
        layers += [Residual(width, width) for _ in range(1, blocks)]
        return nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.fc(self.pool(x).flatten(1))


class SmallUNet(nn.Module):
    """Down and up again, with a ModuleDict for the two ways."""

    def __init__(self, channels: int = 8, depth: int = 2) -> None:
        super().__init__()
        sizes = [channels * 2**level for level in range(depth + 1)]
        self.stem = nn.Conv2d(3, channels, 3, padding=1)
        down = [nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(sizes)]
        up = [nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairwise(sizes)]
        self.ways = nn.ModuleDict({"down": nn.ModuleList(down), "up": nn.ModuleList(reversed(up))})
        self.norms = nn.ModuleList(nn.GroupNorm(4, size) for size in sizes[-2::-1])
        self.out = nn.Conv2d(channels, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, skips = self.stem(x), []
        for layer in self.ways["down"]:
            skips.append(x)
            x = functional.silu(layer(x))
        for layer, norm, skip in zip(self.ways["up"], self.norms, reversed(skips), strict=True):
            x = norm(layer(x)) + skip
        return self.out(x)


class SequenceTagger(nn.Module):
    """Recurrent, with two directions."""

    def __init__(self, vocabulary: int = 30, width: int = 8, hidden: int = 6, tags: int = 5) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        self.lstm = nn.LSTM(width, hidden, num_layers=2, bidirectional=True, batch_first=True)
        self.drop, self.tag = nn.Dropout(0.1), nn.Linear(2 * hidden, tags)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.tag(self.drop(self.lstm(self.embedding(ids))[0]))


class VariationalAutoencoder(nn.Module):
    """Two towers; the latent is the mean, so that the output is the same each time."""

    def __init__(self, size: int = 12, hidden: int = 10, latent: int = 3) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(size, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh())
        self.mean, self.log_variance = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.Tanh(), nn.Linear(hidden, size))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = self.encoder(x)
        mean = self.mean(hidden)
        return {"decoded": self.decoder(mean), "mean": mean, "log_variance": self.log_variance(hidden)}


class MixtureOfExperts(nn.Module):
    """Experts in a list, chosen by a router, and the parameters of one more as plain tensors."""

    def __init__(self, width: int = 8, experts: int = 4, chosen: int = 2) -> None:
        super().__init__()
        self.chosen = chosen
        self.router = nn.Linear(width, experts, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)) for _ in range(experts)
        )
        self.shared = nn.Parameter(torch.randn(width, width) * 0.1)
        self.norm = nn.RMSNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights, indices = self.router(x).softmax(-1).topk(self.chosen, dim=-1)
        every = torch.stack([expert(x) for expert in self.experts], dim=-2)
        taken = every.gather(-2, indices.unsqueeze(-1).expand(*indices.shape, x.shape[-1]))
        return self.norm(x @ self.shared + (weights.unsqueeze(-1) * taken).sum(-2))


class Siamese(nn.Module):
    """One tower that stands in two places."""

    def __init__(self, size: int = 12, width: int = 8) -> None:
        super().__init__()
        tower = nn.Sequential(nn.Linear(size, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, width))
        self.left, self.right = tower, tower
        self.compare = nn.Bilinear(width, width, 1)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return self.compare(self.left(left), self.right(right))


class GraphConvolution(nn.Module):
    """Three rounds of messages over a dense adjacency."""

    def __init__(self, width: int = 8, rounds: int = 3) -> None:
        super().__init__()
        for index in range(rounds):
            self.add_module(f"round{index}", nn.Linear(width, width))
        self.rounds = rounds
        self.act, self.norm = nn.ELU(), nn.LayerNorm(width)

    def forward(self, nodes: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        for index in range(self.rounds):
            nodes = self.act(edges @ getattr(self, f"round{index}")(nodes))
        return self.norm(nodes)


class Given(nn.Module):
    """Made of modules that its caller has built: two of them, and a list."""

    def __init__(self, net: nn.Module, head: nn.Module, extra: list[nn.Module], scale: float = 0.5) -> None:
        super().__init__()
        self.net, self.head = net, nn.Sequential(nn.ReLU(), head)
        self.extra, self.scale = nn.ModuleList(extra), scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.net(x)
        for module in self.extra:
            x = x + self.scale * torch.tanh(module(x))
        return self.head(x)
