"""The versions that a package is made with, as the environment tells them: nothing of them is imported."""

import importlib
import os
import sys
from collections.abc import Iterator, Mapping

from . import __version__

LIBRARIES = ("black", "torch", "transformers")
SUFFIX = ".dist-info"


def versions() -> dict[str, str]:
    """Name -> version of archit_codegen and of the libraries that decide what is emitted; "" for a missing one.

    Without the local part: `2.13.0+cpu` and `2.13.0+cu130` are one version to everything that is emitted.
    """
    found = dict(reversed(list(_seen())))
    return {
        "archit_codegen": __version__,
        **{name: (found.get(name) or _asked(name)).partition("+")[0] for name in LIBRARIES},
    }


def _seen() -> Iterator[tuple[str, str]]:
    """Name and version, read from the names of folders alone: `importlib.metadata` takes longer to import than all
    the rest of a check."""
    for place in sys.path:
        try:
            names = os.listdir(place or ".")  # noqa: PTH208  # Path.iterdir() takes three times as long
        except OSError:
            continue
        for name in names:
            library, _, rest = name.partition("-")
            if library.lower() in LIBRARIES and rest.endswith(SUFFIX):
                yield library.lower(), rest.removesuffix(SUFFIX)


def _asked(name: str) -> str:
    """The version of what is installed in another way than as a folder on the path, or not at all."""
    metadata = importlib.import_module("importlib.metadata")
    try:
        return str(metadata.version(name))
    except metadata.PackageNotFoundError:
        return ""


def differing(locked: Mapping[str, str], installed: Mapping[str, str]) -> list[str]:
    """What is installed otherwise than a lock says: ["torch 2.13.0 (made with 2.12.1)"]."""
    return [
        f"{name} {installed[name] or 'missing'} (made with {locked[name]})"
        for name in sorted(locked.keys() & installed.keys())
        if locked[name] != installed[name]
    ]
