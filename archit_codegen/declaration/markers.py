"""Text that transformers searches a modelling file for, to decide which implementations may be set."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache

from torch import nn
from transformers import PreTrainedModel

from ..errors import SourceUnavailable
from .changes import Delta, MethodPatched, flatten, nested
from .edits import Plan, Variant
from .ir import ClassRef, CodeRef
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

    A mixture-of-experts class that is imported rather than emitted falls back to eager without an error, and a file
    with an attention class but no look-up of the interface refuses every attention implementation.
    """
    wanted = {EXPERTS: EXPERTS not in text}
    wanted[ATTENTION] = ATTENTION not in text and ATTENTION_CLASS.search(text) is not None
    found = {marker: frozenset(_with_marker(classes, marker)) for marker, missing in wanted.items() if missing}
    return {marker: having for marker, having in found.items() if having}


def foreseen(
    classes: Mapping[ClassRef, type], delta: Delta, lineage: Callable[[ClassRef], Iterable[CodeRef]]
) -> frozenset[ClassRef]:
    """The classes with experts, where none of those on the way to a change has any: what will be missing, before
    anything is planned. A patched method may bring what its class did not have."""
    if any(isinstance(edit, MethodPatched) for edit in flatten(delta)):
        return frozenset()
    having = frozenset(_with_marker(classes, EXPERTS))
    nodes = (inner.reference for inner in nested(delta)) if having else ()
    bases = {ClassRef(code.module, code.qualname) for node in nodes for code in lineage(node.cls)}
    return frozenset() if bases & having else having


def explained(markers: Iterable[str]) -> tuple[str, ...]:
    """Lines of a header that hold the markers, where no class that has one can stand in the file."""
    return tuple(
        f"Classes used here have `{marker}`: transformers looks for that, to learn which {WHAT[marker]} may be set."
        for marker in markers
    )


def kept_for(variants: Iterable[tuple[Variant, str]], forced: frozenset[ClassRef]) -> Iterator[str]:
    """Lines of a header that say of classes without a change, each with its text, why they stand in the file."""
    for variant, text in variants:
        marker = next((marker for marker in WHAT if marker in text), None)
        if marker is not None and variant.origin in forced and not variant.edits:
            yield (
                f"{variant.name} is unchanged. It stands here because transformers looks for `{marker}` in this file, "
                f"to learn which {WHAT[marker]} may be set."
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
