"""What of the compiler's caches a second compile of the same model must not find.

A round compiles a model again, which nobody does. What was read of source files may stay, as it does over the models
of a run; what was made of a text that only this model has, must go.
"""

from typing import Any

from archit_codegen.declaration import names, style

OF_TEXTS: tuple[Any, ...] = (style.format_piece, names.free_globals)
"""Keyed by emitted text."""


def forget_texts() -> None:
    for cached in OF_TEXTS:
        cached.cache_clear()
