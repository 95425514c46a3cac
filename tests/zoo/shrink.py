"""A small config for any class: the numbers of its default config made smaller, those of sub-configs included.

Widths are all divided by one power of two, which keeps what divides what and what adds up to what; depths,
vocabularies and pictures are cut. How far that goes differs from class to class, so several rungs are tried, the
smallest first.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from transformers import PreTrainedConfig

OWN = re.compile(
    r"patch|image|img|kernel|stride|window|rate|hop|groups|mel|crop|resolution|pool|n_fft|factor|ratio|frame|label"
    r"|second|position|^(max|min)_|length|_ids?$|token|quer|temporal|merge|version|top_k|_idx|n_ctx|num_channels"
    r"|^in_chan|^in_channels|_channel$|conv_kernel|scale|step|period|offset|every|buckets|bins|codebooks|beams|return"
    r"|anchor|distance|chunk|block_size|out_features|out_indices|interval|iteration|steps|padding|dilation|capacity"
    r"|expansion|num_points|num_levels|n_levels|multiple|freq|groups?$|theta|points|num_proposals"
)
"""Numbers that mean something else than a width: they stay as they are, if no rule below says otherwise."""
WIDTH = re.compile(r"hidden_size|hidden_dim|embed_dim|_dim$|intermediate_size|ffn|d_model|_width$|initial_channel")
"""These are widths, whatever else their names say."""
DEPTH = re.compile(
    r"(^|_)(layers|n_layer|n_layers|depth|num_blocks|layers_num|num_hidden_layers|num_stacks|n_blocks)$|num_\w*_layers$"
)
DEPTHS = re.compile(r"depths|num_blocks|(^|_)layers$|num_layers|block_repeats|stage_blocks|n_layers")
VOCABULARY = re.compile(r"vocab\w*_size$|_vocab$|^vocab$|^n_token$|^n_vocab$")
SPECIAL = re.compile(
    r"_(token|tok)(_id|_index|_ids)?$|_token_ids?$|_token_index$|^(bos|eos|pad|sep|cls|mask|unk)_\w*id$"
)
EXPERTS = re.compile(r"(num|n)_(\w+_)?experts$|num_local_experts$|n_routed_experts$|^moe_num_experts$")
QUERIES = re.compile(r"num_(\w+_)?quer(y|ies)$|num_proposals$|num_select$")
CHOSEN = re.compile(r"experts_per_tok|^top_?k$|topk_group$|num_selected_experts|moe_topk$|moe_k$|router_top_k")
INDICES = re.compile(r"indices$|indexes$|out_layers$|layer_ids|_layer_idx$|layers_idx$|feature_layers?$|out_index")
HEADS = re.compile(r"(^|_)heads$|(^|_)n_head(s)?(_kv)?$|_heads_\w+$|num_kv_heads|kv_heads$")
HEAD_WIDTH = re.compile(
    r"head_dim|head_width|head_size|d_kv$|kv_channels|dim_head|attention_head|_head_size|rotary_dim|section"
)
PICTURE = re.compile(r"^(image|img|input|crop)_?(size|width|height)?$|^pretrained_img_size$|^image_size$|^input_size$")
SMALLEST = 4
RESTS = ((2, 128, 32), (4, 128, 64), (2, None, None), (None, 128, 64), (None, None, None))
"""Layers, tokens and sides of the rungs."""
POSITIONS, TOKENS, LEAST_WIDTH = 512, 128, 32


@dataclass(frozen=True, slots=True)
class Rung:
    """How far a config is shrunk: `width` and `heads` divide, `None` leaves the numbers of that kind alone."""

    width: int
    heads: int = 1
    layers: int | None = 2
    tokens: int | None = TOKENS
    side: int | None = 32

    def __str__(self) -> str:
        return " ".join(str(value) for value in (self.width, self.heads, self.layers, self.tokens, self.side))

    @classmethod
    def read(cls, text: str) -> "Rung":
        """Of what `str` wrote."""
        return cls(*[None if part == "None" else int(part) for part in text.split()])


class Unshrinkable(Exception):
    """The numbers of this config cannot be divided so: the next rung is tried."""


def rungs(config: PreTrainedConfig) -> Iterator[Rung]:
    """From the smallest that makes sense for this config to its own widths."""
    head_factors = dict.fromkeys((heads_factor(config), 1))
    for rest in RESTS:
        for heads in head_factors:
            first = width_factor(config, heads)
            for width in [factor for factor in (64, 32, 16, 8, 4, 2, 1) if factor <= first]:
                yield Rung(width, heads, *rest)


def heads_factor(config: PreTrainedConfig) -> int:
    """The largest power of two up to 16 that divides all numbers of heads and leaves at least two of each."""
    counts = [value for inner in all_configs(config) for name, value in vars(inner).items() if is_heads(name, value)]
    counts = counts or [1]
    return max(
        factor for factor in (1, 2, 4, 8, 16) if all(n % factor == 0 and n > factor for n in counts) or factor == 1
    )


def is_heads(name: str, value: object) -> bool:
    return bool(HEADS.search(name)) and type(value) is int and value > 1


def width_factor(config: PreTrainedConfig, heads: int) -> int:
    """The largest power of two that leaves every model width at least 32 and every head at least 4."""
    most = 64
    for inner in all_configs(config):
        width = number(inner, "hidden_size", "d_model", "embed_dim", "n_embd", "dim")
        count = number(inner, "num_attention_heads", "num_heads", "n_heads", "encoder_attention_heads")
        while width and most > 1 and width // most // heads < LEAST_WIDTH:
            most //= 2
        while width and count and most > 1 and width // count // most < SMALLEST:
            most //= 2
    return most


def number(config: PreTrainedConfig, *names: str) -> int | None:
    known = vars(config)  # some configs refuse to tell what differs by layer
    found = (known.get(config.attribute_map.get(name, name)) for name in names)
    firsts = (value[0] if isinstance(value, (list, tuple)) and value else value for value in found)
    return next((value for value in firsts if type(value) is int and value > 0), None)


def all_configs(config: PreTrainedConfig) -> Iterator[PreTrainedConfig]:
    yield config
    for value in vars(config).values():
        if isinstance(value, PreTrainedConfig):
            yield from all_configs(value)


def shrink(config: PreTrainedConfig, rung: Rung, given: frozenset[str] = frozenset()) -> PreTrainedConfig:
    """A config of the same class with smaller numbers; ``given`` are fields that have not the default of their class.

    Raises:
        Unshrinkable: a list of numbers cannot be divided by the factor.
        Exception: whatever the config class says of its new values.
    """
    return Shrinking(rung, least_vocabulary(config, rung), given).config(config)


def least_vocabulary(config: PreTrainedConfig, rung: Rung) -> int:
    sizes = [
        value for inner in all_configs(config) for name, value in vars(inner).items() if is_vocabulary(name, value)
    ]
    return min([size if rung.tokens is None else min(size, rung.tokens) for size in sizes] or [TOKENS])


def is_vocabulary(name: str, value: object) -> bool:
    return bool(VOCABULARY.search(name)) and type(value) is int and value > 16


@dataclass
class Shrinking:
    """The new values of one config and of those within it; special tokens get new numbers, the same everywhere."""

    rung: Rung
    vocabulary: int
    given: frozenset[str]

    def __post_init__(self) -> None:
        self.moved: dict[int, int] = {}

    def config(self, config: PreTrainedConfig) -> PreTrainedConfig:
        staged = any(DEPTHS.search(name) and isinstance(value, (list, tuple)) for name, value in vars(config).items())
        before = None if staged else number(config, *DEPTH_NAMES)
        return type(config)(**dict(self.changes(config, before)))

    def changes(self, config: PreTrainedConfig, depth: int | None) -> Iterator[tuple[str, Any]]:
        for name in dict.fromkeys((*own_fields(config), *(name for name in self.given if name in vars(config)))):
            value = vars(config).get(name)
            new = self.new_value(name, value, depth)
            if isinstance(value, PreTrainedConfig) or new != value or (name in self.given and value is not None):
                yield name, new

    def new_value(self, name: str, value: Any, depth: int | None) -> Any:
        if isinstance(value, PreTrainedConfig):
            return self.config(value)
        if type(value) is bool or value is None:
            return value
        if SPECIAL.search(name):
            return self.special(value)
        if type(value) is int:
            return self.integer(name, value)
        if isinstance(value, (list, tuple)) and value:
            return type(value)(self.items(name, list(value), depth))
        if isinstance(value, dict):
            return self.mapping(name, value)
        return value

    def special(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(map(self.special, value))
        if type(value) is not int or value < self.vocabulary:
            return value
        return self.moved.setdefault(value, self.vocabulary - 1 - len(self.moved))

    def integer(self, name: str, value: int) -> int:
        rung = self.rung
        if is_vocabulary(name, value):
            return value if rung.tokens is None else min(value, rung.tokens)
        if EXPERTS.search(name):
            return min(value, 16)
        if QUERIES.search(name):
            return min(value, 10)
        if CHOSEN.search(name):
            return min(value, 2)
        if DEPTH.search(name):
            return value if rung.layers is None else min(value, rung.layers)
        if PICTURE.search(name):
            return value if rung.side is None else min(value, rung.side)
        if "position" in name or name in ("n_ctx", "max_seq_len", "context_length"):
            return value if rung.tokens is None else min(value, POSITIONS)
        if INDICES.search(name):
            return value if rung.layers is None or value < 0 else min(value, rung.layers - 1)
        if is_heads(name, value):
            return value // rung.heads if value % rung.heads == 0 else value
        return value if OWN.search(name) and not WIDTH.search(name) else self.width(name, value)

    def width(self, name: str, value: int) -> int:
        factor = self.factor(name)
        if value < 16 or factor == 1:
            return value
        if value % factor:
            return value if value < 64 else max(value // factor, SMALLEST)
        return value // factor

    def factor(self, name: str) -> int:
        """Of a whole width, or of one head's."""
        return self.rung.width if HEAD_WIDTH.search(name) else self.rung.width * self.rung.heads

    def items(self, name: str, values: list[Any], depth: int | None) -> list[Any]:
        rung, layers = self.rung, self.rung.layers
        if all(isinstance(value, PreTrainedConfig) for value in values):
            return [self.config(value) for value in values]
        if name.endswith("section") and all(type(value) is int for value in values):
            return self.divided(name, values)
        if PICTURE.search(name):
            return [value if rung.side is None else min(value, rung.side) for value in values]
        if layers and DEPTHS.search(name) and all(type(value) is int for value in values):
            return [min(value, layers) for value in values]
        if layers and INDICES.search(name) and all(type(value) is int for value in values):
            return list(range(max(0, layers - len(values)), layers)) if min(values) >= 0 else values
        if layers and depth and len(values) == depth > layers:
            return with_every_kind(values, layers)
        if (
            (OWN.search(name) and not WIDTH.search(name))
            or not all(type(value) is int for value in values)
            or min(values) < 8
        ):
            return values
        return self.divided(name, values)

    def divided(self, name: str, values: list[int]) -> list[int]:
        factor = self.factor(name)
        if any(value % factor for value in values):
            raise Unshrinkable(f"{name} is {values}")
        return [value // factor for value in values]

    def mapping(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        if "label" in name:
            return dict(values)
        new = {key: self.mapping(key, value) if isinstance(value, dict) else value for key, value in values.items()}
        for key, value in values.items():
            if isinstance(value, list) and key.endswith("section"):
                new[key] = self.divided(key, value)
            elif isinstance(value, list) and key in ("long_factor", "short_factor"):
                new[key] = value[: max(1, len(value) // self.rung.width)]
        return new


DEPTH_NAMES = ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "encoder_layers", "depth", "decoder_layers")


def with_every_kind(values: list[Any], count: int) -> list[Any]:
    """The first of each kind in its order, then the first ones again: both kinds of attention, where there are two."""
    first = [index for index, value in enumerate(values) if values.index(value) == index][:count]
    rest = [index for index in range(len(values)) if index not in first]
    return [values[index] for index in sorted((first + rest)[:count])]


def own_fields(config: PreTrainedConfig) -> list[str]:
    """What the class itself takes, without what every config of transformers has."""
    assert is_dataclass(config)
    common = {field.name for field in fields(PreTrainedConfig)}
    kept = {"bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "decoder_start_token_id"}
    return [field.name for field in fields(config) if field.init and (field.name not in common or field.name in kept)]
