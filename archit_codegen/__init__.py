"""A compiler from a live, modified transformers model to the Python source that declares it.

The public names are resolved on first use, so that the command line can start, and `archit check` judge, without
importing torch. `__init__.pyi` says the same to type checkers.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "compile_model": "archit_codegen.declaration.compiler",
    "compile_surgery": "archit_codegen.declaration.transfer",
    "diff": "archit_codegen.declaration.compiler",
    "print_difference": "archit_codegen.declaration.compiler",
    "initialiser": "archit_codegen.declaration.record",
    "record": "archit_codegen.declaration.record",
    "Package": "archit_codegen.declaration.package",
    "Difference": "archit_codegen.declaration.difference",
    "ArchitError": "archit_codegen.errors",
    "InvalidDeclaration": "archit_codegen.errors",
    "InvalidName": "archit_codegen.errors",
    "SourceUnavailable": "archit_codegen.errors",
    "SpecError": "archit_codegen.errors",
    "SurgeryError": "archit_codegen.errors",
    "UnknownArguments": "archit_codegen.errors",
    "UnsupportedChange": "archit_codegen.errors",
    "UnwritableValue": "archit_codegen.errors",
    "ValidationFailed": "archit_codegen.errors",
    "WriteFailed": "archit_codegen.errors",
    "WriteRefused": "archit_codegen.errors",
}

__all__ = list(_HOMES)  # a test holds it and __init__.pyi together


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
