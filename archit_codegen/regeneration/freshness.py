"""What is stale, missing, extra or edited by hand, and why: from hashes alone. Nothing of the project is run, and
neither torch nor the compiler is imported."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from os.path import lexists, relpath
from pathlib import Path

from ..disk.lock import LOCK_NAME, FileHash, Lock, Origin, digest, has_conflict, read_lock, read_regular
from ..errors import LockUnreadable, SpecError
from ..installed import differing, versions
from ..templating import templates_digest
from .spec import ModelSpec, Spec


class Kind(StrEnum):
    """What can be the matter with a package. `DIFFERENT` is what only compiling showed, `UNSTAGED` what git said."""

    STALE = "stale"
    MISSING = "missing"
    EXTRA = "extra"
    EDITED = "edited"
    UNREADABLE = "unreadable"
    DIFFERENT = "different"
    UNSTAGED = "unstaged"


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a package is not fresh; ``path`` is the emitted file that it is about, if it is about one."""

    kind: Kind
    text: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """A package, judged. ``unverified`` says which installed versions it was not made with; ``sources`` are the files
    of the project that it was made from."""

    name: str
    package: Path
    problems: tuple[Problem, ...]
    unverified: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def fresh(self) -> bool:
        """Whether nothing is the matter."""
        return not self.problems

    def has(self, *kinds: Kind) -> bool:
        """Whether one of these is the matter."""
        return any(problem.kind in kinds for problem in self.problems)


class Examiner:
    """Judges the packages of one spec; each file of the project is read once, however many models it made."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._digests: dict[str, str] = {}
        self._inside: set[Path] = set()

    @cached_property
    def installed(self) -> dict[str, str]:
        """The installed versions."""
        return versions()

    def models(self, names: tuple[str, ...] = ()) -> tuple[Status, ...]:
        """The models of these names (else all), and, if none is named, the packages that no model makes any more."""
        found = tuple(map(self.examine, self.spec.select(names)))
        return found if names else (*found, *self.extras())

    def examine(self, model: ModelSpec) -> Status:
        """Judge one model's package."""
        package = model.package
        self._refuse_links(package)
        if not package.is_dir():
            return Status(model.name, package, (Problem(Kind.MISSING, "the package is missing"),))
        try:
            lock = read_lock(package)
        except LockUnreadable as error:
            return Status(model.name, package, (Problem(Kind.UNREADABLE, f"{LOCK_NAME}: {error.reason}", LOCK_NAME),))
        if lock is None:
            return Status(model.name, package, (Problem(Kind.MISSING, f"{LOCK_NAME} is missing", LOCK_NAME),))
        differs = tuple(differing(lock.origin.versions, self.installed))
        reasons = (*self._inputs(model, lock.origin, differs), *_emitted(package, lock))
        return Status(model.name, package, reasons, differs, tuple(lock.origin.sources))

    def extras(self) -> Iterator[Status]:
        """Packages that were made from this spec, in the folders it names, for models that are gone from it."""
        wanted = {model.package for model in self.spec.models}
        outputs = {model.output for model in self.spec.models} | ({self.spec.output} if self.spec.output else set())
        for output in sorted(outputs):
            for file in sorted(output.glob(f"*/{LOCK_NAME}")):
                package = file.parent
                # What begins with a dot is a writer's, at work or killed; no model has such a name.
                taken = package in wanted or package.is_symlink() or package.name.startswith(".")
                if not taken and self._made(package):
                    self._refuse_links(package)
                    yield Status(package.name, package, (Problem(Kind.EXTRA, "no model of the spec makes it"),))

    def origin_of(self, model: ModelSpec, declared: str, sources: Mapping[str, str]) -> Origin:
        """What the lock of a package that is made now has to say of where it comes from."""
        return Origin(
            declared, self.installed, spec_of(self.spec, model.package), model.entry(), templates_digest(), sources
        )

    def sources(self, model: ModelSpec) -> dict[str, str]:
        """The hashes of a model's inputs as they are now, by path."""
        return {path: self.digest_of(path) for path in self._listed(model)}

    def _refuse_links(self, package: Path) -> None:
        if package.parent not in self._inside or package.is_symlink():
            refuse_links(self.spec, package)
            self._inside.add(package.parent)

    def _made(self, package: Path) -> bool:
        try:
            lock = read_lock(package)
        except LockUnreadable:
            return False
        return lock is not None and lock.origin.spec == spec_of(self.spec, package)

    def _inputs(self, model: ModelSpec, origin: Origin, differs: tuple[str, ...]) -> Iterator[Problem]:
        if origin.spec != spec_of(self.spec, model.package):
            yield Problem(Kind.STALE, f"it was not made from {self.spec.file.name}")
            return
        if origin.entry != model.entry():
            yield Problem(Kind.STALE, f"the spec of {model.name} changed")
        for path, was in origin.sources.items():
            now = self.digest_of(path)
            if now != was:
                yield Problem(Kind.STALE, f"{path} {'changed' if now else 'is gone'}")
        for path in self._listed(model):
            if path not in origin.sources:
                yield Problem(Kind.STALE, f"{path} is {'new' if self.digest_of(path) else 'not there'}")
        # Another version brings other templates; that is for the versions to say.
        if not differs and origin.templates != templates_digest():
            yield Problem(Kind.STALE, "the templates changed")

    def _listed(self, model: ModelSpec) -> list[str]:
        """The files that the model's ``inputs`` name."""
        root = self.spec.root
        # The name of a model in the cache is no file of the project.
        config = [model.config] if model.config and (root / model.config).exists() else []
        templates = [model.templates.relative_to(root).as_posix()] if model.templates else []
        found = {file for pattern in (*model.inputs, *config, *templates) for file in _files(root, pattern)}
        return sorted(file.relative_to(root).as_posix() for file in found)

    def digest_of(self, path: str) -> str:
        """The hash of a file of the project; empty if it is not there."""
        if path not in self._digests:
            file = self.spec.root / path
            try:
                self._digests[path] = digest(file.read_bytes())
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                self._digests[path] = ""
        return self._digests[path]


def spec_of(spec: Spec, package: Path) -> str:
    """The spec file as a package's lock names it: seen from the package, so that it holds on every machine."""
    return Path(relpath(spec.file, package)).as_posix()


def refuse_links(spec: Spec, package: Path) -> None:
    """Refuse a place that a link leads to outside the project, or that is itself a link.

    Raises:
        SpecError: names the path and where it leads.
    """
    if package.is_symlink() or not package.resolve().is_relative_to(spec.root):
        raise SpecError(
            spec.file, f"{package.relative_to(spec.root)} leads to {package.resolve()} by a link; write into a folder"
        )


def _files(root: Path, pattern: str) -> Iterator[Path]:
    if (root / pattern).is_dir():
        pattern = f"{pattern.rstrip('/')}/**/*"
    if any(mark in pattern for mark in "*?["):
        yield from (file for file in root.glob(pattern) if file.is_file() and "__pycache__" not in file.parts)
    else:
        yield root / pattern


def _emitted(package: Path, lock: Lock) -> Iterator[Problem]:
    for path, known in lock.files.items():
        yield from _file(package / path, path, known)
    for path in lock.adopted:
        if not lexists(package / path):
            yield Problem(Kind.MISSING, f"{path} is missing (it was adopted; generating writes archit's)", path)


def _file(file: Path, path: str, known: FileHash) -> Iterator[Problem]:
    try:
        data = None if _behind_link(file, path) else read_regular(file)
    except FileNotFoundError:
        yield Problem(Kind.MISSING, f"{path} is missing", path)
        return
    if data is None or not known.is_of(data):
        why = "has conflict marks" if data is not None and has_conflict(data) else "was edited by hand"
        yield Problem(Kind.EDITED, f"{path} {why}", path)


def _behind_link(file: Path, path: str) -> bool:
    """Whether a folder on the way from the package to a file is a link."""
    return any(file.parents[depth].is_symlink() for depth in range(path.count("/")))
