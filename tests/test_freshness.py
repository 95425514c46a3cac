"""What makes a package stale, and what does not; from hashes alone."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from archit_codegen import installed
from archit_codegen.disk.lock import LOCK_NAME, read_lock
from archit_codegen.errors import SpecError
from archit_codegen.regeneration import freshness
from archit_codegen.regeneration.freshness import Examiner, Kind, Status
from archit_codegen.regeneration.spec import read_spec
from tests.prepared import emitted, generated, project

NO_LOCK = "unreadable: archit.lock: it is no lock of this version of archit"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two models, both fresh."""
    project(tmp_path / "project", 2)
    return tmp_path / "project"


def judged(root: Path, *names: str) -> dict[str, Status]:
    return {status.name: status for status in Examiner(read_spec(root / "archit.toml")).models(names)}


def reasons(root: Path) -> dict[str, list[str]]:
    found = judged(root).values()
    return {s.name: [f"{problem.kind}: {problem.text}" for problem in s.problems] for s in found if not s.fresh}


def edit(root: Path, path: str, change: Callable[[str], str]) -> None:
    (root / path).write_text(change((root / path).read_text()))


def test_nothing_is_the_matter(root: Path) -> None:
    assert reasons(root) == {} and list(judged(root)) == ["m0", "m1"]
    assert judged(root)["m0"].sources == ("surgery/helper.py", "surgery/m0.py")


def test_a_surgery_changed(root: Path) -> None:
    edit(root, "surgery/m0.py", lambda text: text + "# another word\n")
    assert reasons(root) == {"m0": ["stale: surgery/m0.py changed"]}


def test_an_edit_of_one_size_within_one_second(root: Path) -> None:
    before = (root / "surgery/helper.py").stat()
    edit(root, "surgery/helper.py", lambda text: text.replace("2", "3"))
    os.utime(root / "surgery/helper.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert reasons(root) == {name: ["stale: surgery/helper.py changed"] for name in ("m0", "m1")}


def test_a_helper_is_gone(root: Path) -> None:
    (root / "surgery/helper.py").rename(root / "surgery/helpers.py")
    assert reasons(root)["m1"] == ["stale: surgery/helper.py is gone"]
    (root / "surgery/helper.py").mkdir()
    assert reasons(root)["m1"] == ["stale: surgery/helper.py is gone"]


@pytest.mark.parametrize(
    ("said", "stale"),
    [
        ('suffix = "Y"', True),
        ('suffix = "X"\nweights = true', True),
        ('suffix = "X"\nweights = false', False),
        ('suffix = "X"\nvendor = "modular"', True),
        ('suffix = "X"\nvendor = "changed"', False),
        ('suffix = "X"\nuser_code = "copy"\ninputs = []', False),
        ('suffix = "X" # what classes end with', False),
    ],
)
def test_the_spec_changed(root: Path, said: str, stale: bool) -> None:
    edit(root, "archit.toml", lambda text: text.replace('suffix = "X"', said, 1))
    assert reasons(root) == ({"m0": ["stale: the spec of m0 changed"]} if stale else {})


def test_inputs(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "data" / "deep").mkdir(parents=True)
    (root / "data" / "a.json").write_text("1")
    spec = project(root, 1)
    edit(root, "archit.toml", lambda text: text + 'inputs = ["data/*.json", "data/deep", "table.csv"]\n')
    assert (
        "stale: data/a.json is new" in reasons(root)["m0"] and "stale: table.csv is not there" in reasons(root)["m0"]
    )
    (root / "table.csv").write_text("1")
    spec = read_spec(root / "archit.toml")
    generated(spec, spec.models[0], emitted("m0"))
    assert reasons(root) == {}
    (root / "data" / "a.json").write_text("2")
    (root / "data" / "deep" / "b.bin").write_bytes(b"\0")
    (root / "table.csv").unlink()
    assert sorted(reasons(root)["m0"]) == [
        "stale: data/a.json changed", "stale: data/deep/b.bin is new", "stale: table.csv is gone",
    ]  # fmt: skip


def test_emitted_files(root: Path) -> None:
    package = root / "models" / "m0"
    (package / "__init__.py").unlink()
    edit(root, "models/m0/modeling_m0.py", lambda text: text + "x = 1\n")
    (package / "mine.md").write_text("")
    assert reasons(root) == {"m0": ["missing: __init__.py is missing", "edited: modeling_m0.py was edited by hand"]}
    edit(root, "models/m0/modeling_m0.py", lambda text: f"<<<<<<< HEAD\n{text}>>>>>>> theirs\n")
    assert "edited: modeling_m0.py has conflict marks" in reasons(root)["m0"]


def test_a_comment_is_an_edit_and_what_a_formatter_does_is_none(root: Path) -> None:
    model = "models/m0/modeling_m0.py"
    edit(root, model, lambda text: text.replace("\n\n\n", "\n\n").replace("\n", "\r\n"))
    edit(root, "models/m0/__init__.py", lambda text: text.replace("import (", "import \\\n("))
    assert reasons(root) == {}
    edit(root, model, lambda text: text + "# not by a formatter\n")
    assert reasons(root) == {"m0": ["edited: modeling_m0.py was edited by hand"]}


def test_the_lock(root: Path) -> None:
    lock = root / "models" / "m0" / LOCK_NAME
    text = lock.read_text()
    for wrong, said in (
        ("<<<<<<< HEAD\n>>>>>>> theirs\n", "unreadable: archit.lock: it has conflict marks"),
        ("{}", NO_LOCK),
        (text.replace("surgery/m0.py", "../../secret"), NO_LOCK),
        (text.replace('"__init__.py"', '"/etc/passwd"'), NO_LOCK),
        (text.replace("../../archit.toml", "../../../other.toml"), "stale: it was not made from archit.toml"),
    ):  # fmt: skip
        lock.write_text(wrong)
        assert reasons(root) == {"m0": [said]}
    lock.unlink()
    assert reasons(root) == {"m0": ["missing: archit.lock is missing"]}
    lock.symlink_to(root / "models" / "m1" / LOCK_NAME)
    assert reasons(root) == {"m0": ["unreadable: archit.lock: it is a link, or no file"]}


def test_no_package(root: Path) -> None:
    (root / "models" / "m0").rename(root / "elsewhere")
    assert reasons(root) == {"m0": ["missing: the package is missing"]}


def test_a_model_is_gone_from_the_spec(root: Path) -> None:
    edit(root, "archit.toml", lambda text: text[: text.rindex("[[model]]")])
    assert reasons(root) == {"m1": ["extra: no model of the spec makes it"]}
    assert list(judged(root, "m0")) == ["m0"]
    lock = root / "models" / "m1" / LOCK_NAME
    lock.write_text(lock.read_text().replace("../../archit.toml", "../../../other.toml"))
    assert reasons(root) == {}  # another spec's


def test_versions_alone_make_nothing_stale(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = {**installed.versions(), "transformers": "5.99.0", "torch": ""}
    monkeypatch.setattr(freshness, "versions", lambda: others)
    monkeypatch.setattr(freshness, "templates_digest", lambda: "sha256:those of another version")
    status = judged(root)["m0"]
    assert status.fresh and "transformers 5.99.0 (made with " in status.unverified[1]
    assert status.unverified[0].startswith("torch missing (made with ")


def test_templates_of_one_version_changed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "templates_digest", lambda: "sha256:others")
    assert reasons(root)["m0"] == ["stale: the templates changed"]


def test_the_lock_follows_templates_that_emit_the_same(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "templates_digest", lambda: "sha256:others")
    spec = read_spec(root / "archit.toml")
    generated(spec, spec.models[0], emitted("m0"))
    assert list(reasons(root)) == ["m1"]


def test_the_lock_stays_where_versions_alone_differ(root: Path) -> None:
    spec = read_spec(root / "archit.toml")
    lock = root / "models" / "m0" / LOCK_NAME
    text = json.loads(lock.read_text())
    text["made_from"]["versions"]["torch"] = "1.0"
    lock.write_text(json.dumps(text))
    before = lock.read_bytes()
    generated(spec, spec.models[0], emitted("m0"))
    assert lock.read_bytes() == before
    generated(spec, replace(spec.models[0], weights=True), emitted("m0"))
    found = read_lock(lock.parent)
    assert found is not None and found.origin.versions["torch"] != "1.0"


@pytest.mark.parametrize("what", ["output", "package"])
def test_links_that_lead_out_are_refused(root: Path, what: str) -> None:
    place = root / "models" if what == "output" else root / "models" / "m0"
    place.rename(root.parent / "elsewhere")
    place.symlink_to(root.parent / "elsewhere")
    with pytest.raises(SpecError, match=r"leads to .*elsewhere.* by a link"):
        judged(root)


def test_a_link_in_a_package_is_no_file_of_ours(root: Path) -> None:
    file = root / "models" / "m0" / "__init__.py"
    file.rename(root / "elsewhere.py")
    file.symlink_to(root / "elsewhere.py")
    assert reasons(root) == {"m0": ["edited: __init__.py was edited by hand"]}
    assert judged(root)["m0"].has(Kind.EDITED)
