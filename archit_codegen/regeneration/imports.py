"""Runs the code of the user's project from its text as it is now, and finds the functions that a spec names.

Python believes bytecode by size and second of its source: an edit that keeps both would run the old code while
`inspect` shows the new text. So what lies in the project is always compiled from its text, and `linecache` holds that
very text.
"""

import importlib
import linecache
import pkgutil
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import decode_source
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from ..disk.lock import digest
from ..errors import ArchitError, SurgeryError
from .spec import nearest

FILE_MODULE = "archit_surgery_"
"""Modules made from a file that the spec names have this prefix, and no import path: nobody can import them."""
NOT_THE_PROJECT = {"site-packages", "dist-packages"}
OURS = __name__.partition(".")[0]


class FreshLoader(SourceFileLoader):
    """Compiles the text on disk, whatever bytecode lies beside it."""

    def __init__(self, name: str, path: str, finder: "ProjectFinder") -> None:
        super().__init__(name, path)
        self.finder = finder

    def get_code(self, fullname: str) -> CodeType:
        return self.finder.compile(Path(self.get_filename(fullname)))


class ProjectFinder:
    """Finds modules as Python does, and has those that lie in the project loaded from their text.

    ``sources`` are the hashes of what was loaded, by path from the project's root: of the very bytes that were run.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sources: dict[str, str] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] == OURS:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or not spec.has_location or spec.origin is None or not self.holds(Path(spec.origin)):
            return None
        if type(spec.loader) is not SourceFileLoader:  # an extension module, or bytecode without its text
            self._note(Path(spec.origin), Path(spec.origin).read_bytes())
            return None
        spec.loader = FreshLoader(spec.loader.name, spec.loader.path, self)
        return spec

    def compile(self, file: Path) -> CodeType:
        """The code of a file's text, which `inspect` will find under the file's name from now on."""
        data = file.read_bytes()
        self._note(file, data)
        text, name = decode_source(data), str(file)
        # Without a time, linecache.checkcache() never exchanges it for what the file says later.
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        return compile(text, name, "exec", dont_inherit=True)

    def _note(self, file: Path, data: bytes) -> None:
        self.sources[file.relative_to(self.root).as_posix()] = digest(data)

    def holds(self, file: Path) -> bool:
        return file.is_relative_to(self.root) and NOT_THE_PROJECT.isdisjoint(file.relative_to(self.root).parts)


@contextmanager
def project_imports(root: Path) -> Iterator[ProjectFinder]:
    """Inside, the project's modules can be imported from ``root``, and are those of now, not of an earlier run."""
    _forget_earlier()
    finder, path = ProjectFinder(root), list(sys.path)
    importlib.invalidate_caches()
    sys.meta_path.insert(0, finder)
    sys.path.insert(0, str(root))
    try:
        yield finder
    finally:
        sys.path[:] = path
        sys.meta_path.remove(finder)


def _forget_earlier() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith(FILE_MODULE) or isinstance(getattr(module, "__loader__", None), FreshLoader):
            del sys.modules[name]


def resolve(reference: str, root: Path, what: str = "surgery") -> Any:
    """What "file.py:name" (relative to ``root``) or "package.module:name" names; call it inside `project_imports`."""
    place, colon, name = reference.rpartition(":")
    if not (colon and place and name):
        raise SurgeryError(reference, "has to be 'folder/file.py:name' or 'package.module:name'", what)
    is_file = place.endswith(".py") or "/" in place
    try:
        value = _load_file(place, root) if is_file else _load_module(place, root)
    except _NotThere as missing:
        raise SurgeryError(reference, str(missing), what) from None
    except ArchitError:
        raise
    except (Exception, SystemExit) as error:  # the user's code: whatever it raises is theirs to see
        raise SurgeryError(reference, describe(error, root), what) from error
    for part in name.split("."):
        if not hasattr(value, part):
            raise SurgeryError(reference, f"there is no {part!r} in {place}{nearest(part, _offered(value))}", what)
        value = getattr(value, part)
    return value


def describe(error: BaseException, root: Path) -> str:
    """One line: the innermost place in the project that took part, and what was raised there."""
    message = " ".join(str(error).split())
    kind = type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        place, message = f"{_shown(error.filename, root)}:{error.lineno}", error.msg
    else:
        finder = ProjectFinder(root)
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if finder.holds(Path(frame.filename))]
        place = f"{_shown(frames[-1].filename, root)}:{frames[-1].lineno}" if frames else ""
    return ": ".join(filter(None, (place, kind, message))).removesuffix(".")


def _shown(file: str, root: Path) -> str:
    path = Path(file)
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


class _NotThere(Exception):
    """The file or module that a spec names does not exist."""


def _offered(value: object) -> list[str]:
    # Never getattr(): on transformers itself it would import every model there is.
    own = getattr(value, "__dict__", {})
    return [name for name in dir(value) if not name.startswith("_") and callable(own.get(name, callable))]


def _load_file(place: str, root: Path) -> ModuleType:
    file = root / place
    if not file.is_file():
        beside = sorted(path.name for path in file.parent.glob("*.py")) if file.parent.is_dir() else []
        raise _NotThere(f"there is no file {place}{nearest(file.name, beside)}")
    name = FILE_MODULE + re.sub(r"\W", "_", file.stem)
    module = ModuleType(name)
    module.__file__ = str(file)
    sys.modules[name] = module
    # As for a script, what lies beside the file is imported by its bare name; `project_imports` takes it back.
    sys.path.insert(1, str(file.parent))
    finder = next(finder for finder in sys.meta_path if isinstance(finder, ProjectFinder))
    exec(finder.compile(file), module.__dict__)
    return module


def _load_module(name: str, root: Path) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise _NotThere(f"there is no module {error.name!r}{_nearest_module(error.name, root)}") from error


def _nearest_module(name: str, root: Path) -> str:
    parent, _, leaf = name.rpartition(".")
    folders = list(getattr(sys.modules.get(parent), "__path__", [])) if parent else [str(root)]
    return nearest(leaf, [module.name for module in pkgutil.iter_modules(folders)])
