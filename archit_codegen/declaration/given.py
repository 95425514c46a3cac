"""What new text may rely on: imports, and functions that are copied, since a package imports nothing of ours."""

import copy
from typing import Any

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
    "config_with": Import(__name__, "config_with", "config_with"),
}
