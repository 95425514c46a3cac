"""How slots and the members of lists are named in source, and which members are a slice. Pure."""

import builtins
from collections.abc import Sequence
from keyword import iskeyword


def member_name(container: str) -> str:
    """``layer`` for ``encoder.layers``."""
    last = container.rpartition(".")[2]
    name = last[:-1] if last.endswith("s") else last
    return "block" if len(last) <= 3 or hasattr(builtins, name) or iskeyword(name) else name


def path_text(owner: str, path: str) -> str:
    """``self.layer[3].output`` for ``"layer.3.output"``."""
    return owner + "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in path.split(".") if step)


def slice_text(indices: Sequence[int], count: int) -> str | None:
    """The brackets behind a list of ``count`` members that give these: nothing for all, None if no slice does."""
    if list(indices) != list(range(indices[0], indices[-1] + 1)):
        return None
    start = str(indices[0]) if indices[0] else ""
    end = str(indices[-1] + 1) if indices[-1] + 1 < count else ""
    return f"[{start}:{end}]" if start or end else ""
