"""What saving and loading need: values that no checkpoint carries, weights that it carries once. Pure."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import replace

from .changes import Change, Delta, Inside, SavedOnce, flatten
from .edits import ClassAttribute, HiddenBuffer, InitWeights, SourceEdit, Statement, Variant
from .ir import Node, join
from .literal import write_literal
from .statements import target_text

TIES = "_tied_weights_keys"
ONCE = "# Modules that stand in several places are saved once."


def restoring(variants: Sequence[Variant], holders: Set[str]) -> Iterator[Variant]:
    """The variants; those named in ``holders`` fill the hidden buffers of all, in their `_init_weights`."""
    restores = tuple(_restores(variants))
    for variant in variants:
        yield replace(variant, edits=(*variant.edits, *restores)) if variant.name in holders else variant


def _restores(variants: Sequence[Variant]) -> Iterator[InitWeights]:
    for variant in variants:
        hidden = [edit for edit in variant.edits if isinstance(edit, HiddenBuffer)]
        if hidden:
            lines = [f"    init.copy_(module.{edit.name}, {edit.value})" for edit in hidden]
            yield InitWeights("\n".join([f"if isinstance(module, {variant.name}):", *lines]))


def ties(delta: Delta, keys: Sequence[tuple[str, str]]) -> Iterator[SourceEdit]:
    """What is tied, where the class says it: in its body, or on each model while that is built."""
    if delta.live.ties_active and not delta.reference.ties_active:
        yield Statement("self.config.tie_word_embeddings = True")  # which the class itself had switched off
    text = write_literal(dict(keys))
    built = TIES in dict(delta.reference.attributes)
    yield Statement(f"self.{TIES} = {text}") if built else ClassAttribute(TIES, text)


def saved_once(model: Node, paths: Sequence[str]) -> Iterator[SourceEdit]:
    """Second paths of shared modules are left out when the model is saved, and not missed when it is loaded."""
    holder = paths[0].rpartition(".")[0]
    if holder and set(paths) == set(_repeated(model, holder)):
        yield Statement(_counted(holder))
        return
    patterns = ", ".join(r'r"(^|\.)' + path.replace(".", r"\.") + r'\."' for path in paths)
    yield ClassAttribute("_keys_to_ignore_on_load_missing", f"[{patterns}]", extend=True)
    prefixes = ", ".join(f'"{path}."' for path in paths)
    comma = "," if len(paths) == 1 else ""
    yield Statement(
        f"{ONCE}\nshared = ({prefixes}{comma})\n"
        "self._keys_to_ignore_on_save = [name for name in self.state_dict() if name.startswith(shared)]"
    )


def _repeated(model: Node, holder: str) -> Iterator[str]:
    """The paths of members of a list that stand in it before."""
    node: Node | None = model
    for name in holder.split("."):
        node = dict(node.children).get(name) if node is not None else None
    keys = [None if child is None else child.key for _, child in node.children] if node is not None else []
    yield from (f"{holder}.{index}" for index, key in enumerate(keys) if key and key in keys[:index])


def _counted(holder: str) -> str:
    """For the members of a list, whose number may follow the config."""
    target, pattern = target_text(holder), holder.replace(".", r"\.")
    return (
        f"{ONCE}\nagain = [i for i, module in enumerate({target}) if module in {target}[:i]]\n"
        f'shared = tuple(f"{holder}.{{i}}." for i in again)\n'
        "self._keys_to_ignore_on_save = [name for name in self.state_dict() if name.startswith(shared)]\n"
        "self._keys_to_ignore_on_load_missing = [\n"
        "    *(self._keys_to_ignore_on_load_missing or ()),\n"
        f'    *(rf"(^|\\.){pattern}\\.{{i}}\\." for i in again),\n'
        "]"
    )


def saved_once_at_root(delta: Delta, *, alone: bool) -> Delta:
    """The root says what is saved once: ``alone`` where it shares the modules itself, else the models below do too."""
    found = [edit for edit in flatten(delta) if isinstance(edit, SavedOnce)]
    if not found:
        return delta
    paths = tuple(join(edit.path, path) for edit in found for path in edit.paths)
    rest = _without(delta, SavedOnce) if alone else delta
    edits = [edit for edit in rest.edits if not isinstance(edit, SavedOnce)]
    return replace(rest, edits=(*edits, SavedOnce("", paths)))


def _without(delta: Delta, kind: type[Change]) -> Delta:
    edits = [edit for edit in delta.edits if not isinstance(edit, kind)]
    inner = [replace(edit, delta=_without(edit.delta, kind)) if isinstance(edit, Inside) else edit for edit in edits]
    return replace(delta, edits=tuple(inner))
