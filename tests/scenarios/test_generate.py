"""Whole runs of `archit generate`: killed at any instant, several at once, on a disk that is full."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from archit_codegen.disk.places import ROLES, sibling
from archit_codegen.regeneration.freshness import Examiner, Kind
from archit_codegen.regeneration.spec import read_spec
from tests.faults.cases import CASES, judge, judge_recovered
from tests.repository import Repository

pytestmark = pytest.mark.slow
PACKAGE = "src models/stack"
MODEL = f"{PACKAGE}/modeling_stack.py"


def started(project: Repository, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["archit", "generate", *arguments], cwd=project.root, env=project.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def assert_whole(project: Repository, *widths: int) -> None:
    """The package of one of these widths, complete with its lock, and the user's file in it."""
    (status,) = Examiner(read_spec(project.root / "archit.toml")).models()
    assert not status.has(Kind.EDITED, Kind.MISSING, Kind.UNREADABLE), status.problems
    assert sum(f"nn.Linear(width, {width})" in project.read(MODEL) for width in widths) == 1
    assert project.read(f"{PACKAGE}/mine.md") == "mine"


def at_work(project: Repository) -> bool:
    return any(sibling(project.root / PACKAGE, role).exists() for role in ROLES)


def test_killed_at_twenty_instants(project: Repository) -> None:
    chance = random.Random(5)
    project.write(f"{PACKAGE}/mine.md", "mine")
    begin = time.perf_counter()
    project.archit("generate", "--force")
    whole = time.perf_counter() - begin
    for number in range(20):
        width = 5 + number
        project.write("surgery/sizes.py", f"WIDTH = {width}\n")
        run = started(project)
        if number % 2:
            time.sleep(chance.uniform(0, 1.1 * whole))
        else:
            while run.poll() is None and not at_work(project):
                time.sleep(0.0002)
            time.sleep(chance.uniform(0, 0.02))
        run.kill()
        run.communicate()
        assert_whole(project, *range(4, width + 1))
    project.archit("generate")
    project.archit("generate")
    assert_whole(project, width)
    assert "fresh" in project.archit("check") and not at_work(project)


def test_four_at_once(project: Repository) -> None:
    project.write(f"{PACKAGE}/mine.md", "mine")
    project.write("surgery/sizes.py", "WIDTH = 9\n")
    runs = [started(project) for _ in range(4)]
    said = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0] * 4, said
    assert_whole(project, 9)
    assert "fresh" in project.archit("check")
    assert [path.name for path in (project.root / "src models").iterdir()] == ["stack"]


def test_models_over_processes_and_one_that_dies(project: Repository) -> None:
    spec = project.read("archit.toml")
    for name, body in (("dies", "import os\n    os._exit(9)"), ("fails", "1 / 0"), ("wide", "return other()")):
        text = f"from surgery.stack import build as other\n\n\ndef build():\n    {body}\n"
        project.write(f"surgery/{name}.py", text)
        spec += f'\n[[model]]\nname = "{name}"\nsurgery = "surgery/{name}.py:build"\nsuffix = "X"\n'
    project.write("archit.toml", spec)
    said = project.archit("generate", "--jobs", "3", ok=False)
    assert "archit: dies: its process died" in said and "archit: fails: " in said and "ZeroDivisionError" in said
    assert "wide: StackX in src models/wide" in said and "2 of 3 models failed: " in said
    assert "archit generate dies" in project.archit("check", ok=False)
    assert not (project.root / "src models" / "fails").exists()


def test_an_interrupt_of_several(project: Repository) -> None:
    project.write("surgery/sizes.py", "import time\ntime.sleep(60)\nWIDTH = 5\n")
    more = project.read("archit.toml").partition("[[model]]")[2].replace('"stack"', '"other"')
    project.write("archit.toml", f"{project.read('archit.toml')}\n[[model]]{more}")
    before = project.read(MODEL)
    run = subprocess.Popen(
        ["archit", "generate", "--jobs", "2"], cwd=project.root, env=project.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    time.sleep(15)
    os.killpg(run.pid, signal.SIGINT)
    said, _ = run.communicate(timeout=30)
    assert run.returncode == 130 and "Traceback" not in said, said
    assert project.read(MODEL) == before and not (project.root / "src models" / "other").exists()


def mounted(place: Path, size: str) -> bool:
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size}", "none", str(place)]
    return subprocess.run(["mount", *options], capture_output=True).returncode == 0


def test_a_disk_that_is_full(project: Repository, tmp_path: Path) -> None:
    """A real one, where one may mount it; the injected faults have it everywhere."""
    small = tmp_path / "small"
    if not mounted(small, "600k"):
        pytest.skip("mounting is not allowed here")
    try:
        shutil.copytree(project.root, small / "project", ignore=shutil.ignore_patterns(".git"))
        full = project.beside(small / "project")
        full.write(f"{PACKAGE}/mine.md", "mine")
        full.write("surgery/sizes.py", "WIDTH = 5\n")
        (small / "filler").write_bytes(b"\0" * (os.statvfs(small).f_bavail * os.statvfs(small).f_bsize))
        said = full.archit("generate", ok=False)
        assert "No space left on device" in said and "no package was left half-written" in said
        assert_whole(full, 4)
        (small / "filler").unlink()
        full.archit("generate")
        assert_whole(full, 5)
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        assert "fresh" in full.archit("check") and "nothing is stale" in full.archit("generate")
        said = full.archit("generate", "--force", ok=None)
        assert_whole(full, 5)
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_killed_at_every_system_call_that_writes(project: Repository, tmp_path: Path) -> None:
    """By the kernel's own count, in case Python does more than the functions that the injected faults know."""
    script = tmp_path / "write.py"
    imports = "import sys\nfrom pathlib import Path\nfrom tests.faults.cases import CASES\n"
    script.write_text(f"{imports}CASES['again'][1](Path(sys.argv[1]))\n")
    calls = (
        "mkdir,mkdirat,write,pwrite64,fsync,link,linkat,rename,renameat,renameat2,unlink,unlinkat,rmdir,chmod,fchmod"
    )
    folder = tmp_path / "fire"
    killed = 0
    for call in calls.split(","):
        for at in range(1, 100):
            done = traced(project, folder, script, f"inject={call}:signal=KILL:when={at}")
            if done == 0:
                break
            killed += 1
    assert killed >= 30


def traced(project: Repository, folder: Path, script: Path, inject: str) -> int:
    prepare, _, states = CASES["again"]
    prepare(folder)
    environment = project.environment | {"PYTHONDONTWRITEBYTECODE": "1"}
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", inject, "python", str(script), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True)
    if b"ptrace" in done.stderr:
        pytest.skip("tracing is not allowed here")
    assert judge(folder, states, inject) == "" and judge_recovered(folder, states, "again") == ""
    return done.returncode
