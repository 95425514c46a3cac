"""Text that transformers searches a modelling file for, to decide which implementations may be set."""

import re
from collections.abc import Mapping

from ..errors import SourceUnavailable
from .ir import ClassRef
from .source import class_text

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
    found = set()
    for ref, cls in classes.items():
        if ref.module.partition(".")[0] == "torch":
            continue
        try:
            text = class_text(cls).text
        except SourceUnavailable:
            continue
        if marker in text:
            found.add(ref)
    return found
