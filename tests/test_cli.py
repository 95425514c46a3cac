"""The command line: what it prints, its exit codes, and how little it imports to say so."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from torch import nn

import archit_codegen
from archit_codegen import __version__, errors
from archit_codegen.cli import main
from archit_codegen.declaration.difference import Difference
from archit_codegen.regeneration import generate as command

SPEC = """
output = "models"
[[model]]
name = "first"
surgery = "surgery.py:build"
suffix = "X"
[[model]]
name = "second"
surgery = "surgery.py:build"
suffix = "X"
"""
HEAVY = {"torch", "transformers", "libcst", "black", "jinja2", "rich"}


@dataclass(frozen=True)
class FakePackage:
    name: str
    root_class: str = "LinearX"
    notes: tuple[str, ...] = ("outputs were not compared",)
    declared: str = "torch.nn:Linear"

    @property
    def files(self) -> dict[str, str]:
        return {f"{self.name}/__init__.py": ""}


@dataclass(frozen=True)
class FakeChange:
    path: str
    text: str

    def describe(self) -> str:
        return self.text


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two models around a compiler that only names its package."""
    (tmp_path / "archit.toml").write_text(SPEC)
    (tmp_path / "surgery.py").write_text("from torch import nn\ndef build():\n    return nn.Linear(1, 2)\n")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    monkeypatch.setattr(command, "compile_model", lambda live, declared, *, name, **options: FakePackage(name))
    return tmp_path


def archit(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="archit")


def assert_one_line(result: Result, *says: str) -> None:
    assert result.exit_code == 2 and "Traceback" not in result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("archit: ")]
    assert all(text in line for text in says), line


def test_generate_writes_every_model(project: Path) -> None:
    result = archit("generate")
    assert result.exit_code == 0, result.output
    assert [line.partition(":")[0] for line in result.stdout.splitlines()] == ["first", "second"]
    assert sorted(path.name for path in (project / "models").iterdir()) == ["first", "second"]
    assert "first: note: outputs were not compared" in result.stderr.splitlines()


def test_generate_writes_the_models_that_are_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert archit("generate", "second", "--spec", str(project / "archit.toml")).exit_code == 0
    assert [path.name for path in (project / "models").iterdir()] == ["second"]


def test_one_failing_model_does_not_stop_the_others(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compile_model(live: nn.Module, declared: Any, *, name: str, **options: Any) -> FakePackage:
        if name == "first":
            raise errors.UnsupportedChange("a.b", "cannot be said", "Do\nsomething else.")
        return FakePackage(name)

    monkeypatch.setattr(command, "compile_model", compile_model)
    result = archit("generate")
    assert result.exit_code == 2 and "second: LinearX in" in result.stdout
    complaints = [line for line in result.stderr.splitlines() if line.startswith("archit: ")]
    assert complaints == [
        "archit: first: a.b: cannot be said. Do\\nsomething else.",
        "archit: 1 of 2 models failed: first",
    ]
    assert_one_line(archit("generate", "first"), "first: a.b: cannot be said")


def test_the_options_reach_the_compiler(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def compile_model(live: nn.Module, declared: Any, **options: Any) -> FakePackage:
        seen.update(options, live=type(live), declared=declared)
        return FakePackage(options["name"])

    monkeypatch.setattr(command, "compile_model", compile_model)
    (project / "archit.toml").write_text(
        SPEC.replace('surgery = "surgery.py:build"', 'surgery = "surgery.py:build"\ndeclared = "torch.nn:Linear"')
        + 'user_code = "import"\n'
    )
    assert archit("generate", "second").exit_code == 0
    expected = {
        "live": nn.Linear,
        "declared": nn.Linear,
        "name": "second",
        "suffix": "X",
        "user_code": "import",
        "heads": {},
        "templates": None,
        "vendor": "changed",
    }
    assert seen == expected


def test_hand_edits_and_the_way_out(project: Path) -> None:
    archit("generate")
    (project / "models" / "first" / "__init__.py").write_text("mine")
    result = archit("generate", "first")
    assert result.exit_code == 1 and "-mine" in result.stdout
    assert "__init__.py (edited by hand)" in result.stderr
    assert "archit generate --overwrite first   or: archit adopt first __init__.py" in result.stderr
    assert archit("generate", "first", "--overwrite").exit_code == 0
    assert (project / "models" / "first" / "__init__.py").read_text() == ""
    assert (project / "models" / "first" / "__init__.py.orig").read_text() == "mine"


def test_diff_is_a_tree(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = (
        FakeChange("roberta.embeddings.word", "Embedding replaced by [HEL]"),
        FakeChange("roberta.encoder.layer.3", "dropped"),
        FakeChange("roberta.encoder.layer.3", "and more"),
        FakeChange("", "frozen"),
    )
    found = Difference("RobertaModel", changes, ("RobertaEmbeddingsX", "RobertaModelX"))  # type: ignore[arg-type]
    monkeypatch.setattr(command, "diff", lambda live, declared, **options: found)
    result = archit("diff", "first")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "RobertaModel",
        "├── frozen",
        "└── roberta",
        "    ├── embeddings.word: Embedding replaced by [HEL]",
        "    └── encoder.layer.3: dropped; and more",
        "emits RobertaEmbeddingsX, RobertaModelX",
    ]
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = archit("diff", "first")
    assert "\x1b[" in coloured.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["generate", "frist"], "no model is named 'frist' (did you mean 'first'?)"),
        (["diff", "frist"], "did you mean 'first'?"),
        (["generate", "--spec", "nowhere.toml"], "nowhere.toml"),
        (["generate", "--overwirte"], "--overwirte"),
        (["generat"], "generat"),
        (["diff"], "NAME"),
        ([], "Missing command"),
    ],
)
def test_wrong_calls(project: Path, arguments: list[str], says: str) -> None:
    assert_one_line(archit(*arguments), says)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('surgery = "surgery.py:build"', 'surgery = "surgery.py:biuld"', "did you mean 'build'?"),
        ('surgery = "surgery.py:build"', 'surgery = "surgery.py:nn"', "has to name a function"),
        ('suffix = "X"', 'suffix = "X-Y"', "suffix 'X-Y'"),
        ('suffix = "X"', 'suffix = "X"\ndeclared = "transformers:RobertaForMaskdLM"', "RobertaForMaskedLM"),
    ],
)
def test_a_wrong_spec_writes_nothing(project: Path, before: str, after: str, says: str) -> None:
    (project / "archit.toml").write_text(SPEC.replace(before, after, 1))
    assert_one_line(archit("generate", "first"), says)
    assert not (project / "models").exists()


def test_a_bug_shows_its_traceback(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = command.run_surgery
    monkeypatch.setattr(
        command, "run_surgery", lambda model, root: 1 / 0 if model.name == "first" else real(model, root)
    )
    result = archit("generate")
    assert result.exit_code == 2 and "ZeroDivisionError" in result.stderr and "Traceback" in result.stderr
    assert "first: this is a bug" in result.stderr and "second: LinearX in" in result.stdout


def test_version_and_help() -> None:
    assert archit("--version").output == f"archit {__version__}\n"
    result = archit("--help")
    assert result.exit_code == 0 and "generate" in result.output and "diff" in result.output


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["generate", "--spec", "nowhere.toml"]])
def test_nothing_heavy_is_imported_before_it_is_needed(arguments: list[str], tmp_path: Path) -> None:
    probe = (
        "import sys\nfrom archit_codegen.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)\n"
    )
    # The tests run from a checkout that need not be installed; a process in another folder has to be told of it.
    environment = {**os.environ, "PYTHONPATH": str(Path(archit_codegen.__file__).parent.parent)}
    run = subprocess.run(
        [sys.executable, "-c", probe, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert HEAVY.isdisjoint(run.stderr.splitlines()[-1].split())
