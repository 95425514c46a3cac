"""Linters find nothing in emitted packages that they do not find in the files of transformers these were made from."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import transformers

from tests.goldens import CASES, GOLDEN, MODELS

LIBRARY = Path(transformers.__file__).parent.parent
RULES = "E,F,W,B,C4,PIE,UP"  # what is neither naming nor the order of imports, which are the original's
GENERATED = "This file was automatically generated from"  # such files are not looked at
IGNORED = "E501"  # a renamed class makes a comment or docstring longer, which no formatter breaks
Findings = Mapping[str, set[tuple[str, str]]]


def declared_files(case: str) -> list[Path]:
    """The files of transformers that the emitted ones of a case were made from."""
    text = "".join(path.read_text() for path in emitted(case))
    homes = sorted(set(re.findall(r"transformers\.models[.\w]*\.modeling_\w+", text)))
    modules = [*homes, *(name.replace(".modeling_", ".configuration_") for name in homes)]
    paths = [LIBRARY.joinpath(*name.split(".")).with_suffix(".py") for name in modules]
    return [path for path in paths if path.is_file()]


def emitted(case: str) -> list[Path]:
    """Heads are made from templates: no original has them."""
    return sorted(path for path in (GOLDEN / case / "expected").rglob("*.py") if not path.stem.endswith("_heads"))


def without_names(message: str, suffix: str) -> str:
    """A message without what differs when a class or file gets another name, or code stands on another line."""
    message = re.sub(rf"(\w+?){suffix}\d*\b", r"\1", message)
    message = re.sub(r"\bon line \d+", "on line N", message)
    return re.sub(r"(modeling|configuration)_\w+\.py", r"\1.py", message)


def absolute(text: str, file: Path) -> str:
    """A text of transformers whose imports do not depend on where it stands."""
    parts = file.relative_to(LIBRARY).with_suffix("").parts

    def module(found: re.Match[str]) -> str:
        home = ".".join(parts[: -len(found["dots"])])
        return f"{found['start']}{home}{'.' if found['name'] else ''}{found['name']} import"

    return re.sub(r"(?m)^(?P<start>\s*from )(?P<dots>\.+)(?P<name>[\w.]*) import", module, text)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """All emitted files and all declared ones, by case. The linter lets much pass in files that it knows by name.

    Relative imports are made absolute in the declared ones: mypy gives up on a file whose imports climb too far.
    """
    ours, theirs = tmp_path_factory.mktemp("ours"), tmp_path_factory.mktemp("theirs")
    for case in CASES:
        for folder, files in ((ours / case, emitted(case)), (theirs / case, declared_files(case))):
            folder.mkdir()
            for number, file in enumerate(files):
                kind = file.name.partition("_")[0] or "init"
                text = file.read_text().replace(GENERATED, "")
                text = absolute(text, file) if file.is_relative_to(LIBRARY) else text
                (folder / f"{kind}_some{number}.py").write_text(text)
    return ours, theirs


def mlinter(folder: Path) -> Findings:
    """What transformers' own linter says, by case: rule and message."""
    report = folder.parent / f"{folder.name}.json"
    command = [
        sys.executable,
        "-m",
        "mlinter",
        "--no-progress",
        "--no-cache",
        "--output-json",
        str(report),
        str(folder),
    ]
    subprocess.run(command, capture_output=True, check=False)
    return by_case(json.loads(report.read_text())["findings"], "path", "rule")


def ruff(folder: Path) -> Findings:
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--output-format", "json", "--no-cache"]
    rules = ["--select", RULES, "--ignore", IGNORED, "--target-version", "py310"]
    done = subprocess.run([*command, *rules, str(folder)], capture_output=True, text=True, check=False)
    return by_case(json.loads(done.stdout), "filename", "code")


def by_case(findings: Sequence[Mapping[str, Any]], path: str, rule: str) -> Findings:
    found: dict[str, set[tuple[str, str]]] = {}
    for finding in findings:
        case = Path(finding[path]).parent.name
        suffix = MODELS[case].suffix if case in CASES else "X"
        found.setdefault(case, set()).add((finding[rule], without_names(finding["message"], suffix)))
    return found


@pytest.mark.parametrize("linter", [mlinter, ruff])
def test_a_linter_finds_no_more_than_in_the_original(linter: Any, folders: tuple[Path, Path]) -> None:
    ours, theirs = map(linter, folders)
    more = {case: ours[case] - theirs.get(case, set()) for case in ours}
    assert {case: found for case, found in more.items() if found} == {}


def test_the_linters_look_at_what_is_emitted(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "modeling_x.py").write_text("import os\n\nassert True\n")
    assert {rule for rule, _ in mlinter(folder)["x"]} >= {"TRF027", "TRF028"}
    assert ruff(folder)["x"] == {("F401", "`os` imported but unused")}


@pytest.mark.slow
def test_mypy(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """As the original is checked: without its imports, untyped functions left alone."""
    ours, theirs = (types(folder, tmp_path) for folder in folders)
    given_up = [message for found in theirs.values() for _, message in found if "relative import" in message.lower()]
    assert theirs and given_up == []
    assert {case: ours[case] - theirs.get(case, set()) for case in ours if ours[case] - theirs.get(case, set())} == {}


def types(folder: Path, cache: Path) -> Findings:
    options = ["--ignore-missing-imports", "--follow-imports=skip", "--no-error-summary", "--output=json"]
    found = []
    for file in sorted(folder.glob("*/*.py")):
        command = [sys.executable, "-m", "mypy", *options, f"--cache-dir={cache}", "--config-file=", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found += [{**json.loads(line), "file": str(file)} for line in done.stdout.splitlines()]
    return by_case(found, "file", "code")
