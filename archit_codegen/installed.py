"""The versions that a package is made with, as the environment tells them: nothing of them is imported."""

from collections.abc import Mapping
from importlib import metadata

from . import __version__

LIBRARIES = ("black", "torch", "transformers")


def versions() -> dict[str, str]:
    """Name -> version of archit_codegen and of the libraries that decide what is emitted; "" for a missing one.

    Without the local part: `2.13.0+cpu` and `2.13.0+cu130` are one version to everything that is emitted.
    """
    return {"archit_codegen": __version__, **{name: _version(name) for name in LIBRARIES}}


def _version(name: str) -> str:
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return ""


def differing(locked: Mapping[str, str], installed: Mapping[str, str]) -> list[str]:
    """What is installed otherwise than a lock says: ["torch 2.13.0 (made with 2.12.1)"]."""
    return [
        f"{name} {installed[name] or 'missing'} (made with {locked[name]})"
        for name in sorted(locked.keys() & installed.keys())
        if locked[name] != installed[name]
    ]
