"""Makes small inputs for a model from the signature of its `forward` and from its config."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig

from archit_codegen.errors import ArchitError

BATCH = 2
LENGTH = 7
SIDE = 64
WAVE = 2000
SEED = 20


class InputsUnknown(ArchitError):
    """Nothing tells what inputs the `forward` of a model takes."""

    def __init__(self, cls: str, reason: str) -> None:
        super().__init__(f"no inputs can be made for {cls}: {reason}. Pass `inputs` to compare outputs.")
        self.cls, self.reason = cls, reason


@dataclass(frozen=True)
class Maker:
    """Makes each input by name: values of the config, a batch size and a generator of its own."""

    config: PreTrainedConfig
    batch: int
    generator: torch.Generator

    def value(self, *names: str) -> Any:
        """The first of these that the config, or a config within it, has."""
        found = (getattr(config, name, None) for config in configs(self.config) for name in names)
        return next((value for value in found if value is not None), None)

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, (self.batch, *shape), generator=self.generator)

    def noise(self, *shape: int) -> Tensor:
        return torch.randn((self.batch, *shape), generator=self.generator)

    def length(self) -> int:
        positions = self.value("max_position_embeddings", "n_positions")
        # RoBERTa and its like lose the first positions to padding.
        return LENGTH if not isinstance(positions, int) or positions < 0 else max(1, min(LENGTH, positions - 3))

    def shorter(self) -> int:
        return self.length() - self.length() // 3

    def special_tokens(self) -> set[int]:
        names = ("_token_id", "_token_index")
        values = (getattr(c, name, None) for c in configs(self.config) for name in c if name.endswith(names))
        flat = [token for value in values for token in (value if isinstance(value, list) else [value])]
        return {token for token in flat if isinstance(token, int)}

    def token_ids(self) -> Tensor:
        """Ordinary tokens, and one end token, which some heads look for."""
        vocabulary, special = self.value("vocab_size"), self.special_tokens()
        ordinary = [token for token in range(vocabulary) if token not in special] or list(range(vocabulary))
        tokens = torch.tensor(ordinary)[self.integers(0, len(ordinary), self.length())]
        end = self.value("eos_token_id")
        if isinstance(end, int) and 0 <= end < vocabulary:
            tokens[:, self.shorter() - 1] = end
        return tokens

    def attention_mask(self) -> Tensor:
        """The second text is shorter than the first. (On its left, causal attention would have nothing to look at.)"""
        mask = torch.ones(self.batch, self.length(), dtype=torch.long)
        mask[1:, self.shorter() :] = 0
        return mask

    def boxes(self) -> Tensor:
        largest = self.value("max_2d_position_embeddings") or 1000
        corners = self.integers(0, min(largest, 1000), self.length(), 2, 2).sort(dim=2).values
        return corners.flatten(2)

    def pixels(self) -> Tensor:
        size = self.value("image_size", "img_size") or SIDE
        sides = (size, size) if isinstance(size, int) else tuple(size.values() if isinstance(size, dict) else size)
        channels, frames = self.value("num_channels", "in_channels", "in_chans") or 3, self.value("num_frames")
        return self.noise(*([frames] if isinstance(frames, int) else []), channels, *sides[-2:])

    def features(self) -> Tensor:
        """Spectrograms: Whisper's are `[mel, time]` of one length, the others' `[time, feature]`."""
        mel, positions = self.value("num_mel_bins"), self.value("max_source_positions")
        if mel and positions and not self.value("input_feat_per_channel"):
            return self.noise(mel, 2 * positions)
        size = self.value("feature_projection_input_dim")
        per_channel, channels = self.value("input_feat_per_channel") or 80, self.value("input_channels") or 1
        return self.noise(64, size or per_channel * channels)

    def audio(self) -> Tensor:
        """Raw waves, or a spectrogram where the config says how many bins one has."""
        bins, length = self.value("num_mel_bins"), self.value("max_length")
        return self.noise(length, bins) if bins and length else self.noise(WAVE)


MAKERS: dict[str, Callable[[Maker], Tensor]] = {
    "input_ids": Maker.token_ids,
    "attention_mask": Maker.attention_mask,
    "decoder_input_ids": Maker.token_ids,
    "bbox": Maker.boxes,
    "pixel_values": Maker.pixels,
    "input_features": Maker.features,
    "input_values": Maker.audio,
}
VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
PLACEHOLDERS = ("image_token_id", "image_token_index", "audio_token_id", "audio_token_index")
TEXT = ("input_ids", "attention_mask", "decoder_input_ids")


def make_inputs(model: nn.Module) -> dict[str, Tensor]:
    """Small inputs on the model's device, the same at each call; the global random state is not touched."""
    config = getattr(model, "config", None)
    if not isinstance(config, PreTrainedConfig):
        raise InputsUnknown(type(model).__name__, "it has no config of transformers")
    maker = Maker(config, batch_size(model, config), torch.Generator().manual_seed(SEED))
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    with torch.device("cpu"):
        return {name: MAKERS[name](maker).to(device) for name in wanted(model, maker)}


def batch_size(model: nn.Module, config: PreTrainedConfig) -> int:
    # A head over the last token of a text cannot tell where several texts end without a padding token.
    unpadded = "ForSequenceClassification" in type(model).__name__ and getattr(config, "pad_token_id", None) is None
    return 1 if unpadded else BATCH


def wanted(model: nn.Module, maker: Maker) -> list[str]:
    """Names of the inputs to make; refuses where `forward` needs another, or where the config lacks what one needs."""
    parameters = parameters_of(model)
    names = [name for name in MAKERS if name in parameters and is_meant(name, set(parameters), maker)]
    needed = [name for name, parameter in parameters.items() if is_needed(parameter)]
    if unknown := [name for name in needed if name not in names]:
        raise InputsUnknown(type(model).__name__, f"its forward needs {', '.join(unknown)}")
    if not names:
        raise InputsUnknown(type(model).__name__, f"none of {', '.join(parameters) or 'no arguments'} is known")
    if set(names) & set(TEXT) and not isinstance(maker.value("vocab_size"), int):
        raise InputsUnknown(type(model).__name__, "its config has no vocab_size")
    return names


def parameters_of(model: nn.Module) -> Mapping[str, inspect.Parameter]:
    """Of `forward`; a patched one that passes everything on takes what the class's own takes."""
    patched = inspect.signature(model.forward).parameters
    if any(parameter.kind not in VARIABLE for parameter in patched.values()):
        return patched
    own = inspect.signature(type(model).forward).parameters
    return dict(list(own.items())[1:])


def is_meant(name: str, parameters: set[str], maker: Maker) -> bool:
    """Whether an optional input belongs: images go into texts only by way of tokens that stand for them."""
    if name == "attention_mask":
        return "input_ids" in parameters
    if name in ("pixel_values", "input_features", "input_values") and "input_ids" in parameters:
        return all(maker.value(token) is None for token in PLACEHOLDERS)
    return True


def is_needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind not in VARIABLE


def configs(config: PreTrainedConfig) -> Iterator[PreTrainedConfig]:
    """The config and all those within it, outermost first."""
    yield config
    for name in config.sub_configs:
        inner = getattr(config, name, None)
        if isinstance(inner, PreTrainedConfig):
            yield from configs(inner)
