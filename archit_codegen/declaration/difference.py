"""The result of `archit.diff`, and its text for people. Standard library only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .changes import Change


@dataclass(frozen=True, slots=True)
class Difference:
    """The result of `archit.diff`: every change, and the classes that a package would emit."""

    declared: str
    changes: tuple[Change, ...]
    classes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __str__(self) -> str:
        lines = [self.declared, *_tree_lines(_nest(self.changes), "")]
        if self.classes:
            lines.append(f"emits {', '.join(self.classes)}")
        return "\n".join(lines)


def _nest(changes: tuple[Change, ...]) -> Mapping[str, object]:
    tree: dict[str, object] = {}
    for change in changes:
        branch = tree
        *parents, leaf = (change.path or "<root>").split(".")
        for part in parents:
            branch = branch.setdefault(part, {})  # type: ignore[assignment]  # inner nodes are dicts by construction
            if not isinstance(branch, dict):
                raise AssertionError(part)
        entry = branch.setdefault(leaf, {})
        assert isinstance(entry, dict)
        entry.setdefault("", []).append(change.describe())
    return tree


def _tree_lines(tree: Mapping[str, object], indent: str) -> Iterator[str]:
    names = [name for name in tree if name]
    for name in names:
        entry = tree[name]
        assert isinstance(entry, dict)
        last = name == names[-1]
        label = name
        while len(entry) == 1 and "" not in entry:
            ((step, entry),) = entry.items()
            label = f"{label}.{step}"
        notes = "; ".join(entry.get("", ()))
        yield f"{indent}{'└─ ' if last else '├─ '}{label}{': ' + notes if notes else ''}"
        yield from _tree_lines(entry, indent + ("   " if last else "│  "))
