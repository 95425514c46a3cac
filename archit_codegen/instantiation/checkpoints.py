"""Reads checkpoints into a task class, and tells what stood in them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import transformers
from transformers import PreTrainedConfig, PreTrainedModel

from ..declaration.relatives import native_class_for
from ..errors import InvalidDeclaration
from .native import NATIVE, Disagreement, adopt
from .rendering import Rendered

LISTED = 3


def load(
    task: str,
    checkpoint: str | Path,
    rendered: Rendered,
    base: PreTrainedModel,
    config: PreTrainedConfig,
    saved: PreTrainedConfig,
    kwargs: Mapping[str, Any],
) -> Any:
    """The task model with the weights of a checkpoint; ``saved`` is the config as it stands there.

    Raises:
        InvalidDeclaration: the checkpoint lacks weights of the base model, or those of its own head.
    """
    native = _native_of(task, saved)
    if native is not None:
        try:
            return adopt(native.from_pretrained(checkpoint, **kwargs), task, rendered, config)
        except Disagreement:
            pass  # its head is another one: only the base model is read, and the new head is reported
    model, report = rendered.task_class.from_pretrained(checkpoint, config=config, output_loading_info=True, **kwargs)
    missing = sorted(map(str, report["missing_keys"]))
    lacking = [name for name in missing if _must_be_there(name, rendered.prefix, same=_task_of(saved) == task)]
    if lacking:
        shown = ", ".join(lacking[:LISTED])
        raise InvalidDeclaration(
            f"{checkpoint} lacks {len(lacking)} weights ({shown}): it is no checkpoint of {type(base).__name__}"
            f"{f' with a head for {task}' if _task_of(saved) == task else ''}."
        )
    model.newly_initialised = tuple(missing)
    return model


def _task_of(saved: PreTrainedConfig) -> str | None:
    return getattr(saved, "head_task", None)


def _must_be_there(name: str, prefix: str, *, same: bool) -> bool:
    """A checkpoint of the same task has everything, any other one the base model; poolers are often left out."""
    return same or (name.startswith(f"{prefix}.") and not name.startswith(f"{prefix}.pooler."))


def _native_of(task: str, saved: PreTrainedConfig) -> Any:
    """Transformers' own class for the task, if that is what the checkpoint is of."""
    if task not in NATIVE or _task_of(saved) is not None:
        return None
    native = native_class_for(saved, NATIVE[task])
    named = next(iter(saved.architectures or ()), None)
    found = getattr(transformers, named, None) if named is not None else None
    return native if native is not None and found is native else None
