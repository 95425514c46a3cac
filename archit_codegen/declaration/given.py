"""What new text may rely on: imports, and functions that are copied, since a package imports nothing of ours."""

import copy
import re
from collections.abc import Mapping
from typing import Any

from ..errors import UnsupportedChange
from .edits import Method, Variant
from .importing import Import
from .uses import root_import


def config_with(config: Any, **fields: Any) -> Any:
    """A copy of a config in which some fields have other values."""
    changed = copy.deepcopy(config)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


GIVEN = {
    "init": Import("transformers", "initialization", "init"),
    "nn": root_import("nn"),
    "torch": root_import("torch"),
    "copy": Import("copy", None, "copy"),
    "OrderedDict": Import("collections", "OrderedDict", "OrderedDict"),
    "config_with": Import(__name__, "config_with", "config_with"),
}


def unmistakable(scope: Mapping[str, Any]) -> Mapping[str, Any]:
    """What names mean in a class: those of its file, and those that new text may bring there."""
    return {**{name: found.value() for name, found in GIVEN.items()}, **scope}


def check_meanings(variant: Variant, scope: Mapping[str, Any]) -> None:
    """Refuse a class whose file calls something else by a name that new text in it relies on."""
    texts = [repr(edit) for edit in variant.edits if not isinstance(edit, Method)]  # those are bound where they stood
    for name, found in GIVEN.items():
        used = re.compile(rf"(?<![.\w]){name}[.(]")
        if name in scope and scope[name] is not found.value() and any(map(used.search, texts)):
            raise UnsupportedChange(
                f"{variant.origin.name}.{name}",
                f"new text in the class uses {found.statement(name)}, and its file means something else by that name",
                "Call yours by another name.",
            )
