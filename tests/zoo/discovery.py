"""Every concrete PreTrainedModel class of the installed transformers, and a model of each on the meta device."""

import importlib
import os
import pkgutil
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

import torch
import transformers
import transformers.models
from transformers import PreTrainedModel

BUILD_SECONDS = 60


class NotBuilt(Exception):
    """The class cannot be built with its default config: a reason, not a failure of the compiler."""


class TooSlow(Exception):
    """Something took longer than its time limit."""


@dataclass(frozen=True, slots=True)
class Zoo:
    """What there is to compile, in a fixed order, and the modelling modules that could not be imported."""

    classes: tuple[type[PreTrainedModel], ...]
    skipped: dict[str, str]


def discover() -> Zoo:
    transformers.utils.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    modules, skipped = imported()
    found = {named(cls): cls for module in modules for cls in vars(module).values() if is_concrete(cls, module)}
    return Zoo(tuple(cls for _, cls in sorted(found.items())), skipped)


def find(name: str) -> type[PreTrainedModel]:
    """The class of a name as `bert.BertModel`, without importing all others."""
    package, _, cls_name = name.rpartition(".")
    for module_name in modelling_modules(f"transformers.models.{package}"):
        found = getattr(importlib.import_module(module_name), cls_name, None)
        if isinstance(found, type) and found.__module__ == module_name:
            return found
    raise LookupError(f"no class {name} in the installed transformers")


def imported() -> tuple[list[ModuleType], dict[str, str]]:
    """The modelling modules, and why some of them could not be imported."""
    modules, skipped = [], {}
    for name in modelling_modules():
        try:
            modules.append(importlib.import_module(name))
        except (ImportError, RuntimeError) as error:
            skipped[name] = reason(error)
    return modules, skipped


def modelling_modules(package: str = "transformers.models") -> list[str]:
    paths = importlib.import_module(package).__path__
    packages = pkgutil.walk_packages(paths, f"{package}.", onerror=lambda name: None)
    return sorted(found.name for found in packages if found.name.rsplit(".", 1)[-1].startswith("modeling_"))


def is_concrete(cls: object, module: ModuleType) -> bool:
    """Defined in this module, and meant to be built: the abstract ones are all called XxxPreTrainedModel."""
    if not (isinstance(cls, type) and issubclass(cls, PreTrainedModel) and cls.__module__ == module.__name__):
        return False
    return cls.config_class is not None and not cls.__name__.endswith("PreTrainedModel")


def named(cls: type) -> str:
    """`bert.BertModel`: unique in the installed library."""
    return f"{cls.__module__.split('.')[2]}.{cls.__name__}"


def build(cls: type[PreTrainedModel], seconds: float = BUILD_SECONDS) -> PreTrainedModel:
    """A model of the class with its default config on meta.

    Raises:
        NotBuilt: with the reason.
    """
    try:
        with time_limit(seconds), torch.device("meta"):
            return cls(cls.config_class()).eval()
    except TooSlow as error:
        raise NotBuilt(str(error)) from error
    except Exception as error:
        raise NotBuilt(reason(error)) from error


def reason(error: Exception) -> str:
    """One line without addresses: it stands in a tracked file."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:120]}"


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Of processor time: how busy the machine is decides nothing. Only in the main thread: signals arrive nowhere
    else."""

    def stop(signum: int, frame: object) -> None:
        raise TooSlow(f"took longer than {seconds:.0f} seconds")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def shard(classes: tuple[type, ...], text: str | None = None) -> tuple[type, ...]:
    """The part of `SHARD=3/16` (the third of sixteen); all where nothing is said."""
    part, _, parts = (text or os.environ.get("SHARD", "1/1")).partition("/")
    if not (part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise SystemExit(f"a shard is written 3/16, not {part}/{parts}")
    return classes[int(part) - 1 :: int(parts)]
