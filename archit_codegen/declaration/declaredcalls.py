"""The calls of the declared class, as text where something else is to be built. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from ..errors import UnsupportedChange
from .edits import SiteText
from .expressions import Scope, argument_text
from .ir import Node, Value


def rebuilt_text(node: Node | None, variant: str | None, scope: Scope) -> str:
    """A variant constructed anew with the arguments of the declared construction."""
    if node is None or node.built is None or variant is None:
        raise UnsupportedChange(
            scope.path,
            "it was changed inside, and how it was constructed is not known, or it stands in a list that is new",
            "Build it from a class of its own that has the change.",
        )
    texts = []
    for argument in node.built.arguments:
        text = argument_text(replace(argument, text=f"?{argument.name}"), scope, None, {})
        texts.append(f"{argument.name}={text}" if argument.keyword else text)
    return f"{variant}({', '.join(texts)})"


def originals(node: Node, text: SiteText | None) -> Mapping[str, tuple[Value, str]]:
    """The arguments of the declared construction by parameter: value, and text at the site."""
    if node.built is None or text is None:
        return {}
    texts = dict(text.arguments)
    found: dict[str, tuple[Value, str]] = {}
    for position, argument in enumerate(node.built.arguments):
        written = texts.get(argument.name if argument.keyword else position)
        if written is not None:
            found[argument.name] = (argument.value, written)
    return found
