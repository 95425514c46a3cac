"""What counts as an edit of an emitted file, and what is a formatter's doing."""

import re
from pathlib import Path

import black
import isort
import pytest

from archit_codegen.disk.lock import digest, file_hash
from archit_codegen.disk.meaning import meaning

GOLDEN = sorted((Path(__file__).parent.parent / "golden").glob("*/expected/*/*.py"))


@pytest.mark.parametrize(("old", "new"), [
    ("x = f(1, 2)", "x = f(\n    1,\n    2,\n)\n"),
    ("x = 'a'", 'x = ("a")'),
    ("import a\nimport b, c\n\nx = 1", "import c\nimport b\nimport a\nx = 1"),
    ("from a import c, b", "from a import (\n    b,\n    c,\n)"),
    ("from a import b\nfrom a import c", "from a import b, c"),
    ("x = 1  # said", "# said\nx = 1"),
    ("x = 1  #said", "x = 1  # said"),
    ("x = 1\r\n", "x = 1\n"),
    ('x = "\\d"', "x = '\\d'"),
])  # fmt: skip
def test_the_same(old: str, new: str) -> None:
    assert meaning(old.encode()) == meaning(new.encode()) is not None
    assert file_hash("x.py", old.encode()).is_of(new.encode())


@pytest.mark.parametrize(("old", "new"), [
    ("x = 1", "x = 2"),
    ("x = 1", "x = 1.0"),
    ("x = 1", "x = True"),
    ("x = 'a'", "x = b'a'"),
    ("x = None", "x = ''"),
    ("x = 1", "x = 1  # said"),
    ("# said\nx = 1", "# not said\nx = 1"),
    ("x = 1\ny = 2", "y = 2\nx = 1"),
    ("import a", "import a as b"),
    ("import a\nx = 1\nimport b", "import a\nimport b\nx = 1"),
    ("from a import b", "from .a import b"),
    ("from a import b", "import a.b"),
    ("f(a, b)", "f(b, a)"),
    ("f(a=1)", "f(**{'a': 1})"),
    ("def f(a, b=1): pass", "def f(a, *, b=1): pass"),
    ("def f(a): pass", "def f(a: int): pass"),
    ("x = [1, 2]", "x = (1, 2)"),
    ("a < b", "b > a"),
    ("'''one'''", "'''one '''"),
    ("for x in y: pass", "async def f():\n    async for x in y: pass"),
    ("x = ['', 'a']", "x = ['a', '']"),
    ("del a, b", "del a\ndel b"),
    ("x = 1", ""),
])  # fmt: skip
def test_not_the_same(old: str, new: str) -> None:
    assert None is not meaning(old.encode()) != meaning(new.encode()) is not None
    assert not file_hash("x.py", old.encode()).is_of(new.encode())


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\n", "x = (", "\0", "x = '\\ud800'", "(" * 10_000])
def test_what_is_no_python_is_known_by_its_bytes(text: str) -> None:
    known = file_hash("x.py", text.encode())
    assert known.is_of(text.encode()) and not known.is_of(text.encode() + b"\n# more")


def test_line_ends_of_texts_do_not_count_and_those_of_other_files_do() -> None:
    assert digest(b"a\r\nb\n") == digest(b"a\nb\r\n") != digest(b"a\nb")
    assert digest(b"\0\r\n") != digest(b"\0\n")


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.name)
def test_formatters_leave_what_is_emitted_its_meaning(file: Path) -> None:
    data = file.read_bytes()
    known = file_hash(file.name, data)
    for text in (
        black.format_str(data.decode(), mode=black.Mode(line_length=79)),
        isort.code(data.decode()),
        isort.code(data.decode(), profile="black", force_single_line=True),
    ):
        assert known.is_of(text.encode())
    other = re.sub(rb"super\(\)\.(\w+)\(", rb"super().\1(1, ", data, count=1)
    assert not known.is_of(other) or b"super()" not in data
