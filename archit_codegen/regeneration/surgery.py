"""Runs a surgery: the user's function that returns the live model."""

import inspect
import re
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from torch import nn

from ..declaration.record import record
from ..errors import ArchitError, SurgeryError
from .configs import read_config
from .imports import describe, resolve
from .spec import ModelSpec
from .weightless import WeightsNeeded, weightless

NO_VALUES = re.compile(r"(?<![a-z])meta(?![a-z])|on the same device", re.IGNORECASE)
"""How torch says that a tensor without values was asked for them, or met one that has some."""
REMEDY = "it needs values, and surgeries run without weights: set `weights = true` for this model in the spec"


def run_surgery(model: ModelSpec, root: Path) -> nn.Module:
    """The live model, built under the recorder, and on `meta` unless the spec asks for weights.

    Call it, and whatever uses the model, inside `project_imports(root)`.
    """
    build = _callable(model.surgery, root)
    if model.config is None:
        _check_call(model, build)
        return _run(model, root, build)
    return config_surgery(model, root)(read_config(model.config, root, declared_class(model, root)))


def config_surgery(model: ModelSpec, root: Path) -> Callable[[Any], nn.Module]:
    """The surgery as a function of the config; each run of it is as one of `run_surgery`."""
    build = _callable(model.surgery, root)
    _check_call(model, build, None)
    return lambda config: _run(model, root, build, config)


def _check_call(model: ModelSpec, build: Callable[..., object], *arguments: object) -> None:
    try:
        inspect.signature(build).bind(*arguments)
    except TypeError:
        wants = (
            "take one argument, the config that the spec names"
            if arguments
            else ("be callable without arguments, or the spec has to name the `config` that it takes")
        )
        raise SurgeryError(model.surgery, f"has to {wants}") from None
    except ValueError:  # a callable without a signature: the call itself will tell
        return


def _run(model: ModelSpec, root: Path, build: Callable[..., object], *arguments: object) -> nn.Module:
    with record(), nullcontext() if model.weights else weightless():
        try:
            live = build(*arguments)
        except ArchitError:
            raise
        except WeightsNeeded as error:
            raise SurgeryError(model.surgery, f"{describe(error, root)}; {REMEDY}") from error
        except (Exception, SystemExit) as error:  # the user's code: whatever it raises is theirs to see
            raise SurgeryError(model.surgery, _explain(error, root, model.weights)) from error
    if not isinstance(live, nn.Module):
        raise SurgeryError(model.surgery, f"has to return the live model, an nn.Module; it returned {_kind(live)}")
    return live


def head_classes(model: ModelSpec, root: Path) -> dict[str, type[nn.Module] | None]:
    """The tasks that the package gets heads for, each with the head class that the spec gives for it, if any."""
    found: dict[str, type[nn.Module] | None] = {}
    for head in model.heads:
        task, given, reference = head.partition("=")
        if task in found:
            raise SurgeryError(head, "the task is named twice", what="head")
        found[task] = None
        if given:
            cls = resolve(reference, root, "head")
            if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
                raise SurgeryError(reference, "has to be a subclass of nn.Module", what="head")
            found[task] = cls
    return found


def declared_class(model: ModelSpec, root: Path) -> type | None:
    """The class that the spec declares; ``None`` leaves it to the live model's own."""
    if model.declared is None:
        return None
    declared = resolve(model.declared, root, "declared class")
    if not (isinstance(declared, type) and issubclass(declared, nn.Module)):
        raise SurgeryError(
            model.declared, f"has to name an nn.Module class, it names {_kind(declared)}", "declared class"
        )
    return declared


def _callable(surgery: str, root: Path) -> Callable[..., object]:
    build = resolve(surgery, root)
    if not callable(build):
        raise SurgeryError(surgery, f"has to name a function, it names {_kind(build)}")
    return build  # type: ignore[no-any-return]  # callable() tells mypy nothing of the arguments


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _explain(error: BaseException, root: Path, weights: bool) -> str:
    told = describe(error, root)
    return told if weights or not NO_VALUES.search(str(error)) else f"{told}; {REMEDY}"
