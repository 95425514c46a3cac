"""What of the compiler's caches a second compile of the same model must not find.

A round compiles a model again, which nobody does. What was read of source files may stay, as it does over the models
of a run; what was made of a text that only this model has, must go.
"""

from typing import Any

from archit_codegen.declaration import names, style

OF_TEXTS: tuple[Any, ...] = (style.format_text, names.free_globals)
"""Keyed by emitted text."""

KEPT = {
    "declaration.ecosystem": "facts about the installed transformers",
    "declaration.importing": "the import statements of source files",
    "declaration.loading": "the folder of this process",
    "declaration.markers": "what source files say",
    "declaration.nativetypes": "what the source of the installed transformers says",
    "declaration.ownership": "the folders of this interpreter",
    "declaration.render": "the templates",
    "declaration.source": "places in source files",
    "instantiation.rendering": "the templates of heads",
    "templating": "the templates",
}
"""Modules all of whose other caches stay, and what these hold."""


def forget_texts() -> None:
    for cached in OF_TEXTS:
        cached.cache_clear()
