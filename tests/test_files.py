"""A package is written as a whole, and nothing that archit does not own is ever lost."""

import json
import threading
from pathlib import Path

import pytest

from archit_codegen.disk import tree
from archit_codegen.disk.lock import LOCK_NAME, FileHash, Lock, Origin, read_lock
from archit_codegen.disk.writer import write_package
from archit_codegen.errors import InvalidName, WriteFailed, WriteRefused

FILES = {"lab/__init__.py": "from .modeling_lab import *\n", "lab/modeling_lab.py": 'x = "ä"\n'}
ORIGIN = Origin("transformers:RobertaModel", {"transformers": "5.23.0", "black": "26"})


def write(directory: Path, files: dict[str, str] = FILES, *, overwrite: bool = False) -> Path:
    return write_package(directory, "lab", files, ORIGIN, overwrite=overwrite).package


def snapshot(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything below: inode, time of change and content, so that an unnecessary write shows."""
    paths = [root, *sorted(root.rglob("*"))]
    return {str(p): (p.stat().st_ino, p.stat().st_mtime_ns, b"" if p.is_dir() else p.read_bytes()) for p in paths}


def contents(package: Path) -> dict[str, str]:
    found = [path for path in sorted(package.rglob("*")) if path.is_file() and path.name != LOCK_NAME]
    return {f"lab/{path.relative_to(package)}": path.read_text("utf-8") for path in found}


def assert_refused(tmp_path: Path, *named: str, files: dict[str, str] = FILES, overwrite: bool = False) -> None:
    before = snapshot(tmp_path)
    with pytest.raises(WriteRefused) as refusal:
        write(tmp_path, files, overwrite=overwrite)
    assert snapshot(tmp_path) == before
    assert sorted(refusal.value.files) == sorted(named)
    assert all(name in str(refusal.value) for name in named)


def test_a_package_and_its_lock(tmp_path: Path) -> None:
    package = write(tmp_path / "new" / "folder")
    assert package == tmp_path / "new" / "folder" / "lab"
    assert contents(package) == FILES
    assert (package / "modeling_lab.py").read_bytes() == 'x = "ä"\n'.encode()
    lock = json.loads((package / LOCK_NAME).read_text())
    assert lock["made_from"]["declared"] == "transformers:RobertaModel"
    assert list(lock["made_from"]["versions"]) == ["black", "transformers"]
    assert sorted(lock["files"]) == ["__init__.py", "modeling_lab.py"]
    assert str(tmp_path) not in (package / LOCK_NAME).read_text()
    assert [path.name for path in package.parent.iterdir()] == ["lab"]


def test_the_mode_is_that_of_any_new_folder(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    assert write(tmp_path).stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_the_same_package_does_not_touch_the_disk(tmp_path: Path) -> None:
    write(tmp_path)
    before = snapshot(tmp_path)
    write(tmp_path, dict(reversed(FILES.items())))
    assert snapshot(tmp_path) == before


def test_what_is_new_replaces_what_was_written(tmp_path: Path) -> None:
    write(tmp_path)
    changed = {"lab/__init__.py": "", "lab/sub/other.py": "y = 1\n"}
    assert contents(write(tmp_path, changed)) == changed
    assert read_lock(tmp_path / "lab") is not None
    assert contents(write(tmp_path, FILES)) == FILES


def test_files_of_the_user_are_carried_over(tmp_path: Path) -> None:
    package = write(tmp_path)
    (package / "notes").mkdir()
    (package / "notes" / "mine.md").write_text("mine")
    (package / "link").symlink_to("notes")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "modeling_lab.cpython-311.pyc").write_bytes(b"stale")
    inode = (package / "notes" / "mine.md").stat().st_ino
    write(tmp_path, {"lab/__init__.py": ""})
    assert (package / "notes" / "mine.md").read_text() == "mine"
    assert (package / "notes" / "mine.md").stat().st_ino == inode
    assert (package / "link").readlink() == Path("notes")
    assert not (package / "__pycache__").exists() and not (package / "modeling_lab.py").exists()


@pytest.mark.parametrize("text", ["edited", ""])
def test_a_hand_edit_is_refused(tmp_path: Path, text: str) -> None:
    (write(tmp_path) / "modeling_lab.py").write_text(text)
    assert_refused(tmp_path, "modeling_lab.py")
    assert_refused(tmp_path, "modeling_lab.py", files={**FILES, "lab/__init__.py": ""})
    assert contents(write(tmp_path, overwrite=True)) == {**FILES, "lab/modeling_lab.py.orig": text}
    (tmp_path / "lab" / "modeling_lab.py").write_text("again")
    kept = {"lab/modeling_lab.py.orig": text, "lab/modeling_lab.py.orig2": "again"}
    assert contents(write(tmp_path, overwrite=True)) == {**FILES, **kept}


def test_an_edited_file_that_is_no_longer_generated_is_kept(tmp_path: Path) -> None:
    (write(tmp_path) / "modeling_lab.py").write_text("edited")
    fewer = {"lab/__init__.py": ""}
    assert_refused(tmp_path, "modeling_lab.py", files=fewer)
    package = write(tmp_path, fewer, overwrite=True)
    assert (package / "modeling_lab.py").read_text() == "edited"
    lock = read_lock(package)
    assert lock is not None and "modeling_lab.py" not in lock.files


def test_a_hand_edit_that_is_the_new_text_is_none(tmp_path: Path) -> None:
    (write(tmp_path) / "modeling_lab.py").write_text("new\n")
    wanted = {**FILES, "lab/modeling_lab.py": "new\n"}
    assert contents(write(tmp_path, wanted)) == wanted


def test_a_file_that_was_deleted_comes_back(tmp_path: Path) -> None:
    (write(tmp_path) / "modeling_lab.py").unlink()
    assert contents(write(tmp_path)) == FILES


def test_a_file_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    package = write(tmp_path, {"lab/__init__.py": ""})
    (package / "modeling_lab.py").write_text("the user's")
    assert_refused(tmp_path, "modeling_lab.py")
    assert contents(write(tmp_path, overwrite=True)) == {**FILES, "lab/modeling_lab.py.orig": "the user's"}


def test_a_folder_without_lock(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "theirs.py").write_text("")
    (tmp_path / "lab" / "__init__.py").write_text("")
    assert_refused(tmp_path, "__init__.py")
    (tmp_path / "lab" / "__init__.py").unlink()
    assert sorted(contents(write(tmp_path))) == sorted([*FILES, "lab/theirs.py"])


GOOD = Lock(Origin(), {"x.py": FileHash("sha256:0")}, {}).dump().decode()
CONFLICT = f"<<<<<<< HEAD\n{GOOD}=======\n>>>>>>> theirs\n"
HOSTILE = [
    GOOD.replace("x.py", path)
    for path in ("../../x", "/x", "sub/../../x", "a\\\\..\\\\b", LOCK_NAME, "", "\\u001b[2J")
]
WRONG = [GOOD.replace('"format": 2', '"format": 99'), GOOD.replace('"sha256:0"', "3"), GOOD.replace('"text"', '"txt"')]


@pytest.mark.parametrize("text", [CONFLICT, "[]", "", '{"format": 2}', "[" * 100_000, *HOSTILE, *WRONG])
def test_a_lock_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (write(tmp_path) / LOCK_NAME).write_text(text)
    assert_refused(tmp_path, LOCK_NAME)
    assert contents(write(tmp_path, overwrite=True)) == FILES


@pytest.mark.parametrize(
    "path", ["lab/../x.py", "/lab/x.py", "lab//x.py", "lab/x\0.py", "lab", "other/x.py", "lab/./x"]
)
def test_a_path_that_leads_out_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidName):
        write(tmp_path, {path: ""})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["..", "", "a/b", "/x"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidName):
        write_package(tmp_path, name, {f"{name}/x.py": ""}, ORIGIN)


def test_links_are_not_followed(tmp_path: Path) -> None:
    output, elsewhere = tmp_path / "output", tmp_path / "elsewhere"
    output.mkdir()
    elsewhere.mkdir()
    (output / "lab").symlink_to(elsewhere)
    assert_refused(output, "lab", overwrite=True)
    (output / "lab").unlink()
    package = write(output, {"lab/__init__.py": ""})
    (package / "sub").symlink_to(elsewhere)
    assert_refused(output, "sub", files={"lab/sub/x.py": ""}, overwrite=True)
    (elsewhere / "x.py").write_text("theirs")
    (package / "modeling_lab.py").symlink_to(elsewhere / "x.py")
    assert_refused(output, "modeling_lab.py")
    write(output, overwrite=True)
    assert (elsewhere / "x.py").read_text() == "theirs" and not (package / "modeling_lab.py").is_symlink()


def test_a_folder_where_a_file_has_to_be(tmp_path: Path) -> None:
    (write(tmp_path, {"lab/__init__.py": ""}) / "modeling_lab.py").mkdir()
    assert_refused(tmp_path, "modeling_lab.py", overwrite=True)


NEW = [(step, True) for step in ("write_synced", "sync_tree")]
REPLACED = [(step, False) for step in ("write_synced", "sync_tree", "exchange", "link_or_copy")]


@pytest.mark.parametrize(("broken", "first"), [*NEW, *REPLACED])
def test_a_failure_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, first: bool
) -> None:
    if not first:
        (write(tmp_path, {"lab/__init__.py": "old"}) / "mine.md").write_text("mine")
    before = snapshot(tmp_path)
    real, calls = getattr(tree, broken), []

    def fails(*args: object) -> object:
        calls.append(args)
        if broken != "write_synced" or len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(*args)

    monkeypatch.setattr(tree, broken, fails)
    with pytest.raises(WriteFailed, match="No space left"):
        write(tmp_path)
    assert {path: entry[2] for path, entry in snapshot(tmp_path).items()} == {p: e[2] for p, e in before.items()}


def test_without_exchange_two_renames_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "exchange", lambda first, second: False)
    write(tmp_path, {"lab/__init__.py": "old"})
    assert contents(write(tmp_path)) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["lab"]


def test_what_a_killed_writer_left_is_cleared(tmp_path: Path) -> None:
    write(tmp_path, {"lab/__init__.py": "old"}).rename(tmp_path / ".lab.archit-old")
    (tmp_path / ".lab.archit-new").mkdir()
    (tmp_path / ".lab.archit-new" / "half").write_text("")
    (tmp_path / ".lab.archit-old" / "mine.py").write_text("mine")
    assert contents(write(tmp_path)) == {**FILES, "lab/mine.py": "mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["lab"]


def test_writers_take_turns_and_readers_never_miss_the_package(tmp_path: Path) -> None:
    write(tmp_path)
    variants = [{**FILES, "lab/modeling_lab.py": f"x = {number}\n"} for number in range(8)]
    threads = [threading.Thread(target=write, args=(tmp_path, variant)) for variant in variants]
    for thread in threads:
        thread.start()
    seen = [(tmp_path / "lab").is_dir() for thread in threads for _ in range(200)]
    for thread in threads:
        thread.join()
    assert all(seen)
    assert contents(tmp_path / "lab") in variants and contents(write(tmp_path)) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["lab"]
