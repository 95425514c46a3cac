"""Keeps code that comes with a checkpoint from being run, unless the spec trusts it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import dynamic_module_utils as remote


class Untrusted(Exception):
    """A surgery wanted to run code that came with a checkpoint."""


@contextmanager
def remote_code(trusted: bool) -> Iterator[None]:
    """Inside, transformers runs remote code only if it is trusted, and never asks at the terminal.

    The Auto classes hold `get_class_from_dynamic_module` by name; all of them end in `get_class_in_module`.
    """
    original, patience = remote.get_class_in_module, remote.TIME_OUT_REMOTE_CODE
    remote.TIME_OUT_REMOTE_CODE = 0
    if not trusted:
        remote.get_class_in_module = _refuse
    try:
        yield
    finally:
        remote.get_class_in_module, remote.TIME_OUT_REMOTE_CODE = original, patience


def _refuse(class_name: str, module_path: Any, **options: Any) -> Any:
    raise Untrusted(
        f"{class_name} is code that comes with the checkpoint, and nobody said that it may be run; "
        "if you trust it, set `trust_remote_code = true` for this model in the spec"
    )
