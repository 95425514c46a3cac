"""Configs that a native class does not leave as they are: it changes them when it reads them, or while it builds."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from tests.judge import differing, plain

Values = dict[int, tuple[PreTrainedConfig, object]]


def drifted(live: PreTrainedModel, values_of: Callable[..., dict[str, Any]]) -> tuple[Values, str]:
    """What the configs of the live model are, by identity, when the unmodified class was built from the same values,
    and what became of which value; nothing where they stay as they are or the native class cannot be built."""
    native = next(cls for cls in type(live).__mro__ if cls.__module__.startswith("transformers.models."))
    kind = type(live.config)
    try:
        with torch.device("meta"):
            built = native(kind.from_dict(values_of(live.config, kind)))
    except Exception:  # then it tells nothing
        return {}, ""
    pairs = list(zip(parts(live.config), parts(built.config), strict=True))
    ours, theirs = plain(live.config), plain(built.config)
    changed = "" if ours == theirs else f"the native class changes its config too: {differing(ours, theirs)}"
    return {id(mine): (mine, plain(other)) for mine, other in pairs}, changed


def parts(config: PreTrainedConfig) -> Iterator[PreTrainedConfig]:
    """A config and those within it."""
    yield config
    for _, value in sorted(vars(config).items()):
        if isinstance(value, PreTrainedConfig):
            yield from parts(value)
