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
from archit_codegen.errors import UnsupportedChange, ValidationFailed


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
        UnsupportedChange: weights are tied, and a config that was read switches that off.
    """
    config = config_of(root.config_class, live)
    change = _reread(config)
    _keep_ties(config, root)
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


def _keep_ties(config: PreTrainedConfig, root: type[PreTrainedModel]) -> None:
    """Some configs switch ties off whenever they are made: as soon as one is read, the weights part."""
    try:
        read = type(config).from_dict(config.to_dict())
        if all(_switch(one) == _switch(other) for one, other in zip(_parts(config), _parts(read), strict=True)):
            return
        with under("meta", torch.get_default_dtype()):
            lost = sorted(_tied(root(config)) - _tied(root(read)))
    except Exception:  # told by `_reread` and `_build_with_new_parts`, where it is no drift of the declared class
        return
    if lost:
        raise UnsupportedChange(
            lost[0][1],
            f"is tied to {lost[0][0]}, while a config that is read from a file switches ties off",
            "Give the model a config class whose `__post_init__` leaves `tie_word_embeddings` as it is, or share the "
            "module instead of its weight.",
        )


def _switch(config: PreTrainedConfig) -> bool:
    return bool(getattr(config, "tie_word_embeddings", False))


def _tied(model: nn.Module) -> set[tuple[str, str]]:
    first: dict[int, str] = {}
    named = model.named_parameters(remove_duplicate=False)
    return {(first[id(one)], name) for name, one in named if first.setdefault(id(one), name) != name}


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
