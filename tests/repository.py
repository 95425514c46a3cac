"""A real git repository with the real pre-commit, whose hooks find archit on the path."""

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
SPEC = """\
output = "src models"

[[model]]
name = "stack"
surgery = "surgery/stack.py:build"
suffix = "Wide"
"""
SURGERY = """\
from torch import nn

from surgery.sizes import WIDTH


class Stack(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        self.third = nn.ReLU()

    def forward(self, x):
        return self.third(self.second(self.first(x)))


def build():
    stack = Stack(width=8)
    stack.first = nn.Linear(8, WIDTH)

    # what comes after



    stack.second = nn.Linear(WIDTH, 8)
    return stack
"""
SIZES = "WIDTH = 4\n"
SCRIPT = """\
#!{python}
import atexit, os, sys
from archit_codegen.cli import main

@atexit.register
def tell():
    if __name__ == "__main__":
        heavy = {{"torch", "libcst", "black", "jinja2"}} & sys.modules.keys()
        with open(os.environ["ARCHIT_TEST_LOG"], "a") as log:
            print(sys.argv[1], *sorted(heavy), file=log)

if __name__ == "__main__":
    main()
"""


@dataclass
class Repository:
    """``root`` is the work tree, which may be a sub-folder of what is cloned or linked elsewhere."""

    root: Path
    tools: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str, ok: bool | None = True, text: str | None = None, **more: str) -> str:
        """What a command says (both streams). ``ok`` is whether it has to succeed; ``None``: it may or not."""
        done = subprocess.run(
            command, cwd=self.root, env=self.environment | more, input=text, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert ok is None or (done.returncode == 0) is ok, f"{command}\n{done.stdout}"
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout

    def git(self, *arguments: str, ok: bool | None = True, text: str | None = None) -> str:
        return self.run("git", *arguments, ok=ok, text=text)

    def archit(self, *arguments: str, ok: bool | None = True) -> str:
        return self.run("archit", *arguments, ok=ok)

    def commit(self, *arguments: str, ok: bool | None = True) -> str:
        return self.git("commit", "-m", "change", *arguments, ok=ok)

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(text.encode())

    def read(self, path: str) -> str:
        return (self.root / path).read_bytes().decode()

    def hooks(self, *hooks: str, install: bool = True) -> None:
        """Have pre-commit run these of archit's hooks, or whole entries of a local repository."""
        ids = "".join(f"      - id: {hook}\n" for hook in hooks if hook.startswith("archit-"))
        own = "".join(hook for hook in hooks if not hook.startswith("archit-"))
        config = f"repos:\n  - repo: {self.tools / 'hooks'}\n    rev: v1.0.0\n    hooks:\n{ids}" if ids else "repos:\n"
        self.write(".pre-commit-config.yaml", config + (f"  - repo: local\n    hooks:\n{own}" if own else ""))
        if install:
            self.run("pre-commit", "install")

    def log(self) -> list[str]:
        """What each run of archit imported of the heavy libraries: ["check", "generate torch"]; and forgets it."""
        file = self.tools / "log"
        lines = file.read_text().splitlines() if file.exists() else []
        file.write_text("")
        return lines

    def beside(self, root: Path) -> "Repository":
        """Another work tree with the same tools."""
        return Repository(root, self.tools, self.environment)


def tools(folder: Path) -> Repository:
    """`archit` on the path, a repository that offers our hooks, and a git that does not know whose machine it is."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "archit").write_text(SCRIPT.format(python=sys.executable))
    (folder / "bin" / "archit").chmod(0o755)
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    environment = kept | {
        "PATH": os.pathsep.join([str(folder / "bin"), sysconfig.get_path("scripts"), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "PRE_COMMIT_HOME": str(folder / "pre-commit"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "protocol.file.allow",
        "GIT_CONFIG_VALUE_0": "always",
        "GIT_ALLOW_PROTOCOL": "file",
        **{f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        "ARCHIT_TEST_LOG": str(folder / "log"),
        "OMP_NUM_THREADS": "1",
    }
    offered = Repository(folder / "hooks", folder, environment)
    offered.write(".pre-commit-hooks.yaml", (ROOT / ".pre-commit-hooks.yaml").read_text())
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "hooks"], ["tag", "v1.0.0"]):
        offered.git(*command)
    return offered


def project(offered: Repository, root: Path) -> Repository:
    """A repository with one model, generated and committed; no hooks yet."""
    made = offered.beside(root)
    made.write("archit.toml", SPEC)
    made.write("surgery/stack.py", SURGERY)
    made.write("surgery/sizes.py", SIZES)
    made.write("README.md", "A project.\n")
    made.write(".gitignore", "__pycache__/\n")
    made.git("init", "-q", "-b", "main")
    made.archit("generate")
    made.git("add", ".")
    made.git("commit", "-qm", "all")
    made.log()
    return made


def copy(made: Repository, root: Path) -> Repository:
    """A project again, under another name."""
    shutil.copytree(made.root, root, symlinks=True)
    made.log()
    return made.beside(root)


def state(made: Repository) -> dict[str, bytes]:
    """The work tree and what the index holds of each file, byte for byte.

    Not the index's own bytes: the times of change in them follow what pre-commit and git do to the work tree.
    """
    files = [path for path in sorted(made.root.rglob("*")) if path.is_file() and ".git" not in path.parts]
    kept = {str(path): path.read_bytes() for path in files if "__pycache__" not in path.parts}
    return kept | {"index": made.git("ls-files", "--stage").encode()}
