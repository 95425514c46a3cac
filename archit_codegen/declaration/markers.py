"""Text that transformers searches a modelling file for, to decide which implementations may be set."""

import re
from collections.abc import Mapping

from torch import nn
from transformers import PreTrainedModel

from ..errors import SourceUnavailable
from .edits import Plan
from .ir import ClassRef
from .livesource import files_of_class
from .source import class_text
from .values import class_ref

EXPERTS = "@use_experts_implementation"
ATTENTION = "ALL_ATTENTION_FUNCTIONS.get_interface("
ATTENTION_CLASS = re.compile(r"^class \w*Attention\w*\(nn\.Module\):", re.MULTILINE)


def missing_markers(classes: Mapping[ClassRef, type], text: str) -> frozenset[ClassRef]:
    """The classes of the live model whose text has to stand in the emitted file, and does not.

    A mixture-of-experts class that is imported rather than emitted falls back to eager without an error, and a file
    with an attention class but no look-up of the interface refuses every attention implementation.
    """
    wanted: set[ClassRef] = set()
    if EXPERTS not in text:
        wanted |= _with_marker(classes, EXPERTS)
    if ATTENTION_CLASS.search(text) and ATTENTION not in text:
        wanted |= _with_marker(classes, ATTENTION)
    return frozenset(wanted)


def _with_marker(classes: Mapping[ClassRef, type], marker: str) -> set[ClassRef]:
    return {ref for ref, cls in classes.items() if ref.module.partition(".")[0] != "torch" and _says(cls, marker)}


def _says(cls: type, marker: str) -> bool:
    # Where it is quoted, it is what transformers searches for. Most files do not say it, and need not be parsed.
    said = re.compile(rf"(?<![\"'`]){re.escape(marker)}")
    if not any(said.search(file.text) for file in files_of_class(cls)):
        return False
    try:
        return said.search(class_text(cls).text) is not None
    except SourceUnavailable:
        return False


def unlisted(live: nn.Module, plan: Plan) -> frozenset[str]:
    """Classes that may not be split and stand only in models that are imported, which say so themselves."""
    if not isinstance(live, PreTrainedModel):
        return frozenset()
    imported = [
        model
        for model in live.modules()
        if isinstance(model, PreTrainedModel) and class_ref(type(model)) not in plan.present
    ]
    answered = {name for model in imported for name in model._no_split_modules or ()}
    inside = {module for model in imported for module in model.modules()}
    outside = {type(module).__name__ for module in live.modules() if module not in inside}
    return frozenset(answered - outside)
