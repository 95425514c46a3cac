"""Text that transformers searches a modelling file for, to decide which implementations may be set."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache

from torch import nn
from transformers import PreTrainedModel

from ..errors import SourceUnavailable
from .edits import Plan
from .ir import ClassRef
from .livesource import files_of_class
from .source import class_text
from .sourcefile import SourceFile
from .values import class_ref
from .walking import all_modules

EXPERTS = "@use_experts_implementation"
ATTENTION = "ALL_ATTENTION_FUNCTIONS.get_interface("
WHAT = {EXPERTS: "experts", ATTENTION: "attention"}
ATTENTION_CLASS = re.compile(r"^class \w*Attention\w*\(nn\.Module\):", re.MULTILINE)


def missing_markers(classes: Mapping[ClassRef, type], text: str) -> Mapping[str, frozenset[ClassRef]]:
    """The markers that the emitted file lacks, each with the classes of the live model in whose text it stands.

    Experts of a file without theirs run eagerly, without an error, and a file with an attention class but no look-up
    of the interface refuses every attention implementation.
    """
    wanted = {EXPERTS: EXPERTS not in text}
    wanted[ATTENTION] = ATTENTION not in text and ATTENTION_CLASS.search(text) is not None
    found = {marker: frozenset(_with_marker(classes, marker)) for marker, missing in wanted.items() if missing}
    return {marker: having for marker, having in found.items() if having}


def explained(missing: Mapping[str, Iterable[ClassRef]]) -> tuple[str, ...]:
    """Lines of a header that hold the markers, and say which of the classes that are imported have them."""
    return tuple(
        f"Imported with `{marker}`: {', '.join(sorted({ref.name for ref in having}))}. Transformers looks for that in "
        f"this file, to learn which {WHAT[marker]} may be set."
        for marker, having in missing.items()
    )


def _with_marker(classes: Mapping[ClassRef, type], marker: str) -> Iterator[ClassRef]:
    for ref, cls in classes.items():
        if ref.module.partition(".")[0] == "torch" or cls is PreTrainedModel:  # which does the looking
            continue
        # Most files do not say it, but in quotes where it is looked for: no class needs to be found in their trees.
        with suppress(SourceUnavailable):
            if any(_says(file, marker) for file in files_of_class(cls)) and marker in class_text(cls).text:
                yield ref


@lru_cache(maxsize=256)
def _says(file: SourceFile, marker: str) -> bool:
    return re.search(rf"(?<![\"'`]){re.escape(marker)}", file.text) is not None


def unlisted(live: nn.Module, plan: Plan) -> frozenset[str]:
    """Classes that may not be split and stand only in models that are imported, which say so themselves."""
    if not isinstance(live, PreTrainedModel):
        return frozenset()
    imported = [
        model
        for model in all_modules(live)
        if isinstance(model, PreTrainedModel) and class_ref(type(model)) not in plan.present
    ]
    answered = {name for model in imported for name in model._no_split_modules or ()}
    if not answered:
        return frozenset()
    inside = {module for model in imported for module in all_modules(model)}
    outside = {type(module).__name__ for module in all_modules(live) if module not in inside}
    return frozenset(answered - outside)
