"""Inputs for a small model, from the signature of its `forward`: several kinds are tried, the first that runs is kept.

Nothing here is shared with the compiler, which makes inputs of its own for its validation.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig

from tests.zoo.outputs import run, tensors_in
from tests.zoo.shrink import all_configs

SEED = 7
Inputs = dict[str, Any]


class NoInputs(Exception):
    """No kind of inputs runs: a reason, not a failure."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to make inputs: how long texts are, what a picture is, and which optional inputs are given."""

    length: int = 8
    picture: str = "image"
    sound: str = "wave"
    together: bool = True
    side: int | None = None
    batch: int = 2
    choices: bool = False
    encoded: bool = False


KINDS = (
    Kind(), Kind(together=False), Kind(picture="video"), Kind(picture="patches"), Kind(sound="frames"),
    Kind(sound="channels"), Kind(sound="mel"), Kind(length=64), Kind(length=64, together=False), Kind(side=64),
    Kind(side=224), Kind(picture="flat"), Kind(sound="long"), Kind(picture="video", side=64),
    Kind(batch=1), Kind(choices=True), Kind(encoded=True), Kind(length=32), Kind(length=512),
)  # fmt: skip


class Maker:
    """Makes inputs of one kind by their names."""

    def __init__(self, model: nn.Module, kind: Kind) -> None:
        self.model, self.kind, self.configs = model, kind, list(all_configs(model.config))
        self.generator = torch.Generator().manual_seed(SEED)

    def find(self, *names: str, default: Any = None) -> Any:
        found = (getattr(config, name, None) for name in names for config in self.configs)
        return next((value for value in found if value is not None), default)

    def noise(self, *shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=self.generator)

    def tokens(self) -> torch.Tensor:
        count = min(
            value for value in (self.embeddings(), self.find("vocab_size", default=64)) if isinstance(value, int)
        )
        special = {value for config in self.configs for value in special_tokens(config)}
        usual = torch.tensor([token for token in range(count) if token not in special] or [0])
        shape = (self.kind.batch, *([3] if self.kind.choices else []), self.kind.length)
        return usual[torch.randint(0, len(usual), shape, generator=self.generator)]

    def embeddings(self) -> int:
        try:
            return int(self.model.get_input_embeddings().num_embeddings)
        except (AttributeError, NotImplementedError):
            return 1 << 30

    def mask(self) -> torch.Tensor:
        mask = torch.ones(self.kind.batch, *([3] if self.kind.choices else []), self.kind.length, dtype=torch.long)
        mask[-1, ..., -2:] = 0
        return mask

    def whole(self) -> torch.Tensor:
        return torch.ones(self.kind.batch, 16, dtype=torch.long)

    def hidden(self) -> torch.Tensor:
        return self.noise(self.kind.batch, self.kind.length, self.width())

    def width(self) -> int:
        return self.find("hidden_size", "d_model", "embed_dim", "n_embd", "dim", "hidden_dim", default=32)

    def sides(self) -> tuple[int, int]:
        size = self.kind.side or self.find("image_size", "img_size", "input_size", default=32)
        if isinstance(size, dict):
            size = tuple(size.values())
        return (size, size) if isinstance(size, int) else (size[-2], size[-1])

    def pixels(self) -> torch.Tensor:
        channels = self.find("num_channels", "in_channels", "in_chans", "num_input_channels", default=3)
        if self.kind.picture == "patches":
            patch = self.find("patch_size", default=14)
            return self.noise(16, channels * self.find("temporal_patch_size", default=1) * patch * patch)
        if self.kind.picture == "flat":
            patch = self.find("patch_size", default=14)
            return self.noise(self.kind.batch, 16, channels * patch * patch)
        frames = (self.find("num_frames", "frames_per_clip", default=2),) if self.kind.picture == "video" else ()
        return self.noise(self.kind.batch, *frames, channels, *self.sides())

    def grid(self) -> torch.Tensor:
        return torch.tensor([[1, 4, 4]])

    def shapes(self) -> torch.Tensor:
        return torch.tensor([[4, 4]] * self.kind.batch)

    def boxes(self) -> torch.Tensor:
        corners = torch.randint(0, 100, (self.kind.batch, self.kind.length, 2, 2), generator=self.generator)
        return corners.sort(dim=2).values.flatten(2)

    def wave(self) -> torch.Tensor:
        mel = self.find("num_mel_bins", "n_mels", "input_feat_per_channel", "mel_bins", default=80)
        length = 2 * self.find("max_source_positions", "n_ctx", default=32)
        channels = self.find("audio_channels", default=1)
        shapes = {
            "wave": (2000,), "long": (24000,), "frames": (64, self.find("feature_projection_input_dim", default=mel)),
            "channels": (channels, 2000), "mel": (mel, length),
        }  # fmt: skip
        return self.noise(self.kind.batch, *shapes[self.kind.sound])


MAKERS: dict[str, Callable[[Maker], torch.Tensor]] = {
    "input_ids": Maker.tokens, "decoder_input_ids": Maker.tokens, "attention_mask": Maker.mask, "bbox": Maker.boxes,
    "pixel_values": Maker.pixels, "input_features": Maker.wave, "input_values": Maker.wave,
    "audio_values": Maker.wave, "pixel_values_videos": Maker.pixels, "hidden_states": Maker.hidden,
    "inputs_embeds": Maker.hidden, "encoder_hidden_states": Maker.hidden, "grid_thw": Maker.grid,
    "image_grid_thw": Maker.grid, "spatial_shapes": Maker.shapes, "flattened_patches": Maker.pixels,
    "past_values": Maker.hidden, "audio_codes": Maker.tokens, "input_embeds": Maker.hidden,
    "waveform": Maker.wave, "spectrogram": Maker.wave, "pixel_position_ids": Maker.shapes,
    "pixel_attention_mask": Maker.whole,
}  # fmt: skip
TEXT = {"input_ids", "attention_mask", "decoder_input_ids", "bbox"}
OPTIONAL = {*TEXT, "pixel_values", "input_features", "input_values"}
VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def find_inputs(model: nn.Module) -> tuple[int, Inputs]:
    """The first kind of inputs that runs, by its number in `KINDS`, with all outputs that the model will give.

    Raises:
        NoInputs: with the reason of the first kind.
    """
    failures: list[str] = []
    seen: list[object] = []
    for number, inputs in kinds(model):
        shape = {name: getattr(value, "shape", value) for name, value in inputs.items()}
        if shape in seen:
            continue
        seen.append(shape)
        try:
            if tensors_in(run(model, inputs)):
                return number, inputs
            failures.append("the outputs have no tensors")
        except Exception as error:  # whatever the model raises: these inputs are not for it
            failures.append(f"{type(error).__name__}: {' '.join(str(error).split())[:100]}")
    raise NoInputs(failures[0] if failures else "forward needs inputs that are not known")


def kinds(model: nn.Module) -> Iterator[tuple[int, Inputs]]:
    for number in range(len(KINDS)):
        try:
            inputs = make(model, number)
        except Exception:  # numbers of this config that mean something else: no inputs of this kind
            continue
        if inputs:
            yield number, inputs


def make(model: nn.Module, number: int) -> Inputs:
    """Inputs of one kind; empty where `forward` needs one that is not known."""
    maker, parameters = Maker(model, KINDS[number]), forward_parameters(model)
    needed = {name for name, parameter in parameters.items() if is_needed(parameter)}
    if needed - set(MAKERS):
        return {}
    given = needed | (OPTIONAL if maker.kind.together else TEXT) & set(parameters)
    given |= {"encoder_hidden_states"} & set(parameters) if maker.kind.encoded else set()
    if not given & (set(MAKERS) - {"attention_mask"}):
        given |= set(MAKERS) & set(parameters) - {"encoder_hidden_states", "image_grid_thw"}
    if "input_ids" not in given:
        given -= {"attention_mask"} - needed
    if "input_ids" in given:
        given -= {"inputs_embeds", "input_embeds"}
    inputs = {name: MAKERS[name](maker) for name in MAKERS if name in given}
    return inputs | ({"use_cache": False} if "use_cache" in parameters else {})


def forward_parameters(model: nn.Module) -> dict[str, inspect.Parameter]:
    return dict(list(inspect.signature(type(model).forward).parameters.items())[1:])


def is_needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind not in VARIABLE


def special_tokens(config: PreTrainedConfig) -> Iterator[int]:
    for name, value in vars(config).items():
        if name.endswith(("_token_id", "_token_index", "_token_ids")):
            yield from [value] if isinstance(value, int) else [one for one in value or () if isinstance(one, int)]
