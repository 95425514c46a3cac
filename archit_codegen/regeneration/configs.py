"""The config that a spec names for a surgery with a parameter. Nothing is downloaded."""

from pathlib import Path
from typing import Any

from transformers import AutoConfig

from ..errors import SurgeryError


def read_config(named: str, root: Path, declared: type | None) -> Any:
    """From a JSON file or a folder with a `config.json`, by its path from ``root``; else from the local cache, by the
    name of the model. Without a ``model_type`` in it, it is of the declared class's config class.

    Raises:
        SurgeryError: there is none, or it cannot be read.
    """
    path = root / named
    source = path if path.exists() else named
    kind: Any = getattr(declared, "config_class", None) or AutoConfig
    try:
        return kind.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = " ".join(str(error).split()) if path.exists() else "no such file or folder, and not in the local cache"
        raise SurgeryError(named, said.rstrip("."), "config") from error
