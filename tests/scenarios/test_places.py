"""Linked work trees and submodules, merges, an environment without torch, an interrupt, and several at once."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archit_codegen.disk.lock import LOCK_NAME
from tests.repository import SIZES, Repository, state
from tests.scenarios.conftest import use

pytestmark = pytest.mark.slow
PACKAGE = "src models/stack"
MODEL = f"{PACKAGE}/modeling_stack.py"
LEAN = ("click", "filelock", "pygments", "rich", "markdown_it", "mdurl")


def stale_then_mended(project: Repository) -> None:
    """The hook stops a commit that makes the package stale, and lets it pass once the package is there."""
    project.write("surgery/sizes.py", "WIDTH = 5\n")
    project.git("add", ".")
    project.commit(ok=False)
    project.archit("generate")
    project.git("add", ".")
    project.commit()
    assert "nn.Linear(width, 5)" in project.read(MODEL) and project.git("status", "--short") == ""


def test_a_linked_work_tree(hooked: Repository, tmp_path: Path) -> None:
    hooked.git("worktree", "add", "-q", str(tmp_path / "linked tree"), "-b", "other")
    stale_then_mended(hooked.beside(tmp_path / "linked tree"))
    assert hooked.git("status", "--short") == ""


def test_a_submodule(hooked: Repository, tmp_path: Path) -> None:
    outer = hooked.beside(tmp_path / "outer")
    outer.write("README.md", "Holds another.\n")
    outer.git("init", "-q")
    outer.git("submodule", "add", "-q", str(hooked.root), "inner part")
    inner = outer.beside(outer.root / "inner part")
    inner.run("pre-commit", "install")
    stale_then_mended(inner)


def diverge(project: Repository) -> None:
    """Two branches that change the same package; merging them leaves marks in package and lock."""
    project.git("checkout", "-qb", "five")
    for branch, width in (("five", "5"), ("main", "6")):
        project.git("checkout", "-q", branch)
        project.write("surgery/sizes.py", f"WIDTH = {width}\n")
        project.archit("generate")
        project.git("commit", "-qam", branch)
    project.git("merge", "five", ok=False)
    assert "<<<<<<<" in project.read(MODEL) and "<<<<<<<" in project.read(f"{PACKAGE}/{LOCK_NAME}")


def test_conflict_marks(project: Repository) -> None:
    diverge(project)
    use_nothing_yet = project.archit("check", ok=False)
    assert (
        "archit.lock: it has conflict marks" in use_nothing_yet
        and "archit generate --overwrite stack" in use_nothing_yet
    )
    project.write("surgery/sizes.py", "WIDTH = 7\n")
    before = state(project)
    said = project.archit("generate", ok=False)
    assert "archit.lock (it has conflict marks)" in said and state(project) == before
    project.archit("generate", "--overwrite")
    assert "nn.Linear(width, 7)" in project.read(MODEL)
    for backup in (project.root / PACKAGE).glob("*.orig"):
        backup.unlink()
    project.git("add", ".")
    use(project, "archit-check")
    project.commit("--allow-empty")


def test_conflict_marks_in_the_package_alone(project: Repository) -> None:
    diverge(project)
    project.git("checkout", "--ours", f"{PACKAGE}/{LOCK_NAME}", "surgery/sizes.py")
    said = project.archit("check", ok=False)
    assert "modeling_stack.py has conflict marks" in said
    project.archit("generate", "--overwrite")
    assert "nn.Linear(width, 6)" in project.read(MODEL)


def test_an_environment_without_torch(project: Repository, tmp_path: Path) -> None:
    use(project, "archit-generate")
    lean = tmp_path / "lean"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(lean)], check=True)
    (site,) = lean.glob("lib/python*/site-packages")
    for name in LEAN:
        (source,) = (Path(place) / name for place in sys.path if (Path(place) / name).is_dir())
        (site / name).symlink_to(source)
    script = (project.tools / "bin" / "archit").read_text().replace(sys.executable, str(lean / "bin" / "python"), 1)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "archit").write_text(script)
    (tmp_path / "bin" / "archit").chmod(0o755)
    project.environment = project.environment | {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{project.environment['PATH']}"
    }
    said = project.archit("check")
    assert "note: unverified on black missing" in said and "fresh" in said
    project.write("README.md", "Unrelated.\n")
    project.commit("-a")
    project.write("surgery/sizes.py", "WIDTH = 5\n")
    before = state(project)
    said = project.commit("-a", ok=False)
    (line,) = [line for line in said.splitlines() if line.startswith("archit: ")]
    assert "is not installed in the environment that archit runs in" in line
    project.git("reset", "-q")
    assert {**state(project), "index": b""} == {**before, "index": b""}


def test_an_interrupt_in_the_middle(project: Repository) -> None:
    use(project, "archit-generate")
    project.write("surgery/sizes.py", "import time\ntime.sleep(20)\nWIDTH = 5\n")
    project.git("add", ".")
    before = state(project)
    running = subprocess.Popen(
        ["git", "commit", "-m", "never"], cwd=project.root, env=project.environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    time.sleep(12)
    os.killpg(running.pid, signal.SIGINT)
    said, _ = running.communicate(timeout=60)
    assert running.returncode != 0 and state(project) == before
    assert "Traceback" not in said, said
    project.write("surgery/sizes.py", SIZES)
    project.git("add", ".")
    project.commit("--allow-empty")


def test_two_runs_over_all_files_at_once(project: Repository) -> None:
    use(project, "archit-generate")
    project.write("surgery/sizes.py", "WIDTH = 5\n")
    project.git("add", ".")
    command = ["pre-commit", "run", "--all-files"]
    running = [
        subprocess.Popen(command, cwd=project.root, env=project.environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[0] for process in running]
    assert all("Traceback" not in text for text in said), said
    assert 1 in [process.returncode for process in running]
    project.git("add", ".")
    assert "Passed" in project.run("pre-commit", "run", "--all-files")
    assert "nn.Linear(width, 5)" in project.read(MODEL)
    assert sorted(path.name for path in (project.root / "src models").iterdir()) == ["stack"]


def test_no_git_at_all(project: Repository) -> None:
    shutil.rmtree(project.root / ".git")
    assert "fresh" in project.archit("check")
    said = project.archit("check", "--tracked", ok=False)
    assert said.startswith("archit: git: ") and "not a git repository" in said
