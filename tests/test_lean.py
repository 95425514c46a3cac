"""How little is imported and read to see that nothing has to be done."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from archit_codegen.disk.lock import LOCK_NAME
from archit_codegen.templating import template_directory
from tests.prepared import emitted, project

HEAVY = {"torch", "transformers", "libcst", "black", "jinja2", "rich", "numpy"}
PROBE = """
import json, sys
opened = set()
sys.addaudithook(lambda event, args: opened.add(args[0]) if event == "open" and isinstance(args[0], str) else None)
from archit_codegen.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    print(json.dumps({"code": end.code or 0, "modules": sorted(sys.modules), "opened": sorted(opened)}))
"""
COUNT = 50


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many models, all fresh."""
    folder = tmp_path_factory.mktemp("lean") / "project"
    project(folder, COUNT, 'required-version = ">=0"')
    return folder


def probed(root: Path, *arguments: str) -> tuple[int, set[str], set[str]]:
    """The exit code, the modules that were imported, and the files of the project that were opened."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], cwd=root, env=environment, capture_output=True, text=True
    )
    told = json.loads(done.stdout.splitlines()[-1])
    inside = {str(Path(file).relative_to(root)) for file in told["opened"] if file.startswith(f"{root}/")}
    return told["code"], set(told["modules"]), inside


@pytest.mark.parametrize(
    "arguments",
    [["check"], ["check", "--format", "json"], ["generate"], ["generate", "--dry-run", "--force"], ["--help"],
     ["--version"], ["schema"], ["completion", "bash"], ["check", "--spec", "nowhere.toml"]],
    ids=" ".join,
)  # fmt: skip
def test_nothing_heavy_is_imported(root: Path, arguments: list[str]) -> None:
    code, modules, _ = probed(root, *arguments)
    assert code == (2 if "nowhere.toml" in arguments else 0)
    assert HEAVY.isdisjoint(modules)


@pytest.mark.parametrize("command", ["check", "generate"])
def test_no_file_is_read_that_need_not_be(root: Path, command: str) -> None:
    _, _, opened = probed(root, command)
    names = [f"m{number}" for number in range(COUNT)]
    packages = {f"models/{path}" for name in names for path in (*emitted(name), f"{name}/{LOCK_NAME}")}
    surgeries = {f"surgery/{name}.py" for name in names}
    assert opened - {"archit.toml", "surgery/helper.py"} == packages | surgeries
    assert template_directory().name == "templates"


def test_one_model_is_looked_at_alone(root: Path) -> None:
    _, _, opened = probed(root, "check", "m7")
    assert opened == {"archit.toml", "surgery/helper.py", "surgery/m7.py", f"models/m7/{LOCK_NAME}", *(
        f"models/{path}" for path in emitted("m7")
    )}  # fmt: skip


def test_check_runs_nothing(root: Path, tmp_path: Path) -> None:
    """Neither the surgery nor anything beside the spec, though the spec is wrong about all of it."""
    trap = f"open({str(tmp_path / 'sprung')!r}, 'w')\n"
    for name in (
        "sitecustomize.py",
        "torch.py",
        "click.py",
        "surgery/m0.py",
        "surgery/__init__.py",
        "models/__init__.py",
    ):
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_text(trap)
    (tmp_path / "project" / "archit.toml").write_text((root / "archit.toml").read_text())
    script = tmp_path / "archit.py"
    script.write_text("from archit_codegen.cli import main\nmain()\n")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, str(script), "check"],
        cwd=tmp_path / "project",
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "m0: missing: the package is missing" in done.stdout
    assert not (tmp_path / "sprung").exists()
