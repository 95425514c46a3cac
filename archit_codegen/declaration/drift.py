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
        UnsupportedChange: weights are tied, and a config that was read switches that off; or the declared class does
            not read the config at all.
    """
    config = config_of(root.config_class, live)
    change = _reread(config)
    if change is not None and change != _reread(live):
        raise ValidationFailed("", f"read from its file again, {change}")
    if change is not None:
        check_readable(live)
    try:
        _build_as_read(config, root)
    except ValidationFailed:
        if change is None:  # else the declared class itself makes another config of it, and the note says which
            raise
    return None if change is None else f"{type(live).__name__} itself does not survive its own config file: {change}"


def _build_as_read(config: PreTrainedConfig, root: type[PreTrainedModel]) -> None:
    """Builds from a config that was read, where that may be another model: configs within it that got classes of their
    own stand there only then, and some configs switch ties off whenever they are made, so that the weights part."""
    try:
        read = type(config).from_dict(config.to_dict())
        switched = [*map(_switch, _parts(config))] != [*map(_switch, _parts(read))]
        new_parts = any(type(part).__module__ == type(config).__module__ for part in list(_parts(read))[1:])
        if not switched and not new_parts:
            return
        with under("meta", torch.get_default_dtype()):
            built = root(read)
            lost = sorted(_tied(root(config)) - _tied(built)) if switched else []
    except Exception as error:  # whatever the config class or the constructors raise, the package is wrong
        raise ValidationFailed("", f"built from a config that was read, it raises {one_line(error)[:200]}") from error
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


def check_readable(live: PreTrainedConfig) -> None:
    """
    Raises:
        UnsupportedChange: the class of the config does not take it from a file, so that no checkpoint of the model,
            of whatever class, could be loaded.
    """
    try:
        _read_again(live)
    except Exception as error:  # config classes validate as they like
        raise UnsupportedChange(
            "config",
            f"{type(live).__name__} does not read it from its own file: {one_line(error)[:300].rstrip('.')}",
            "Set its fields to values that go together, as the modified model has them.",
        ) from error


def _read_again(config: PreTrainedConfig) -> PreTrainedConfig:
    with tempfile.TemporaryDirectory(prefix="archit_codegen_") as directory:
        config.save_pretrained(directory)
        return type(config).from_pretrained(directory)


def _reread(config: PreTrainedConfig) -> str | None:
    try:
        return config_difference(config, _read_again(config))
    except Exception as error:  # config classes validate as they like; both classes are asked, and compared
        return f"its config raises {one_line(error)}"


def _parts(config: PreTrainedConfig) -> Iterator[PreTrainedConfig]:
    """A config and those within it."""
    yield config
    for _, value in sorted(vars(config).items()):
        if isinstance(value, PreTrainedConfig):
            yield from _parts(value)
