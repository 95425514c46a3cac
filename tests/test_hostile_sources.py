"""Hostile text in the files of the user: copied so that it means itself, or refused."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from transformers.dynamic_module_utils import get_relative_imports

import archit_codegen as archit
from tests.hostile.canary import SUNG
from tests.hostile.files import COMMENTS, QUOTED, imported, source
from tests.hostile.host import Host, compiled, rebuilt
from tests.hostile.sources import DANGEROUS_SOURCE, DOCUMENTS
from tests.hostile.texts import AWKWARD, INJECTIONS

LINES = [text for text in (*AWKWARD, *INJECTIONS) if not re.search("[\n\r\0\ud800-\udfff]", text)]
HEADS = (
    *(f"# Copyright somebody, license {text}" for text in LINES),
    "# -*- coding: utf-8 -*-\n# Licensed to all",
    "#!/bin/sh\n# a license",
    "# vim: set fileencoding=utf-8 :\n# Copyright",
)
DANGEROUS = re.compile("[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(autouse=True)
def nothing_sings() -> Any:
    SUNG.clear()
    yield
    assert SUNG == []


def cleaned(text: str | None) -> str:
    return "\n".join(line.rstrip() for line in inspect.cleandoc(text or "").split("\n")).strip()


def check(folder: Path, text: str) -> bool:
    """Whether a layer of a user's file is emitted; then it says what it said."""
    folder.mkdir()
    with imported(folder, text) as module:
        package = compiled(lambda live: setattr(live, "inner", module.Layer()))
        if isinstance(package, archit.ArchitError):
            return False
        live, built = module.Layer(), rebuilt(package).inner
        assert cleaned(type(built).__doc__) == cleaned(type(live).__doc__)
        assert cleaned(type(built).forward.__doc__) == cleaned(type(live).forward.__doc__)
        assert inspect.signature(type(built).forward) == inspect.signature(type(live).forward)
        assert built.tell() == live.tell()
        check_files(folder, package.files)
    return True


def check_files(folder: Path, files: dict[str, str]) -> None:
    """As transformers reads them from a folder, and Git, and a person."""
    for number, text in enumerate(files.values()):
        path = folder / f"read_{number}.py"
        path.write_bytes(text.encode())
        assert set(get_relative_imports(path)) <= {"modeling_hostile", "modules_hostile"}
        assert not DANGEROUS.search(text)
        compile(path.read_bytes(), path.name, "exec", dont_inherit=True)


@pytest.mark.parametrize("place", QUOTED)
def test_text_in_quotes_means_itself(place: str, tmp_path: Path) -> None:
    for number, text in enumerate(DOCUMENTS if place in ("document", "literal") else DOCUMENTS[::3]):
        multiline = "\n" in text and place not in ("document", "inner")
        surrogate = "\\ud800" in text and place in ("document", "inner")
        if not (multiline or surrogate):  # neither is Python
            assert check(tmp_path / str(number), source(**{place: text})), ascii(text)


@pytest.mark.parametrize("place", QUOTED)
def test_text_in_quotes_that_no_file_can_hold_is_refused(place: str, tmp_path: Path) -> None:
    for number, text in enumerate(DANGEROUS_SOURCE):
        if "\n" not in text or place in ("document", "inner"):
            emitted = check(tmp_path / str(number), source(**{place: text}))
            # The formatter strips what Python counts as a blank from the ends of a docstring.
            assert not emitted or (place in ("document", "inner") and not text.strip()), ascii(text)


@pytest.mark.parametrize("place", COMMENTS)
def test_comments_stay_comments(place: str, tmp_path: Path) -> None:
    """Many in one file where all are good, each of the others in a file of its own."""
    good = [text for text in LINES if not DANGEROUS.search(text)]
    together = "\n        # ".join(good) if place == "last" else "\n    # ".join(good)
    if place != "trailing":
        assert check(tmp_path / "good", source(**{place: together}))
    for number, text in enumerate(good[::3] if place == "trailing" else good[::12]):
        assert check(tmp_path / str(number), source(**{place: text})), ascii(text)
    for number, text in enumerate([text for text in LINES if DANGEROUS.search(text)][::2]):
        assert not check(tmp_path / f"bad{number}", source(**{place: text})) or not text.strip(), ascii(text)


def test_the_licence_of_a_file_stays_a_comment(tmp_path: Path) -> None:
    """The head of the file in which the root class stands is the head of the emitted file."""
    for number, head in enumerate((*HEADS[::3], *HEADS[-3:])):
        folder = tmp_path / str(number)
        folder.mkdir()
        text = source(head=head) + inspect.getsource(Host).replace("Any", "object")
        with imported(folder, text) as module:
            package = compiled(lambda live: setattr(live, "extra", 1), host=module.Host)
            if isinstance(package, archit.ArchitError):
                assert DANGEROUS.search(head), (head, package)
            else:
                assert rebuilt(package).extra == 1
                check_files(folder, package.files)
                assert not re.search(
                    r"^#.*coding[:=]", "\n".join(package.files["hostile/modeling_hostile.py"].split("\n")[:2])
                )
