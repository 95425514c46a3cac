"""What is staged, what is not, and in which ways a commit can be made."""

from pathlib import Path

import pytest

from tests.repository import SIZES, SURGERY, Repository, state
from tests.scenarios.conftest import use

pytestmark = pytest.mark.slow
PACKAGE = "src models/stack"
MODEL = f"{PACKAGE}/modeling_stack.py"
WIDER = "WIDTH = 5\n"


def test_regenerated_and_not_staged(project: Repository) -> None:
    use(project, "archit-generate")
    project.write("surgery/sizes.py", WIDER)
    project.archit("generate")
    project.git("add", "surgery")
    before = state(project)
    said = project.commit(ok=False)
    assert "git add -- 'src models/stack'" in said
    assert state(project) == before  # what was generated before the commit is there still
    project.git("add", ".")
    project.commit()
    assert project.git("status", "--short") == ""


@pytest.mark.parametrize("change", ["edited", "deleted", "renamed"])
def test_an_imported_helper(hooked: Repository, change: str) -> None:
    if change == "edited":
        hooked.write("surgery/sizes.py", WIDER)
    else:
        hooked.git("mv", "surgery/sizes.py", "surgery/widths.py")
        if change == "deleted":
            hooked.git("rm", "-qf", "surgery/widths.py")
            hooked.write("surgery/stack.py", SURGERY.replace("from surgery.sizes import WIDTH", "WIDTH = 4"))
        else:
            hooked.write("surgery/stack.py", SURGERY.replace("surgery.sizes", "surgery.widths"))
    hooked.git("add", "-A")
    said = hooked.commit(ok=False)
    assert ("surgery/sizes.py is gone" in said) or change == "edited" or "generate" in "".join(hooked.log())
    hooked.archit("generate")
    hooked.git("add", "-A")
    hooked.commit()
    assert ("nn.Linear(width, 5)" in hooked.read(MODEL)) is (change == "edited")


def test_a_helper_that_is_gone_while_it_is_needed(hooked: Repository) -> None:
    hooked.git("rm", "-q", "surgery/sizes.py")
    before = state(hooked)
    said = hooked.commit(ok=False)
    assert "surgery/sizes.py is gone" in said or "No module named 'surgery.sizes'" in said
    assert state(hooked) == before


def test_a_staged_hand_edit(hooked: Repository) -> None:
    hooked.write(MODEL, hooked.read(MODEL).replace("self.third(", "2 * self.third("))
    hooked.git("add", ".")
    before = state(hooked)
    said = hooked.commit(ok=False)
    assert "modeling_stack.py was edited by hand" in said or "modeling_stack.py (edited by hand)" in said
    assert "archit generate --overwrite stack   or: archit adopt stack modeling_stack.py" in said
    assert state(hooked) == before
    hooked.archit("adopt", "stack", "modeling_stack.py")
    hooked.git("add", ".")
    hooked.commit()
    assert "2 * self.third(" in hooked.read(MODEL)


def test_two_edits_of_one_size_within_one_second(hooked: Repository) -> None:
    for width in ("5", "6"):
        hooked.write("surgery/sizes.py", SIZES.replace("4", width))
        hooked.archit("generate")
        assert f"nn.Linear(width, {width})" in hooked.read(MODEL)
    hooked.git("add", ".")
    hooked.commit()


@pytest.mark.parametrize("arguments", [["-a"], ["--only", "surgery/sizes.py"], ["surgery/sizes.py"]])
def test_ways_to_commit(hooked: Repository, arguments: list[str]) -> None:
    hooked.write("surgery/sizes.py", WIDER)
    hooked.commit(*arguments, ok=False)
    hooked.archit("generate")
    hooked.write("README.md", "Unfinished.\n")
    paths = ["-a"] if arguments == ["-a"] else [*arguments, PACKAGE]
    hooked.commit(*paths)
    assert hooked.git("status", "--short") == ("" if arguments == ["-a"] else " M README.md\n")
    assert "torch" not in hooked.log()[-1]


def test_only_the_package_is_left_out(hooked: Repository) -> None:
    """`git commit --only` of the surgery: the commit is judged by its own index."""
    hooked.write("surgery/sizes.py", WIDER)
    hooked.archit("generate")
    hooked.git("add", ".")
    said = hooked.commit("--only", "surgery/sizes.py", ok=False)
    assert "stack" in said


def test_from_a_folder_below(hooked: Repository) -> None:
    hooked.write("surgery/sizes.py", WIDER)
    below = hooked.beside(hooked.root / "surgery")
    below.git("add", ".")
    below.commit(ok=False)
    said = below.archit("check", ok=None)
    assert "archit generate stack" in said or "fresh" in said
    below.archit("generate")
    below.git("add", "-A", "..")
    below.commit()


def test_a_spec_in_a_folder_with_a_blank(project: Repository, tmp_path: Path) -> None:
    folder = project.root / "sub folder"
    folder.mkdir()
    for name in ("archit.toml", "surgery", "src models"):
        project.git("mv", name, f"sub folder/{name}")
    project.write("sub folder/surgery/sizes.py", WIDER)
    said = project.archit("check", "--spec", "sub folder/archit.toml", ok=False)
    assert "archit generate --spec 'sub folder/archit.toml' stack" in said
    said = project.archit("generate", "--spec", "sub folder/archit.toml", "--tracked", ok=False)
    assert "git add -- 'sub folder/src models/stack'" in said
    project.git("add", ".")
    assert "nothing is stale" in project.archit("generate", "--spec", "sub folder/archit.toml", "--tracked")
    assert "nothing is stale" in project.beside(folder / "surgery").archit("generate", "--tracked")
