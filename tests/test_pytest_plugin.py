"""`pytest --archit` and `golden_package`, in the suite of a project."""

from pathlib import Path

import pytest

from tests.prepared import project

PLUGIN = ("-p", "archit_codegen.pytest_plugin")
GOLDEN = """
def test_it(golden_package):
    golden_package({"lab/__init__.py": "x = 1\\n"}, __import__("pathlib").Path(__file__).parent / "expected")
"""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """In a process of its own, so that nothing of this run is shared; without xdist."""
    return pytester.runpytest_subprocess("-p", "no:xdist", *PLUGIN, *arguments)


@pytest.fixture
def root(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return pytester.path


def test_without_the_option_nothing_is_added(pytester: pytest.Pytester, root: Path) -> None:
    project(root / "project", 1)
    pytester.makepyfile("import sys\ndef test(): assert 'torch' not in sys.modules")
    run(pytester).assert_outcomes(passed=1)


def test_models_are_tests(pytester: pytest.Pytester, root: Path) -> None:
    project(root / "project", 2)
    helper = root / "project" / "surgery" / "helper.py"
    spec = str(root / "project" / "archit.toml")
    run(pytester, "--archit", "--archit-spec", spec, "-k", "fresh").assert_outcomes(passed=2, deselected=4)
    helper.write_text(helper.read_text() + "# more\n")
    found = run(pytester, "--archit", "--archit-spec", spec, "-k", "m1 and fresh")
    found.assert_outcomes(failed=1, deselected=5)
    found.stdout.fnmatch_lines(["stale: surgery/helper.py changed", "mend with: archit generate m1"])
    found.stdout.no_fnmatch_line("*Traceback*")


def test_what_cannot_be_compiled_is_told(pytester: pytest.Pytester, root: Path) -> None:
    """The surgeries of prepared projects return no model; their packages import all the same."""
    project(root / "project", 1)
    found = run(pytester, "--archit", "--archit-spec", str(root / "project" / "archit.toml"), "-v")
    found.assert_outcomes(passed=2, failed=1)
    found.stdout.fnmatch_lines(["*m0[[]fresh[]]*PASSED*", "*m0[[]imports[]]*PASSED*", "*m0[[]validates[]]*FAILED*"])
    found.stdout.fnmatch_lines(["*has to return the live model, an nn.Module; it returned a int*"])


def test_no_spec(pytester: pytest.Pytester, root: Path) -> None:
    found = run(pytester, "--archit", "--archit-spec", "nowhere.toml")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["ERROR: *nowhere.toml: No such file or directory."])


def test_golden_folders(pytester: pytest.Pytester, root: Path) -> None:
    pytester.makepyfile(GOLDEN)
    expected = root / "expected" / "lab"
    found = run(pytester)
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(["*extra: lab/__init__.py", "*pytest --update-golden"])
    expected.mkdir(parents=True)
    (expected / "__init__.py").write_text("x = 2\n")
    (expected / "gone.py").write_text("")
    found = run(pytester)
    found.stdout.fnmatch_lines(["*missing: lab/gone.py", "*-x = 2", "*+x = 1"])
    assert sorted(path.name for path in expected.iterdir()) == ["__init__.py", "gone.py"]
    run(pytester, "--update-golden").assert_outcomes(passed=1)
    assert (expected / "__init__.py").read_text() == "x = 1\n" and not (expected / "gone.py").exists()
    run(pytester).assert_outcomes(passed=1)
