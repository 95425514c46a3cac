"""Task classes in memory: the text that the compiler would emit, over a base class as it is."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from ..declaration.basefacts import BaseFacts, base_facts
from ..declaration.headed import standing_alone
from ..declaration.loading import load_package
from ..errors import InvalidDeclaration


@dataclass(frozen=True, slots=True)
class Rendered:
    """A task class, the module that it stands in, and the config fields that it reads, with their defaults."""

    task_class: type[Any]
    module: ModuleType
    base_name: str
    prefix: str
    fields: dict[str, object]

    def complete(self, config: PreTrainedConfig, task: str) -> None:
        """Gives the config the fields that the heads read, where it has none."""
        for name, value in self.fields.items():
            if not hasattr(config, name):
                setattr(config, name, copy.deepcopy(value))
        config.head_task = task


def render_task(
    task: str, base: PreTrainedModel, own: type[nn.Module] | None, templates: str | Path | None = None
) -> Rendered:
    """The class of a task over the class of a base model.

    Raises:
        InvalidDeclaration: this base model cannot have the task.
    """
    directory = None if templates is None else Path(templates).resolve()
    return _rendered(task, type(base), base_facts(base), own, directory)  # type: ignore[arg-type]  # they are hashable


@cache
def _rendered(task: str, base: Any, facts: BaseFacts, own: Any, directory: Path | None) -> Rendered:
    alone = standing_alone(base, facts, {task: own}, directory)
    name = f"{base.__name__.lower()}_heads"
    package = load_package(name, {f"{name}/__init__.py": "", f"{name}/modeling_{name}.py": alone.text})
    module = __import__(f"{package.__name__}.modeling_{name}", fromlist=["*"])
    # Classes that no statement can import: those of a notebook, a script or a function.
    vars(module).update(alone.injected)
    task_class = getattr(module, alone.heads[task])
    return Rendered(task_class, module, base.__name__, facts.prefix, dict(alone.fields))


@dataclass(frozen=True, slots=True)
class _Given:
    """Stands for a class, and gives one object of it instead of building another."""

    cls: type[Any]
    model: PreTrainedModel

    def __call__(self, *args: Any, **kwargs: Any) -> PreTrainedModel:
        return self.model

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cls, name)


def on_live_base(rendered: Rendered, base: PreTrainedModel, config: PreTrainedConfig) -> Any:
    """A model of the task class whose base model is this very object; only the head is drawn."""
    scope = vars(rendered.module)
    original = scope[rendered.base_name]
    scope[rendered.base_name] = _Given(original, base)
    try:
        with _initialised(base):
            return rendered.task_class(config)
    finally:
        scope[rendered.base_name] = original


@contextmanager
def _initialised(base: nn.Module) -> Iterator[None]:
    """Inside, transformers takes all weights below for initialised and draws none of them anew."""
    modules = [module for module in base.modules() if not getattr(module, "_is_hf_initialized", False)]
    for module in modules:
        module._is_hf_initialized = True  # type: ignore[assignment]  # a flag, not a tensor
    try:
        yield
    finally:
        for module in modules:
            del module._is_hf_initialized


def on_meta(base: type[Any], config: PreTrainedConfig) -> PreTrainedModel:
    """A base model without weights.

    Raises:
        InvalidDeclaration: the class cannot be built from this config.
    """
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            model = base(copy.deepcopy(config)).eval()
    except Exception as error:
        raise InvalidDeclaration(
            f"{base.__name__} cannot be built from the checkpoint's config ({type(error).__name__}: {error})."
        ) from error
    assert isinstance(model, PreTrainedModel)
    return model
