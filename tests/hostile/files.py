"""User files with hostile text in them: written to a folder, imported, used."""

import importlib.util
import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

NUMBERS = itertools.count()
TEMPLATE = '''{head}
import functools

import torch
from torch import nn

GIVEN = "given"


def marked(text):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)

        return wrapper

    return decorate


{above}
class Layer(nn.Module):
    """{document}"""

    # {comment}
    def __init__(self):
        super().__init__()  # {trailing}

    @marked("{decorator}")
    def forward(self, x, given="{default}"):
        """{inner}"""
        return x  # {last}

    def tell(self):
        return "{literal}"
'''
PLACES = ("head", "above", "document", "comment", "trailing", "decorator", "default", "inner", "last", "literal")
QUOTED = ("document", "decorator", "default", "inner", "literal")
COMMENTS = ("comment", "trailing", "last")


def source(**texts: str) -> str:
    """The text of a file with something hostile in some of its places."""
    return TEMPLATE.format(
        **{place: texts.get(place, "plain" if place not in ("head", "above") else "") for place in PLACES}
    )


@contextmanager
def imported(folder: Path, text: str, name: str = "") -> Iterator[ModuleType]:
    """A module made of the text, under a name of its own; raises what Python says about text that it does not take."""
    path = folder / f"{name or 'layer'}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    module_name = name or f"hostile_file_{next(NUMBERS)}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules[module_name]
