"""What the parts of a section are called, and which commit each was measured on."""

from collections.abc import Mapping

WHAT = {
    "depth": "layers of the model",
    "changed alike": "changed layers, alike",
    "changed apart": "changed layers, each another way",
    "parameters": "parameters",
    "models": "models in a spec",
}


def measured_on(states: Mapping[str, str], section: str) -> str:
    """The parts of a section that were measured together are named together."""
    commits: dict[str, list[str]] = {}
    for name, commit in states.items():
        first, _, part = name.partition(" ")
        if first == section or (section, first) == ("ratios", "sample"):
            commits.setdefault(commit, []).append(WHAT.get(part, name if first != section else ""))
    named = {commit: ", ".join(filter(None, parts)) for commit, parts in commits.items()}
    told = [f"`{commit}` ({parts})" if len(named) > 1 and parts else f"`{commit}`" for commit, parts in named.items()]
    return f"Measured on {', '.join(told)}.\n" if told else ""
