"""What is emitted for the gallery is what stands there, byte for byte, and it is the live model."""

import ast
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from archit_codegen.disk.lock import Origin, read_lock
from archit_codegen.disk.writer import write_package
from archit_codegen.regeneration.freshness import Examiner
from archit_codegen.regeneration.golden import expected, report, update
from archit_codegen.regeneration.spec import read_spec
from tests.goldens import CASES, GOLDEN, MODELS, case_module, compiled
from tests.judge import judge
from tests.models import inputs_for


@pytest.fixture(params=CASES, scope="module")
def case(request: pytest.FixtureRequest) -> str:
    """By module, so that the tests of one case follow each other and share its compilation."""
    return request.param


def test_the_emitted_text_is_the_golden_one(case: str, golden_package: Callable[[object, Path], None]) -> None:
    golden_package(compiled(case)[1], MODELS[case].output)


def test_the_package_is_the_live_model(case: str) -> None:
    live, package = compiled(case)
    judge(live, package, inputs_for(live))


def test_the_package_stands_alone(case: str) -> None:
    """Imports torch, transformers and itself; never the compiler, never the user's files."""
    for name, text in compiled(case)[1].files.items():
        if name.endswith(".py"):
            used = {module.partition(".")[0] for module in absolute_imports(ast.parse(text))}
            assert used.isdisjoint({"archit_codegen", "tests", "golden"}), name


def absolute_imports(tree: ast.Module) -> list[str]:
    found = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0]
    return found + [node.module or "" for node in froms]


def test_a_case_is_short(case: str) -> None:
    assert len(inspect.getsource(case_module(case).build).splitlines()) <= 20


def test_the_gallery_is_complete() -> None:
    assert len(CASES) >= 12
    assert [path.parent.name for path in sorted(GOLDEN.glob("*/expected"))] == CASES
    assert [path.parent.name for path in sorted(GOLDEN.glob("*/case.py"))] == CASES
    assert all(model.output == GOLDEN / case / "expected" for case, model in MODELS.items())


def test_the_gallery_is_fresh() -> None:
    """As for any project: after a change of templates or cases, `make golden` makes its locks say so."""
    found = Examiner(read_spec(GOLDEN / "archit.toml")).models()
    assert {status.name: status.problems for status in found if not status.fresh} == {}


def test_the_report_names_files_and_shows_lines(tmp_path: Path) -> None:
    written(tmp_path, {"p/a": "1\n", "p/gone": "", "p/b": "same"})
    text = report(tmp_path, {"p/a": "2\n", "p/new": "", "p/b": "same"})
    assert "missing: p/gone" in text and "extra: p/new" in text and "-1\n+2" in text and "--update-golden" in text
    written(tmp_path, {"p/b": "1\r\n"})
    assert "only line ends differ" in report(tmp_path, {"p/b": "1\n"})
    assert report(tmp_path, expected(tmp_path)) == ""


def test_an_update_takes_the_lock_along(tmp_path: Path) -> None:
    package = write_package(tmp_path, "p", {"p/a.py": "1\n", "p/gone.py": ""}, Origin("torch.nn:Linear")).package
    assert update(tmp_path, {"p/a.py": "2\n", "p/new.py": ""}) == ["p/a.py", "p/gone.py", "p/new.py"]
    assert expected(tmp_path) == {"p/a.py": "2\n", "p/new.py": ""}
    lock = read_lock(package)
    assert lock is not None and list(lock.files) == ["a.py", "new.py"] and lock.files["a.py"].is_of(b"2\n")
    assert update(tmp_path, {"p/a.py": "2\n", "p/new.py": ""}) == []


def written(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(text.encode())
