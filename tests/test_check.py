"""`archit check`, `generate` and `adopt` on packages that stand there already: what they say, and what they write."""

import json
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from archit_codegen.cli import main
from archit_codegen.disk.lock import LOCK_NAME, read_lock
from archit_codegen.regeneration import jobs
from archit_codegen.regeneration.comparing import package_diff
from archit_codegen.regeneration.results import Outcome
from archit_codegen.regeneration.results import Result as Compiled
from archit_codegen.regeneration.spec import Spec, read_spec
from tests.prepared import emitted, generated, project


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three models; whatever has to be compiled comes out as it stands there."""
    project(tmp_path / "project", 3)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr(jobs, "run", compiled)
    return tmp_path / "project"


def compiled(action: str, spec: Spec, names: list[str], jobs: int, started: Any, **options: Any) -> Iterator[Compiled]:
    for name in names:
        started(name)
        (model,) = spec.select([name])
        files = emitted(name)
        diff = package_diff(model.package, files, f"models/{name}")
        if action == "regenerate":
            generated(spec, model, files)
        yield Compiled(name, model.package, Outcome.WRITTEN if diff else Outcome.UNCHANGED, "RootX", (), diff)


def archit(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="archit")


def edit(path: str, more: str = "# more\n") -> None:
    Path(path).write_text(Path(path).read_text() + more)


def test_fresh(root: Path) -> None:
    result = archit("check")
    assert (result.exit_code, result.output) == (0, "all 3 packages are fresh\n")
    assert archit("check", "m1").output == "1 package is fresh\n"
    assert archit("generate").output == "nothing is stale\n"


def test_each_failure_ends_with_what_mends_it(root: Path) -> None:
    edit("surgery/m0.py")
    edit("models/m1/__init__.py")
    Path(f"models/m2/{LOCK_NAME}").write_text("")
    result = archit("check")
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "m0: stale: surgery/m0.py changed",
        "m1: edited: __init__.py was edited by hand",
        "m2: unreadable: archit.lock: it is no lock of this version of archit",
        "mend m0 with: archit generate m0",
        "mend m1 with: archit generate --overwrite m1   or: archit adopt m1 __init__.py",
        "mend m2 with: archit generate --overwrite m2",
    ]


def test_the_command_names_the_spec_where_it_is_not_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit("surgery/m0.py")
    monkeypatch.chdir(root.parent)
    assert (
        "mend m0 with: archit generate --spec project/archit.toml m0"
        in archit("check", "--spec", "project/archit.toml").output
    )


def test_only_what_is_stale_is_generated(root: Path) -> None:
    edit("surgery/m1.py")
    result = archit("generate", "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "would generate m1 (surgery/m1.py changed)\n")
    result = archit("generate")
    assert result.exit_code == 0 and result.stdout == "m1: RootX in models/m1 (its text is the same)\n"
    assert archit("check").exit_code == 0
    assert len(archit("generate", "--force").stdout.splitlines()) == 3


def test_a_diff(root: Path) -> None:
    file = Path("models/m0/__init__.py")
    file.write_text(file.read_text().replace("__all__ = [", "__all__ = ['more',"))
    result = archit("check", "--diff")
    assert result.exit_code == 1 and "--- a/models/m0/__init__.py" in result.stdout
    assert "-__all__ = ['more',\n+__all__ = [\n" in result.stdout
    assert archit("check").stdout.count("---") == 0


def test_an_unverified_package_is_a_note_until_its_text_differs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Path(f"models/m0/{LOCK_NAME}")
    lock.write_text(lock.read_text().replace('"transformers": "5', '"transformers": "4'))
    result = archit("check")
    assert result.exit_code == 0 and "m0: note: unverified on transformers 5." in result.stderr
    assert "archit check --diff m0" in result.stderr
    assert archit("generate").stdout == "nothing is stale\n"
    assert archit("check", "--diff").exit_code == 0
    monkeypatch.setattr("tests.test_check.package_diff", lambda package, files, shown: "+x\n")
    result = archit("check", "--diff")
    assert result.exit_code == 1 and "gives another text" in result.stdout
    assert "mend m0 with: archit generate --force m0" in result.stdout


def test_json(root: Path) -> None:
    edit("models/m1/__init__.py")
    told = json.loads(archit("check", "--format", "json").stdout)
    assert told["fresh"] is False and [model["fresh"] for model in told["models"]] == [True, False, True]
    assert told["models"][1] == {
        "name": "m1",
        "package": "models/m1",
        "fresh": False,
        "problems": [{"kind": "edited", "text": "__init__.py was edited by hand", "file": "__init__.py"}],
        "unverified": [],
        "diff": "",
        "mend": ["archit generate --overwrite m1", "archit adopt m1 __init__.py"],
    }


def test_github(root: Path) -> None:
    edit("surgery/m0.py")
    line = "::error file=models/m0,title=archit::m0: surgery/m0.py changed. Mend with: archit generate m0\n"
    assert archit("check", "--format", "github").stdout == line


def test_junit(root: Path) -> None:
    edit("surgery/m0.py")
    suite = ElementTree.fromstring(archit("check", "--format", "junit").stdout)
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    failure = suite.find("testcase[@name='m0']/failure")
    assert failure is not None and failure.get("message") == "stale: surgery/m0.py changed"
    assert "archit generate m0" in (failure.text or "")


def test_adopting_and_handing_back(root: Path) -> None:
    file = Path("models/m0/__init__.py")
    edit(str(file), "mine = 1\n")
    mine = file.read_text()
    assert archit("adopt", "m0", str(file)).exit_code == 0
    assert archit("check").exit_code == 0
    edit("surgery/m0.py")
    assert archit("generate", "--overwrite").exit_code == 0
    assert file.read_text() == mine and list(Path("models/m0").glob("*.orig")) == []
    lock = read_lock(Path("models/m0"))
    assert lock is not None and list(lock.adopted) == ["__init__.py"] and "__init__.py" not in lock.files
    file.unlink()
    assert "__init__.py is missing" in archit("check").stdout
    archit("generate")
    assert file.read_text() == emitted("m0")["m0/__init__.py"]
    lock = read_lock(Path("models/m0"))
    assert lock is not None and lock.adopted == {} and archit("check").exit_code == 0


def test_adopting_what_was_edited(root: Path) -> None:
    assert "nothing was edited" in archit("adopt", "m0").stdout
    edit("models/m0/__init__.py")
    assert "__init__.py is yours now" in archit("adopt", "m0").stdout
    result = archit("adopt", "m0", "nothing.py")
    assert result.exit_code == 2 and "none of archit's in m0" in result.stderr
    result = archit("adopt", "m0", "../m1/__init__.py")
    assert result.exit_code == 2


def test_what_no_model_makes_any_more_is_removed(root: Path) -> None:
    spec = Path("archit.toml")
    spec.write_text(spec.read_text()[: spec.read_text().index('[[model]]\nname = "m1"')])
    Path("models/m1/mine.py").write_text("")
    edit("models/m2/__init__.py")
    assert "mend m1 with: archit generate\n" in archit("check").stdout
    result = archit("generate")
    assert result.exit_code == 1 and "m1: removed what archit wrote; files of yours stay" in result.stdout
    assert "__init__.py (edited by hand and no longer generated)" in result.stderr
    assert [path.name for path in Path("models/m1").iterdir()] == ["mine.py"]
    assert archit("generate", "--overwrite").exit_code == 0
    assert [path.name for path in Path("models/m2").iterdir()] == ["__init__.py"]
    assert archit("check").exit_code == 0 and sorted(p.name for p in Path("models").iterdir()) == ["m0", "m1", "m2"]


def test_a_package_that_is_archits_alone_goes_as_a_whole(root: Path) -> None:
    spec = Path("archit.toml")
    spec.write_text(spec.read_text()[: spec.read_text().rindex("[[model]]")])
    assert archit("generate").stdout == "m2: removed\n"
    assert sorted(path.name for path in Path("models").iterdir()) == ["m0", "m1"]


def test_what_a_killed_writer_left_is_cleared_though_nothing_is_stale(root: Path) -> None:
    shutil.copytree("models/m1", "models/.m1.archit-swap")
    Path("models/.m1.archit-swap/saved.txt").write_text("saved while it was exchanged")
    assert archit("check").exit_code == 0
    assert archit("generate").stdout == "nothing is stale\n"
    assert Path("models/m1/saved.txt").exists() and not Path("models/.m1.archit-swap").exists()


def test_another_version_is_required(root: Path) -> None:
    spec = Path("archit.toml")
    spec.write_text('required-version = ">=99"\n' + spec.read_text())
    result = archit("check")
    assert result.exit_code == 2 and "pip install 'archit_codegen>=99'" in result.stderr


def test_completion(root: Path) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_ARCHIT_COMPLETE" in archit("completion", shell).stdout
    told = CliRunner().invoke(main, [], prog_name="archit", env={
        "_ARCHIT_COMPLETE": "bash_complete", "COMP_WORDS": "archit check m", "COMP_CWORD": "2",
    })  # fmt: skip
    assert [line.partition(",")[2] for line in told.stdout.split()] == ["m0", "m1", "m2"]
    assert read_spec(root / "archit.toml").models
