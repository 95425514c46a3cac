"""How the members of a list are called in a loop, and which of them are a slice of it. Pure."""

import builtins
from collections.abc import Sequence
from keyword import iskeyword


def member_name(container: str) -> str:
    """``layer`` for ``encoder.layers``."""
    last = container.rpartition(".")[2]
    name = last[:-1] if last.endswith("s") else last
    return "block" if len(last) <= 3 or hasattr(builtins, name) or iskeyword(name) else name


def slice_text(indices: Sequence[int], count: int) -> str | None:
    """The brackets behind a list of ``count`` members that give these: nothing for all, None if no slice does."""
    if list(indices) != list(range(indices[0], indices[-1] + 1)):
        return None
    start = str(indices[0]) if indices[0] else ""
    end = str(indices[-1] + 1) if indices[-1] + 1 < count else ""
    return f"[{start}:{end}]" if start or end else ""
