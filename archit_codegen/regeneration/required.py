"""`required-version`: keeps a project's packages from being made by a version it was not meant for."""

import operator
import re
from itertools import zip_longest

from .. import __version__
from ..errors import SpecError
from .spec import Spec

OPERATORS = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


def check_required_version(spec: Spec, installed: str = __version__) -> None:
    """Refuse to work on a spec that another version of archit_codegen has to be used for.

    Raises:
        SpecError: names both versions, and the command that installs a fitting one.
    """
    if spec.required_version is not None and not allows(spec.required_version, installed):
        raise SpecError(
            spec.file,
            f"archit_codegen {installed} is installed, and 'required-version' is {spec.required_version!r}: "
            f"pip install 'archit_codegen{spec.required_version}'",
        )


def allows(required: str, installed: str) -> bool:
    """Whether every clause of ">=0.1,<0.2" holds for a version, whose numbers alone are looked at."""
    return all(_holds(clause.strip(), installed) for clause in required.split(","))


def _holds(clause: str, installed: str) -> bool:
    sign = next(sign for sign in OPERATORS if clause.startswith(sign))
    pairs = list(zip_longest(_numbers(installed), _numbers(clause.removeprefix(sign)), fillvalue=0))
    return bool(OPERATORS[sign]([ours for ours, _ in pairs], [theirs for _, theirs in pairs]))


def _numbers(version: str) -> list[int]:
    found = re.match(r"\s*(\d+(?:\.\d+)*)", version)
    return [int(part) for part in found[1].split(".")] if found else []
