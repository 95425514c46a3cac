"""The two hooks in a real repository, with the real pre-commit: the essential cases. `make scenarios` has the rest."""

from pathlib import Path

import pytest

from tests import repository
from tests.repository import SURGERY, Repository, state

PACKAGE = "src models/stack"
MODEL = f"{PACKAGE}/modeling_stack.py"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Compiled once; each test has a copy."""
    folder = tmp_path_factory.mktemp("hooks")
    return repository.project(repository.tools(folder / "tools"), folder / "first project")


@pytest.fixture
def project(original: Repository, tmp_path: Path) -> Repository:
    return repository.copy(original, tmp_path / "a project")


def use(project: Repository, *hooks: str) -> None:
    project.hooks(*hooks)
    project.git("add", ".")
    project.git("commit", "-qm", "hooks")
    project.log()


def half_stage(project: Repository) -> None:
    """Of two edits of the surgery, the first is staged, as a person does it."""
    project.write(
        "surgery/stack.py", SURGERY.replace("(8, WIDTH)\n\n", "(8, WIDTH, bias=False)\n\n").replace("ReLU", "GELU")
    )
    project.git("add", "-p", "surgery/stack.py", text="n\ny\n")
    staged = project.git("show", ":surgery/stack.py")
    assert "bias=False" in staged and "ReLU" in staged


def test_a_commit_that_has_nothing_to_do_with_it_imports_nothing_big(project: Repository) -> None:
    use(project, "archit-check", "archit-generate")
    project.write("README.md", "Another text.\n")
    said = project.commit("-a")
    assert said.count("Passed") == 2 and project.log() == ["check", "generate"]


def test_the_staged_text_is_judged_and_nothing_is_touched(project: Repository) -> None:
    use(project, "archit-check")
    half_stage(project)
    before = state(project)
    said = project.commit(ok=False)
    assert "stale: surgery/stack.py changed" in said and "archit generate stack" in said
    assert state(project) == before and project.log() == ["check"]
    index = project.root / ".git" / "index"
    written = index.read_bytes()
    assert "stale" in project.archit("check", "--tracked", ok=False) and index.read_bytes() == written
    project.git("restore", "--staged", "surgery/stack.py")
    project.write("README.md", "Another text.\n")
    project.git("add", "README.md")
    assert "Passed" in project.commit()  # the work tree is stale, what is committed is not


def test_the_staged_text_is_generated_and_nothing_is_staged(project: Repository) -> None:
    use(project, "archit-generate")
    half_stage(project)
    index = project.git("diff", "--cached")
    said = project.commit(ok=False)
    assert "git add -- 'src models/stack'" in said
    assert project.git("diff", "--cached") == index
    assert "bias=False" in project.read(MODEL) and "ReLU" in project.read(MODEL)
    assert "GELU" in project.read("surgery/stack.py")
    project.git("add", PACKAGE)
    project.commit()
    assert "GELU" in project.git("diff")


def test_a_new_package_has_to_be_tracked(project: Repository) -> None:
    project.git("rm", "-rq", "--cached", PACKAGE)
    project.git("commit", "-qm", "the package is not tracked")
    for hook in ("archit-check", "archit-generate"):
        use_untracked(project, hook)
        said = project.commit("--allow-empty", ok=False)
        assert "modeling_stack.py is untracked" in said and "git add -- 'src models/stack'" in said
    project.git("add", PACKAGE)
    project.commit()
    assert "torch" not in "".join(project.log())


def use_untracked(project: Repository, hook: str) -> None:
    project.hooks(hook)
    project.git("add", ".pre-commit-config.yaml")
    project.git("commit", "-qm", "hooks", "--no-verify")
