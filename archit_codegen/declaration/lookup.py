"""What the names of one piece of live source mean: closures, enclosing functions, module globals, builtins."""

import ast
import builtins
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import CellType, FunctionType

from archit_codegen.declaration.agreement import UNKNOWN
from archit_codegen.declaration.livesource import Located, own_functions
from archit_codegen.declaration.names import Position
from archit_codegen.declaration.sourcefile import FUTURE_FLAGS, Compiled, SourceFile, cells, source_file
from archit_codegen.errors import SourceUnavailable


@dataclass(frozen=True, slots=True)
class Place:
    """Where one text stands, and what its names mean there."""

    path: str
    module: Mapping[str, object]
    files: tuple[SourceFile, ...]
    cells: Mapping[str, CellType] = field(default_factory=dict)
    local: frozenset[str] = frozenset()
    overrides: Mapping[Position, object] = field(default_factory=dict)
    postponed: bool = False

    @property
    def trees(self) -> tuple[ast.Module, ...]:
        return tuple(file.tree for file in self.files)

    def value(self, name: str) -> object:
        """The live value; ``UNKNOWN`` if the name is unbound, or local to a function that has returned."""
        if name in self.cells:
            return self.filled(name)
        if name in self.local:
            return UNKNOWN
        return self.module.get(name, getattr(builtins, name, UNKNOWN))

    def filled(self, name: str) -> object:
        try:
            return self.cells[name].cell_contents
        except ValueError:
            return UNKNOWN

    def is_builtin(self, name: str) -> bool:
        if name == "__name__":  # every module has its own
            return True
        bound = name in self.cells or name in self.module or name in self.local
        return not bound and hasattr(builtins, name)


def place_of_function(function: FunctionType, located: Located, overrides: Mapping[Position, object]) -> Place:
    return _place(function.__qualname__, function.__globals__, located, cells_of([function]), overrides)


def place_of_class(cls: type, located: Located, overrides: Mapping[Position, object]) -> Place:
    functions = [function for function in own_functions(cls) if function.__module__ == cls.__module__]
    if not functions and cls.__module__ not in sys.modules:
        raise SourceUnavailable(cls.__qualname__, f"its module {cls.__module__!a} is not loaded", "Import it again.")
    module = functions[0].__globals__ if functions else vars(sys.modules[cls.__module__])
    return _place(cls.__qualname__, module, located, cells_of(functions), overrides)


def place_of_module(path: str, module: Mapping[str, object], file: SourceFile | None) -> Place:
    """The top of a module, for the right-hand sides of its constants."""
    return Place(path, module, module_files(module, file))


def literal_place(path: str) -> Place:
    """Where literals stand: nothing but builtins and torch."""
    return Place(path, {"torch": sys.modules.get("torch")}, ())


def module_files(module: Mapping[str, object], file: SourceFile | None) -> tuple[SourceFile, ...]:
    """The texts that bind the names of a module: its file, or all cells of the notebook, newest first."""
    names = [str(module.get("__file__") or ""), *(cells() if module.get("__name__") == "__main__" else ())]
    found = [known for name in names if name and (known := source_file(name)) is not None]
    return tuple(dict.fromkeys([*([file] if file else []), *found]))


def cells_of(functions: list[FunctionType]) -> dict[str, CellType]:
    """The closure cells of functions by name, without the one that ``super()`` uses."""
    return {
        name: cell
        for function in functions
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        if name != "__class__"
    }


def _place(
    path: str,
    module: Mapping[str, object],
    located: Located,
    closure: Mapping[str, CellType],
    overrides: Mapping[Position, object],
) -> Place:
    local = frozenset(_enclosing_locals(located.compiled))
    postponed = bool(located.compiled.code.co_flags & FUTURE_FLAGS & 0x1000000)
    return Place(path, module, module_files(module, located.file), closure, local, overrides, postponed)


def _enclosing_locals(compiled: Compiled) -> set[str]:
    found: set[str] = set()
    parent = compiled.parent
    while parent is not None:
        if parent.is_function:
            found.update(parent.code.co_varnames, parent.code.co_cellvars)
        parent = parent.parent
    return found
