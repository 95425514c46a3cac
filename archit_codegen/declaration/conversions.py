"""How checkpoints of the declared class are converted, in the words of transformers."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from transformers.core_model_loading import WeightRenaming

from .literal import write_literal

IMPORTS = (
    "from transformers.conversion_mapping import get_checkpoint_conversion_mapping",
    "from transformers.conversion_mapping import register_checkpoint_conversion_mapping",
    "from transformers.core_model_loading import WeightRenaming",
)
# Matches nothing. transformers leaves it out of a name that it makes, and heeds it where it would take that name back
# to save it: what is saved has the names of the new class, since its Trainer reads checkpoints as they are.
ONE_WAY = "(?!)"
ANY = "*"
IN_PART = "# What would not come back as it was saved is not converted: some of its weights are others here."


@dataclass(frozen=True, slots=True)
class Move:
    """Slots of a module that a wrapper holds now: the path of the wrapper, and that of the module inside it. A slot
    is a pattern; `ANY` in a path stands for the members of a list."""

    path: str
    inner: str
    slots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is registered for a new class or model type: the declared one's conversions, then the moves."""

    key: str
    declared: str | None
    moves: tuple[Move, ...]
    prefix: str  # of the base model in the names of the declared class, or "" where the root is that model
    base_prefix: str  # what heads on the root put before its names, or ""
    lost: tuple[tuple[str, ...], ...] = ()  # source patterns of conversions that would lose weights, and are left out

    def statement(self) -> str:
        """The statement that registers it; checkpoints are read, and written, as the declared class does."""
        texts = [(_list(sources), f'r"{target}"') for sources, target in map(self._renaming, self.moves)]
        entries = [f"WeightRenaming({sources}, {target})" for sources, target in texts]
        native = "" if self.declared is None else self._native()
        if native and entries:
            entries.insert(0, f"*{native}")
        mapping = native if native and not self.moves else f"[{', '.join(entries)}]"
        remark = f"{IN_PART}\n" if self.lost else ""
        return f'{remark}register_checkpoint_conversion_mapping("{self.key}", {mapping}, overwrite=True)\n'

    def _native(self) -> str:
        """The declared one's, but for those that would lose weights."""
        native = f'get_checkpoint_conversion_mapping("{self.declared}")'
        if not self.lost:
            return native
        patterns = [write_literal(list(each)) for each in self.lost]
        test = f"!= {patterns[0]}" if len(patterns) == 1 else f"not in [{', '.join(patterns)}]"
        return f"[each for each in {native} if each.source_patterns {test}]"

    def _renaming(self, move: Move) -> tuple[list[str], str]:
        """Patterns of the names in checkpoints of the model, its base and models on it; the name here.

        transformers takes one group for each: that of the slots, or that of the path where it has a wildcard."""
        slots = "|".join(move.slots)
        own, path = "", move.path
        if self.prefix and path.startswith(f"{self.prefix}."):
            own, path = f"{self.prefix}.", path.removeprefix(f"{self.prefix}.")
        starts = [own, *([""] if own else ()), *([f"{self.base_prefix}.{own}"] if self.base_prefix else ())]
        if ANY not in path:
            sources = [rf"^{re.escape(start + path)}\.({slots})(?![^.])" for start in starts]
            return sources, rf"^{re.escape(f'{move.path}.{move.inner}.')}\1{ONE_WAY}"
        pattern = r"\d+".join(map(re.escape, path.split(ANY)))
        below = f"(?:{slots})" if len(move.slots) > 1 else slots
        sources = [rf"^{re.escape(start)}({pattern})\.(?={below}(?![^.]))" for start in starts]
        return sources, rf"^{re.escape(own)}\1{re.escape(f'.{move.inner}.')}{ONE_WAY}"

    def understood(self) -> "Conversion":
        """Without moves that this version of transformers cannot do, or would undo when it saves."""
        return replace(self, moves=tuple(move for move in self.moves if self._works(move)))

    def _works(self, move: Move) -> bool:
        slot, path = move.slots[0].replace(r"\.", "."), move.path.replace(ANY, "10")
        old, new = f"{path}.{slot}.weight", f"{path}.{move.inner}.{slot}.weight"
        renaming = WeightRenaming(*self._renaming(move))
        try:
            there, saved = (
                r.rename_source_key(key)[0] for r, key in ((renaming, old), (renaming.reverse_transform(), new))
            )
        except (ValueError, re.error):
            return False
        return bool(there == saved == new)


def _list(patterns: Sequence[str]) -> str:
    texts = ", ".join(f'r"{pattern}"' for pattern in patterns)
    return f"[{texts}]"


def together(moves: Sequence[Move], paths: Collection[str]) -> Iterator[Move]:
    """Moves that are alike in all members of a list as one; ``paths`` are those of all modules that there are."""
    left = list(moves)
    for lists in (None, 1):  # on the paths: all lists, or the first one alone
        groups: dict[Move, list[Move]] = {}
        for move in left:
            groups.setdefault(replace(move, path=_any_member(move.path, lists)), []).append(move)
        repeated = {general.path for general, each in groups.items() if len(each) > 1}
        there = Counter(_any_member(path, lists) for path in paths) if repeated else {}
        whole = {general for general, each in groups.items() if 1 < len(each) == there[general.path]}
        left = [move for general, each in groups.items() for move in ([general] if general in whole else each)]
    yield from left


def _any_member(path: str, lists: int | None) -> str:
    """A path on which the steps into lists stand for all members."""
    steps = path.split(".")
    places = [place for place, step in enumerate(steps) if step.isdigit()][:lists]
    return ".".join(ANY if place in places else step for place, step in enumerate(steps))
