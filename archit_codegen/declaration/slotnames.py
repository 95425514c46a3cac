"""Names of slots that can stand in source: `setattr` and `add_module` take any text."""

from collections.abc import Iterator

from ..errors import UnsupportedChange
from .ir import Node, join
from .literal import is_plain_identifier

REMEDY = "Use a plain identifier as the name."


def check_path(path: str) -> None:
    """Raises:
    UnsupportedChange: a name on the path cannot stand in source.
    """
    for name in path.split(".") if path else ():
        if not (is_plain_identifier(name) or _is_index(name)):
            raise UnsupportedChange(ascii(path), f"the name {name!a} cannot stand in source", REMEDY)


def check_new_names(reference: Node, live: Node, path: str) -> None:
    """The same for slots that the declared module does not have: here a dot in a name is still part of it."""
    if is_parameter_list(live):
        _check_parameters(reference, live, path)
    for name in sorted({*_names(live)}.difference(_names(reference))):
        index = (live.kind == "container" or is_parameter_list(live)) and _is_index(name)
        if not (is_plain_identifier(name) or index):
            raise UnsupportedChange(ascii(join(path, name)), f"the name {name!a} cannot stand in source", REMEDY)


def is_parameter_list(node: Node) -> bool:
    return node.kind == "native" and node.cls.name == "ParameterList"


def _check_parameters(reference: Node, live: Node, path: str) -> None:
    """A list of parameters is appended to, and never becomes shorter."""
    names = [name for name in _names(live) if name.isdigit()]
    if sorted(names) != sorted(map(str, range(len(live.parameters)))) or len(names) < len(reference.parameters):
        raise UnsupportedChange(
            path,
            "a ParameterList became shorter, or it holds something that is no parameter",
            "Put the parameters into attributes of the module, each under a name of its own.",
        )


def _names(node: Node) -> Iterator[str]:
    for slots in (node.children, node.parameters, node.buffers, node.attributes, node.methods):
        yield from (name for name, _ in slots)


def _is_index(name: str) -> bool:
    return name.isascii() and name.isdigit() and str(int(name)) == name
