"""Which attributes and methods of a live module are not as declared."""

from collections.abc import Iterator

from ..errors import UnsupportedChange
from .changes import AttributeChanged, Change, MethodPatched, Removed
from .ir import Node, is_special, join


def attribute_changes(reference: Node, live: Node, path: str) -> Iterator[Change]:
    if reference.attributes == live.attributes:
        return
    before, after = dict(reference.attributes), dict(live.attributes)
    slots = {name for name, _ in (*live.children, *live.parameters, *live.buffers)}
    for name in before:
        if name not in after and name not in slots:  # a plain None may have become a module
            yield Removed(join(path, name), "attribute")
    for name, value in after.items():
        if name not in before or before[name] != value:
            yield AttributeChanged(join(path, name), before.get(name), value)


def method_changes(reference: Node, live: Node, path: str) -> Iterator[Change]:
    if not reference.methods and not live.methods:
        return
    before = dict(reference.methods)
    for name, code in live.methods:
        if not code.digest and is_special(name):
            raise UnsupportedChange(
                join(path, name),
                "it was set on the object, and Python looks special methods up on the class: it is never called",
                "Delete it, or patch the class.",
            )
        if not code.digest:
            raise UnsupportedChange(
                join(path, name),
                f"the method is patched by a {code.qualname}, which is no function with source",
                "Patch it with a function.",
            )
        if before.get(name) != code:
            yield MethodPatched(join(path, name), code)
    after = dict(live.methods)
    for name in before:
        if name not in after:
            yield Removed(join(path, name), "method")
