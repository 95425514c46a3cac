"""For test suites. `pytest --archit` makes tests of the models of the spec: each is fresh, imports, and validates.

The fixture `golden_package` compares an emitted package with a folder, and updates it on `--update-golden`. Without
these, the plugin costs nothing: what it needs is imported when it is needed, and torch only in a process of its own.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

KINDS = ("fresh", "imports", "validates")
POOL = pytest.StashKey[Any]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--archit`, `--archit-spec` and `--update-golden`."""
    group = parser.getgroup("archit", "archit_codegen")
    group.addoption("--archit", action="store_true", help="test that each model of the spec is fresh and validates")
    group.addoption("--archit-spec", type=Path, metavar="FILE", help="the spec, if it is not the one found from here")
    group.addoption("--update-golden", action="store_true", help="have golden_package update its folders")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the models' tests, before `-k` and `-m` choose among all."""
    if config.getoption("--archit"):
        items.extend(_SpecNode.from_parent(session, name="archit").collect())


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the process that compiled."""
    pool = config.stash.get(POOL, None)
    if pool is not None:
        pool.shutdown()


@pytest.fixture
def golden_package(request: pytest.FixtureRequest) -> Callable[[Any, Path], None]:
    """`golden_package(package, folder)` fails with a diff unless ``folder`` holds just what ``package`` (or a mapping
    of paths to texts) says; with `--update-golden` it writes it there."""
    golden = _late("golden")

    def compare(package: Any, folder: Path) -> None:
        files: Mapping[str, str] = getattr(package, "files", package)
        if request.config.getoption("--update-golden"):
            golden.update(folder, files)
        difference = golden.report(folder, files)
        if difference:
            pytest.fail(f"\n{difference}", pytrace=False)

    return compare


class _SpecNode(pytest.Collector):
    """All models of the spec."""

    def collect(self) -> Iterator[pytest.Item]:
        reading, chosen = _late("spec"), self.config.getoption("--archit-spec")
        try:
            spec = reading.read_spec(chosen or reading.find_spec(self.config.invocation_params.dir))
        except _late_errors().ArchitError as error:
            raise pytest.UsageError(str(error)) from error
        for model in spec.models:
            for kind in KINDS:
                yield _ModelTest.from_parent(self, name=f"{model.name}[{kind}]", spec=spec, model=model, kind=kind)


class _ModelTest(pytest.Item):
    """One question to one model."""

    def __init__(self, *, spec: Any, model: Any, kind: str, **options: Any) -> None:
        super().__init__(**options)
        self.spec, self.model, self.kind = spec, model, kind

    def runtest(self) -> None:
        said = self._stale() if self.kind == "fresh" else self._compiled()
        if said:
            raise _Wrong(said)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return str(excinfo.value) if isinstance(excinfo.value, _Wrong) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.spec.file, None, f"archit: {self.name}"

    def _stale(self) -> str:
        status = _late("freshness").Examiner(self.spec).examine(self.model)
        lines = [f"{problem.kind}: {problem.text}" for problem in status.problems]
        return "\n".join([*lines, f"mend with: archit generate {self.model.name}"]) if lines else ""

    def _compiled(self) -> str:
        action = {"imports": "imported", "validates": "preview"}[self.kind]
        if self.config.stash.get(POOL, None) is None:
            self.config.stash[POOL] = _late("jobs").pool()
        result = self.config.stash[POOL].submit(_late("jobs").perform, action, self.spec, self.model.name).result()
        if result.bad:
            return str(result.text)
        return f"the package is not what is emitted for it now\n{result.diff}" if result.diff else ""


class _Wrong(Exception):
    """What a test of a model has to say."""


def _late(module: str) -> Any:
    return importlib.import_module(f"archit_codegen.regeneration.{module}")


def _late_errors() -> Any:
    return importlib.import_module("archit_codegen.errors")
