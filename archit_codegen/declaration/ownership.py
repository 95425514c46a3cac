"""Which objects are the user's: not Python's, and not from an installed distribution."""

import functools
import site
import sys
import sysconfig
from pathlib import Path
from types import FunctionType, ModuleType

from archit_codegen.declaration.livesource import innermost, own_functions

# Installed for the emitted package too, even where a developer has them as an editable install.
REQUIRED = frozenset({"torch", "transformers", "archit_codegen"})
INSTALLED_FOLDERS = frozenset({"site-packages", "dist-packages"})


def is_user_code(obj: object) -> bool:
    """Whether a class or function was written in a file, script or notebook of the user."""
    if isinstance(obj, FunctionType):
        return _is_user_function(innermost(obj))
    if isinstance(obj, type):
        return _is_user_class(obj)
    return False


def is_of_user(value: object) -> bool:
    """Whether a class, a function as it is, whatever it wraps, or the class of another object is the user's."""
    if isinstance(value, FunctionType):
        return is_user_layer(value)
    return is_user_code(value if isinstance(value, type) else type(value))


def is_user_module(module: ModuleType) -> bool:
    """Whether a module is the user's own."""
    if module.__name__ == "__main__":
        return True
    file = getattr(module, "__file__", None)
    return bool(file) and _is_user_name(module.__name__) and _is_user_file(str(file))


def is_user_layer(function: FunctionType) -> bool:
    """Whether this very function is the user's, whatever it wraps: `functools.wraps` copies the name of the module."""
    return _is_user_code_of(function, str(function.__globals__.get("__name__", "")))


def _is_user_function(function: FunctionType) -> bool:
    return _is_user_code_of(function, str(function.__module__ or ""))


def _is_user_code_of(function: FunctionType, module: str) -> bool:
    file = function.__code__.co_filename
    # `<string>` is code that someone generated: a dataclass does it in the name of the user's module.
    return _is_user_name(module) and (
        _is_user_file(file) if Path(file).is_absolute() else not file.startswith("<frozen")
    )


def _is_user_class(cls: type) -> bool:
    module = sys.modules.get(cls.__module__)
    if module is not None:
        return is_user_module(module)
    functions = [function for function in own_functions(cls) if function.__module__ == cls.__module__]
    return _is_user_name(cls.__module__) and all(_is_user_function(function) for function in functions)


def _is_user_name(module: str) -> bool:
    root = module.partition(".")[0]
    return root not in REQUIRED and root not in sys.stdlib_module_names


@functools.cache
def _is_user_file(file: str) -> bool:
    path = Path(file).resolve()
    return not INSTALLED_FOLDERS & set(path.parts) and not any(map(path.is_relative_to, _installed()))


@functools.cache
def _installed() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return tuple(Path(name).resolve() for name in (*folders, *site.getsitepackages(), site.getusersitepackages()))
