"""Wheel, sdist and editable install run from another folder, in environments that know nothing of this one's copy.

The dependencies are seen through a path file rather than installed three times over (torch alone is a gigabyte).
A path file adds a folder but does not read the path files in it, so the development install stays invisible.
"""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SPEC = """
output = "models"
[[model]]
name = "roberta_small"
surgery = "surgery.py:build"
suffix = "WithIdentity"
"""
SURGERY = """
from torch import nn
from transformers import RobertaConfig, RobertaForMaskedLM


def build():
    config = RobertaConfig(
        vocab_size=99, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16
    )
    model = RobertaForMaskedLM(config)
    model.roberta.encoder.layer[1].attention.output.dropout = nn.Identity()
    return model
"""
ARRIVED = (
    "import archit_codegen, pathlib; here = pathlib.Path(archit_codegen.__file__).parent; "
    "assert any((place / 'templates').is_dir() for place in (here, here.parent)); print(here)"
)


def run(*command: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sdist, and the wheel that is built from it."""
    target = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", target, ROOT, cwd=target)
    (sdist,), (wheel,) = target.glob("*.tar.gz"), target.glob("*.whl")
    return {"sdist": sdist, "wheel": wheel}


def test_the_wheel_holds_what_it_needs(built: dict[str, Path]) -> None:
    names = zipfile.ZipFile(built["wheel"]).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"archit_codegen"}
    assert "archit_codegen/archit.schema.json" in names
    assert "archit_codegen/py.typed" in names and "archit_codegen/__init__.pyi" in names
    templates = [path.relative_to(ROOT) for path in (ROOT / "templates").rglob("*.jinja")]
    assert templates and {f"archit_codegen/{path.as_posix()}" for path in templates} <= set(names)


@pytest.mark.parametrize("kind", ["wheel", "sdist", "editable"])
def test_it_generates_from_another_folder(kind: str, built: dict[str, Path], tmp_path: Path) -> None:
    python = clean_environment(tmp_path / "environment")
    what = ["--editable", ROOT] if kind == "editable" else [built[kind]]
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    run(sys.executable, "-m", "pip", "--python", python, "install", *options, *what, cwd=tmp_path)

    place = Path(run(python, "-c", ARRIVED, cwd=tmp_path).strip())
    assert place.is_relative_to(ROOT if kind == "editable" else tmp_path)

    project = tmp_path / "project"
    project.mkdir()
    (project / "archit.toml").write_text(SPEC)
    (project / "surgery.py").write_text(SURGERY)
    said = run(python.parent / "archit", "generate", "--spec", project / "archit.toml", cwd=tmp_path)
    assert said.startswith("roberta_small: RobertaForMaskedLMWithIdentity")
    assert run(python.parent / "archit", "check", cwd=project) == "1 package is fresh\n"
    asking = [python, "-m", "pytest", "-p", "no:xdist", "--archit", "-k", "fresh"]  # the plugin's entry point
    assert "1 passed, 2 deselected" in run(*asking, cwd=project)
    importing = "from roberta_small import RobertaForMaskedLMWithIdentity as found; print(found.__name__)"
    # Not the whole output: in a folder named "models", transformers' auto_docstring prints what it misses.
    printed = run(python, "-c", importing, cwd=project / "models")
    assert printed.splitlines()[-1] == "RobertaForMaskedLMWithIdentity"


def clean_environment(folder: Path) -> Path:
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    (Path(site) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python
