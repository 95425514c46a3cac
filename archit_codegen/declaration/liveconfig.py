"""The config of the live model, which holds whatever was set on it."""

import copy
from collections.abc import Iterator
from typing import Any

from transformers import PreTrainedConfig

from ..errors import InvalidDeclaration
from .process import strings_in


def copied_config(config: Any) -> Any:
    """A copy for the reference; what cannot be copied or listed cannot be declared.

    Raises:
        InvalidDeclaration: such a value.
    """
    try:
        tuple(config_strings(config))
        return copy.deepcopy(config)
    except Exception as error:  # the values may be of any class, and their code raises anything
        raise InvalidDeclaration(
            f"The live model's config cannot be read ({type(error).__name__}: {error}). Keep plain values in it."
        ) from error


def config_strings(config: Any) -> Iterator[str]:
    """Every text in the config, that may name an entry of a registry."""
    if isinstance(config, PreTrainedConfig):
        yield from strings_in(config.to_dict())
        yield from strings_in([config._attn_implementation, config._experts_implementation])
