"""Whether the names of an installed file still mean what its statements bound them to."""

import dis
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import FunctionType, ModuleType

from .importing import Import, same_object
from .livesource import written_functions
from .ownership import is_of_user, is_user_layer, is_user_module
from .sourcefile import SourceFile, source_file
from .wrapping import wrapper_layers


@lru_cache(maxsize=256)
def stored_names(file: SourceFile, body: str = "") -> Mapping[str, tuple[tuple[int, str, str] | None, ...]]:
    """The names that the statements of a file, or of a class in it, bind: what `from module import name` says of them
    (its dots, the module, the name), None for any other statement. From the code: of most files no tree is kept."""
    bodies = [item for item in file.codes.get(body, ()) if not item.is_function] if body else [file.module]
    found: dict[str, tuple[tuple[int, str, str] | None, ...]] = {}
    for item in bodies:
        steps = [step for step in dis.get_instructions(item.code) if step.opname != "EXTENDED_ARG"]
        origin: tuple[int, str] = (0, "")
        for index, step in enumerate(steps):
            if step.opname == "IMPORT_NAME":
                origin = steps[index - 2].argval, step.argval
            elif step.opname in ("STORE_NAME", "STORE_GLOBAL"):
                before = steps[index - 1]
                imported = (*origin, str(before.argval)) if before.opname == "IMPORT_FROM" else None
                found[step.argval] = (*found.get(step.argval, ()), imported)
    return found


def still_means(name: str, value: object, scope: Mapping[str, object]) -> bool:
    """Whether the statements of the file whose globals these are may have bound the name to the value."""
    if isinstance(value, ModuleType):
        return not is_user_module(value)
    if is_of_user(value) or (isinstance(value, FunctionType) and any(map(is_user_layer, wrapper_layers(value)))):
        return False
    file = source_file(str(scope.get("__file__", "")))
    bound = () if file is None else stored_names(file).get(name, ())
    if file is None or not bound or any(_gives(found, value) for found in _imports(bound, name, scope)):
        return True
    if name in file.codes:
        return _is_defined(name, value, scope)
    return None in bound


def _imports(
    bound: tuple[tuple[int, str, str] | None, ...], name: str, scope: Mapping[str, object]
) -> Iterator[Import]:
    home = str(scope.get("__name__", ""))
    # A module that is loaded lazily may not say its package.
    package = str(scope.get("__package__") or (home if "__path__" in scope else home.rpartition(".")[0]))
    for level, module, attribute in filter(None, bound):
        if package or not level:
            yield Import(importlib.util.resolve_name("." * level + module, package), attribute, name)


def _gives(found: Import, value: object) -> bool:
    if same_object(found.value(), value):
        home = sys.modules.get(found.module)
        ours = found.module.partition(".")[0] == "transformers"
        return not ours or home is None or still_means(str(found.name), value, vars(home))
    # The name may have been patched since, where it was imported from.
    if not isinstance(value, type | FunctionType):
        return False
    return value.__qualname__ == found.name and value.__module__.partition(".")[0] == found.module.partition(".")[0]


def _is_defined(name: str, value: object, scope: Mapping[str, object]) -> bool:
    """Whether a value is what a class or function statement of the file made."""
    if isinstance(value, type):
        return value.__module__ == scope.get("__name__") and value.__qualname__ == name
    # What a decorator wrapped, or what was made to look like another function (`@wraps(lru_cache)`).
    found = [*written_functions(value), *wrapper_layers(value)]
    own = [function.__code__.co_qualname for function in found if function.__globals__ is scope]
    return any(qualname == name or "<locals>" in qualname for qualname in own)
