"""Beside formatters and fixers, and with line ends that git translates: after one round nothing moves any more."""

import shutil
from pathlib import Path

import pytest

from tests.repository import SURGERY, Repository, state
from tests.scenarios.conftest import use

pytestmark = pytest.mark.slow
PACKAGE = "src models/stack"


def local(name: str, entry: str) -> str:
    kind = "types: [python]" if name in ("black", "isort", "ruff") else "types: [text]"
    return f"      - {{id: {name}, name: {name}, entry: {entry}, language: unsupported, {kind}}}\n"


BLACK = local("black", "black -q")
ISORT = local("isort", "isort -q")
ISORT_BLACK = local("isort", "isort -q --profile black")
RUFF = local("ruff", "ruff check --no-cache --fix -q --select E4,E7,E9,F,I")
SPACE = [
    local("trailing", "trailing-whitespace-fixer"),
    local("end", "end-of-file-fixer"),
    local("ends", "mixed-line-ending"),
]
TEAMS = {
    "black": [BLACK],
    "isort": [ISORT],
    "black, isort, ruff, whitespace": [RUFF, ISORT_BLACK, BLACK, *SPACE],
    "whitespace": SPACE,
}
BROAD = """\
import torch
import math, os
from torch import nn

from surgery.sizes import WIDTH
LONG = {"first argument": 1.0, "second argument": 2.0, "third argument": 3.0, "fourth argument": 4.0, "fifth": 5.0}

class Scaled(nn.Module):
    def __init__(self, size, first=1.0, second=2.0, third=3.0, fourth=4.0, fifth=5.0, sixth_argument=6.0):
        super().__init__()
        self.size, self.first, self.second, self.third = size, first, second, third
        self.fourth, self.fifth, self.sixth_argument = fourth, fifth, sixth_argument
    def forward(self, x):
        return torch.tanh(x) * math.sqrt(self.size) * (self.first + self.second + self.third) * LONG["first argument"]
"""


@pytest.mark.parametrize("order", ["archit last", "archit first"])
@pytest.mark.parametrize("team", TEAMS)
def test_a_fixed_point_after_one_round(project: Repository, team: str, order: str) -> None:
    """Once the formatters have had their way with surgery and package, neither they nor archit change a byte."""
    surgery = SURGERY.replace("from torch import nn\n\nfrom surgery.sizes import WIDTH\n", BROAD)
    project.write("surgery/stack.py", surgery.replace("stack.second = nn.Linear(WIDTH, 8)", "stack.third = Scaled(8)"))
    project.git("add", ".")
    project.git("commit", "-qm", "broad")
    hooks = [*TEAMS[team], "archit-generate"]
    write_config(project, hooks if order == "archit last" else hooks[::-1])
    project.git("add", ".")
    project.run("pre-commit", "run", "--all-files", ok=None)
    project.git("add", ".")
    # The formatters' round on what archit wrote; what was stale is generated from formatted text.
    project.run("pre-commit", "run", "--all-files", ok=None)
    project.git("add", ".")
    before = state(project)
    said = project.run("pre-commit", "run", "--all-files")
    assert "Failed" not in said and state(project) == before
    assert "fresh" in project.archit("check", "--tracked")
    assert "class Scaled" in project.read(f"{PACKAGE}/modules_stack.py")


def write_config(project: Repository, hooks: list[str]) -> None:
    """Hooks in this very order: archit's entry stands among the local ones."""
    entry = "      - {id: archit, name: archit, entry: archit generate --tracked, language: unsupported, "
    entry += "always_run: true, pass_filenames: false}\n"
    project.hooks(*(entry if hook == "archit-generate" else hook for hook in hooks), install=False)


def test_what_a_formatter_did_is_kept(project: Repository) -> None:
    use(project, "archit-generate")
    model = f"{PACKAGE}/modeling_stack.py"
    formatted = project.read(model).replace('__all__ = [\n    "StackWide",\n]', "__all__ = ['StackWide']")
    assert formatted != project.read(model)
    project.write(model, formatted)
    project.git("add", ".")
    project.commit()
    project.archit("generate", "--force")
    assert project.read(model) == formatted


@pytest.mark.parametrize("how", ["autocrlf", "eol=crlf"])
def test_line_ends(project: Repository, tmp_path: Path, how: str) -> None:
    if how == "eol=crlf":
        project.write(".gitattributes", "* text=auto eol=crlf\n")
        project.git("add", ".")
        project.git("commit", "-qm", "line ends")
    options = ["-c", "core.autocrlf=true"] if how == "autocrlf" else []
    other = project.beside(tmp_path / "other")
    project.run("git", "clone", "-q", *options, str(project.root), str(other.root))
    assert "\r\n" in other.read(f"{PACKAGE}/modeling_stack.py") and "\r\n" in other.read(f"{PACKAGE}/archit.lock")
    assert "fresh" in other.archit("check", "--tracked")
    for hook in ("archit-check", "archit-generate"):
        use(other, hook)
        other.write("README.md", f"{hook}\r\n")
        other.commit("-a")
    assert "torch" not in "".join(other.log())
    other.write("surgery/sizes.py", "WIDTH = 5\r\n")
    other.git("add", ".")
    other.commit(ok=False)
    other.git("add", ".")
    other.commit()
    assert other.git("status", "--short") == ""
    assert "\r" not in other.git("show", f"HEAD:{PACKAGE}/modeling_stack.py")
    shutil.rmtree(other.root / PACKAGE)
    other.git("checkout", "--", ".")
    assert "fresh" in other.archit("check", "--tracked")
