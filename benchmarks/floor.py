"""What no compiler can do without: build the reference once, parse once what becomes a variant, format once."""

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import black
import libcst
from torch import nn

from archit_codegen.declaration.compiler import opened, packaged
from archit_codegen.declaration.emission import Emitted
from archit_codegen.declaration.options import options_of
from archit_codegen.declaration.style import LINE_LENGTH
from benchmarks.models import NAME, SUFFIX, built


@dataclass(frozen=True, slots=True)
class Floor:
    """``build`` makes the declared class on `meta`; ``originals`` are the texts of the classes of which there are
    variants, each once; ``emitted`` are the files of the package that are Python."""

    build: Callable[[], nn.Module]
    originals: tuple[str, ...]
    emitted: tuple[str, ...]

    @property
    def parts(self) -> dict[str, Callable[[], object]]:
        return {"build": self.build, "libcst": self.parse, "black": self.format}

    def run(self) -> object:
        return self.build(), self.parse(), self.format()

    def parse(self) -> object:
        return [libcst.parse_module(text) for text in self.originals]

    def format(self) -> object:
        # One pass: black makes a second one only where the first one changes something.
        return [black.format_str(text, mode=black.Mode(line_length=LINE_LENGTH)) for text in self.emitted]


def floor_of(live: nn.Module, declared: type | None = None) -> Floor:
    """The floor of a model, from what the compiler emits for it."""
    cls: Any = type(live) if declared is None else declared
    _, emitted = packaged(opened(live, declared), options_of(NAME, SUFFIX, "copy", "changed"), None)
    files = tuple(text for path, text in emitted.files.items() if path.endswith(".py"))
    return Floor(partial(built, cls, live.config), tuple(dict.fromkeys(originals(emitted))), files)


def originals(emitted: Emitted) -> Iterator[str]:
    """The text of the declared class of each variant, at the margin."""
    for draft in emitted.draft.classes:
        yield textwrap.dedent(draft.original.text)
