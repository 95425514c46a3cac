"""Configs that a declared class does not leave as they are: it changes them while it builds, or when it reads them."""

import tempfile
from collections.abc import Iterator

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from archit_codegen.declaration.building import config_of, under
from archit_codegen.declaration.differences import config_difference
from archit_codegen.declaration.facts import Configs
from archit_codegen.declaration.loading import one_line
from archit_codegen.declaration.reloading import native_class
from archit_codegen.errors import ValidationFailed


def changed_by_building(live: nn.Module, dtype: torch.dtype) -> tuple[Configs, str | None]:
    """What the unmodified class leaves of each config of the live model when it is built from them, with a note on
    the first difference; nothing where there is none."""
    native = native_class(live)
    if native is None or not isinstance(live, PreTrainedModel):
        return {}, None
    config = config_of(native.config_class, live.config)
    try:
        with under("meta", dtype):
            native(config)
    except Exception:  # a class that cannot be built from the config tells nothing
        return {}, None
    change = config_difference(live.config, config)
    found = {id(mine): other for mine, other in zip(_parts(live.config), _parts(config), strict=True)}
    return (found, f"building a {native.__name__} changes its config: {change}") if change else ({}, None)


def changed_by_reading(live: PreTrainedConfig, root: type[PreTrainedModel]) -> str | None:
    """A note where a config file does not give the live config back, and neither does one of the declared class.

    Raises:
        ValidationFailed: a config of the emitted class does not survive where the declared one does, or the emitted
            root cannot be built from it.
    """
    config = config_of(root.config_class, live)
    change = _reread(config)
    if change is None:
        _build_with_new_parts(config, root)
        return None
    if change != _reread(live):
        raise ValidationFailed("", f"read from its file again, {change}")
    return f"{type(live).__name__} itself does not survive its own config file: {change}"


def _build_with_new_parts(config: PreTrainedConfig, root: type[PreTrainedModel]) -> None:
    """Configs within it that got classes of their own stand there only once it was read."""
    try:
        read = type(config).from_dict(config.to_dict())
        if all(type(part).__module__ != type(config).__module__ for part in list(_parts(read))[1:]):
            return
        with under("meta", torch.get_default_dtype()):
            root(read)
    except Exception as error:  # whatever the config class or the constructors raise, the package is wrong
        raise ValidationFailed("", f"built from a config that was read, it raises {one_line(error)[:200]}") from error


def _reread(config: PreTrainedConfig) -> str | None:
    try:
        with tempfile.TemporaryDirectory(prefix="archit_codegen_") as directory:
            config.save_pretrained(directory)
            return config_difference(config, type(config).from_pretrained(directory))
    except Exception as error:  # config classes validate as they like; both classes are asked, and compared
        return f"its config raises {one_line(error)}"


def _parts(config: PreTrainedConfig) -> Iterator[PreTrainedConfig]:
    """A config and those within it."""
    yield config
    for _, value in sorted(vars(config).items()):
        if isinstance(value, PreTrainedConfig):
            yield from _parts(value)
