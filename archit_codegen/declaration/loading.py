"""Imports an emitted package beside everything else in the process, and keeps the registries of transformers clean."""

import atexit
import importlib
import importlib.util
import itertools
import re
import shutil
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import transformers
from transformers import PreTrainedModel, conversion_mapping

from archit_codegen.errors import ValidationFailed

# Dictionaries and sets of transformers which importing a package, or building and saving its models, may change: the
# module, and the path in it. Not every version has every one.
REGISTRIES = (
    ("utils.output_capturing", "_CAN_RECORD_REGISTRY"),
    ("utils.generic", "_CAN_RECORD_REGISTRY"),
    ("conversion_mapping", "_checkpoint_conversion_mapping_cache"),
    ("conversion_mapping", "USER_REGISTERED_MAPPINGS"),
    ("monkey_patching", "_monkey_patch_mapping_cache"),
    ("monkey_patching", "_compiled_patterns_cache"),
    ("fusion_mapping", "_FUSION_DISCOVERY_CACHE"),
    ("fusion_mapping", "_REGISTERED_FUSION_SOURCE_PATTERNS"),
    ("fusion_mapping", "_FUSION_REGISTRY"),
    ("modeling_utils", "AttentionInterface._global_mapping"),
    ("masking_utils", "AttentionMaskInterface._global_mapping"),
    ("integrations.moe", "ExpertsInterface._global_mapping"),
    ("activations", "ACT2CLS"),
    ("activations", "ACT2FN"),
    ("modeling_rope_utils", "ROPE_INIT_FUNCTIONS"),
    ("loss.loss_utils", "LOSS_MAPPING"),
)
# Conversions of checkpoints are registered under the names of classes and the types of models.
KEYS = re.compile(r'^class (\w+)|^    model_type = "(\w+)"', re.MULTILINE)
SOURCE_HEURISTICS = ("_can_set_attn_implementation_cached_value", "_can_set_experts_implementation_cached_value")

_numbers = itertools.count(1)


@cache
def packages_directory() -> Path:
    """The folder of this process in which packages are written to be imported; removed at exit."""
    directory = Path(tempfile.mkdtemp(prefix="archit_codegen_"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def load_package(name: str, files: Mapping[str, str]) -> ModuleType:
    """Imports the package from real files below a parent of its own: nothing is shadowed, ``sys.path`` is not touched.

    The files stay until the process ends, so that sources can be read and copied next to a checkpoint.
    """
    parent = f"_archit_codegen_package_{next(_numbers)}"
    directory = packages_directory() / parent
    write_files(directory, files)
    forget_conversions(files)
    namespace = ModuleType(parent)
    namespace.__path__ = [str(directory)]
    sys.modules[parent] = namespace
    try:
        return importlib.import_module(f"{parent}.{name}")
    except Exception as error:
        forget(parent)
        raise ValidationFailed("", f"importing it raises {one_line(error)}") from error


def forget_conversions(files: Mapping[str, str]) -> None:
    """What an earlier package of the same name registered for its checkpoints is not this one's."""
    emitted = [text for path, text in files.items() if not path.rpartition("/")[2].startswith("modules_")]
    names = {name for text in emitted for found in KEYS.findall(text) for name in found}
    native = set(transformers.__all__) | set(vars(transformers))  # `dir` searches a list for each of the thousands
    for registry in registries("conversion_mapping"):
        for name in names & set(registry) - native:
            registry.remove(name) if isinstance(registry, set) else registry.pop(name)


def write_files(directory: Path, files: Mapping[str, str]) -> None:
    for relative, text in files.items():
        path = directory / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")


def unload_package(package: ModuleType) -> None:
    """Takes a loaded package out of the process again; classes that are still referred to go on working."""
    parent = package.__name__.partition(".")[0]
    forget(parent)
    shutil.rmtree(packages_directory() / parent, ignore_errors=True)


def forget(parent: str) -> None:
    for module in [known for known in sys.modules if known == parent or known.startswith(f"{parent}.")]:
        del sys.modules[module]


def find_class(package: ModuleType, name: str) -> type:
    """The class of this name in the package's modules; names of classes are unique within a package."""
    for module_name, module in list(sys.modules.items()):
        found = getattr(module, name, None) if module_name.startswith(package.__name__) else None
        if isinstance(found, type) and found.__module__.startswith(package.__name__):
            return found
    raise ValidationFailed("", f"it has no class {name}")


def one_line(error: BaseException) -> str:
    """Class and message of an exception on one line."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


@contextmanager
def isolated_registries() -> Iterator[None]:
    """Inside, packages may register what they like; afterwards every registry of transformers is as it was."""
    conversion_mapping.get_checkpoint_conversion_mapping("")  # builds the cache, so that it is a dictionary to restore
    with ExitStack() as stack:
        for registry in registries():
            stack.callback(restorer(registry))
        stack.enter_context(isolated_auto_classes())
        stack.enter_context(forgotten_heuristics())
        yield


def registries(within: str = "") -> Iterator[Any]:
    """Each registry that this version of transformers has."""
    for module, path in REGISTRIES:
        if module.startswith(within) and importlib.util.find_spec(f"transformers.{module}") is not None:
            found: Any = importlib.import_module(f"transformers.{module}")
            for name in path.split("."):
                found = getattr(found, name, None)
            if found is not None:
                yield found


def restorer(registry: Any) -> Callable[[], None]:
    """Puts a dictionary or set back to its present content; the object itself stays the same."""
    if isinstance(registry, set):
        return partial(refill_set, registry, set(registry))
    # Subclasses rewrite keys and values on their way in and out (`_CanRecordRegistry`, `ClassInstantier`).
    return partial(refill, registry, dict(dict.items(registry)))


def refill_set(registry: set[Any], members: set[Any]) -> None:
    registry.intersection_update(members)
    registry.update(members)


def refill(registry: dict[Any, Any], content: dict[Any, Any]) -> None:
    kind: Any = OrderedDict if isinstance(registry, OrderedDict) else dict
    for key in [key for key in registry if key not in content]:
        kind.__delitem__(registry, key)
    for key, value in content.items():
        kind.__setitem__(registry, key, value)


@contextmanager
def isolated_auto_classes() -> Iterator[None]:
    before = {id(registry): dict(registry) for registry in auto_registries()}
    try:
        yield
    finally:
        for registry in auto_registries():
            known = before.get(id(registry), {})
            refill(registry, known)


def auto_registries() -> list[dict[Any, Any]]:
    """What was registered with each Auto class (``AutoConfig.register`` and its like)."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("transformers.models.auto.")]
    values = {id(value): value for module in modules for value in vars(module).values()}
    extras = (vars(value).get("_extra_content") for value in values.values() if hasattr(value, "__dict__"))
    return [extra for extra in extras if isinstance(extra, dict)]


@contextmanager
def forgotten_heuristics() -> Iterator[None]:
    """What transformers found out from the *source* of native classes is inherited by emitted subclasses.

    In a fresh process it is not: there the emitted file is searched. Validation has to see what a fresh process sees.
    """
    cached = [
        (cls, name, cls.__dict__[name])
        for cls in subclasses(PreTrainedModel)
        for name in SOURCE_HEURISTICS
        if name in cls.__dict__
    ]
    for cls, name, _ in cached:
        delattr(cls, name)
    try:
        yield
    finally:
        for cls, name, value in cached:
            setattr(cls, name, value)


def subclasses(root: type[Any]) -> list[type[Any]]:
    found: dict[type[Any], None] = {root: None}
    pending = [root]
    while pending:
        inheriting: list[type[Any]] = type.__subclasses__(pending.pop())
        fresh = [cls for cls in inheriting if cls not in found]
        found.update(dict.fromkeys(fresh))
        pending += fresh
    return list(found)
