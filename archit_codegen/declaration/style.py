"""Formats emitted text. The only user of black."""

from functools import lru_cache

import black

LINE_LENGTH = 119  # transformers' own


@lru_cache(maxsize=32)
def format_text(text: str) -> str:
    """The text in black's format, once; that a second pass changes nothing is proved by the tests."""
    return black.format_str(text, mode=black.Mode(line_length=LINE_LENGTH))
