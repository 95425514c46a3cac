"""What is emitted for the gallery is what stands there, byte for byte, and it is the live model."""

import ast
import inspect

import pytest

from tests.goldens import CASES, GOLDEN, case_module, compiled, expected, report
from tests.judge import judge
from tests.models import inputs_for


@pytest.fixture(params=CASES, scope="module")
def case(request: pytest.FixtureRequest) -> str:
    """By module, so that the tests of one case follow each other and share its compilation."""
    return request.param


def test_the_emitted_text_is_the_golden_one(case: str) -> None:
    difference = report(case, expected(case), dict(compiled(case)[1].files))
    assert not difference, f"\n{difference}"


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


def test_the_report_names_files_and_shows_lines() -> None:
    text = report("x", {"a": "1\n", "gone": "", "b": "same"}, {"a": "2\n", "new": "", "b": "same"})
    assert "missing: gone" in text and "extra: new" in text and "-1\n+2" in text and "make golden" in text
    assert "only line ends differ" in report("x", {"a": "1\n"}, {"a": "1\r\n"})
    assert report("x", {"a": "1"}, {"a": "1"}) == ""
