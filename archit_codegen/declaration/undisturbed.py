"""Leaves no trace: what a run of a model, or a build of another one, changes in the model and in the process."""

import contextlib
import io
import random
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy
import torch
from torch import nn
from transformers.utils import logging

from .walking import all_modules

CONTAINERS = (dict, list, set)


@contextmanager
def random_state(seed: int | None = None) -> Iterator[None]:
    """The global random state is put back afterwards; inside it starts from the seed, where one is given."""
    python, arrays = random.getstate(), numpy.random.get_state()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]  # torch's
    with torch.random.fork_rng(devices):
        try:
            if seed is not None:
                random.seed(seed)
                numpy.random.seed(seed)
                torch.manual_seed(seed)
            yield
        finally:
            random.setstate(python)
            numpy.random.set_state(arrays)


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Attributes, hooks, training flags, gradients, buffers and config of the model are put back as they were."""
    states = [(module, dict(vars(module)), copies(vars(module))) for module in all_modules(model)]
    configs = [(config, dict(vars(config))) for config in configs_of(model)]
    buffers = [(buffer, buffer._version, buffer.clone()) for buffer in model.buffers() if not buffer.is_meta]
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    try:
        yield
    finally:
        for module, state, inner in states:
            put_back(vars(module), state)
            for container, content in inner:
                if container or content:
                    refill(container, content)
        for config, values in configs:
            put_back(vars(config), values)
        for parameter, gradient in gradients:
            parameter.grad = gradient
        restore_buffers(buffers)


def copies(state: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Each container among the attributes (the hooks of `nn.Module` among them) with a copy of its content; most
    are empty, and a model has thousands."""
    held = [value for value in state.values() if issubclass(type(value), CONTAINERS)]
    return [(value, value.copy() if value else ()) for value in held]


def put_back(attributes: dict[str, Any], before: dict[str, Any]) -> None:
    for name in [name for name in attributes if name not in before]:
        del attributes[name]
    attributes.update(before)


def refill(container: Any, content: Any) -> None:
    if isinstance(container, list):
        container[:] = content
    elif isinstance(container, set) or not same_items(container, content):
        container.clear()
        container.update(content)


def same_items(one: dict[Any, Any], other: dict[Any, Any]) -> bool:
    """The same objects under the same keys in the same order."""
    return list(one) == list(other) and all(one[key] is other[key] for key in one)


def configs_of(model: nn.Module) -> list[Any]:
    found = {id(config): config for module in all_modules(model) if (config := vars(module).get("config")) is not None}
    return [config for config in found.values() if hasattr(config, "__dict__")]


def restore_buffers(buffers: list[tuple[torch.Tensor, int, torch.Tensor]]) -> None:
    with torch.no_grad():
        for buffer, version, values in buffers:
            if buffer._version != version:
                buffer.copy_(values)


@contextmanager
def silenced() -> Iterator[None]:
    """No output, warning or progress bar of transformers and of the package; all is as before afterwards."""
    verbosity, progress = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with ExitStack() as stack:
        stack.callback(logging.set_verbosity, verbosity)
        stack.callback(logging.enable_progress_bar if progress else logging.disable_progress_bar)
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        warnings.simplefilter("ignore")
        logging.set_verbosity(logging.CRITICAL)
        logging.disable_progress_bar()
        yield


@contextmanager
def classes_untouched(model: nn.Module) -> Iterator[None]:
    """What was set on a class of one of the modules is put back: a surgery that is run again may patch it again."""
    classes = {cls for module in all_modules(model) for cls in type(module).__mro__ if issubclass(cls, nn.Module)}
    states = [(cls, dict(vars(cls))) for cls in classes]
    try:
        yield
    finally:
        for cls, state in states:
            for name in [name for name in vars(cls) if name not in state]:
                delattr(cls, name)
            for name, value in state.items():
                if vars(cls).get(name) is not value:
                    setattr(cls, name, value)
