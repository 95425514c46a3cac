"""Lines in errors, the JSON Schema, `required-version`, and the first spec that `archit init` writes."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from archit_codegen import __version__
from archit_codegen.errors import InvalidName, SpecError
from archit_codegen.regeneration.keys import leads_out
from archit_codegen.regeneration.required import allows, check_required_version
from archit_codegen.regeneration.scaffold import start
from archit_codegen.regeneration.schema import schema
from archit_codegen.regeneration.spec import MODEL_KEYS, SPEC_KEYS, read_spec
from archit_codegen.regeneration.toml import line_of

SCHEMA = Path(__file__).parent.parent / "archit_codegen" / "archit.schema.json"
FULL = """\
output = "models"
required-version = ">=0.1"

[[model]]
name = "one"
surgery = "a.py:build"
suffix = "X"

# the second
[[model]]
name = "two"
surgery = "package.module:build"
suffix = "Y"
declared = "transformers:BertModel"
output = "other"
weights = true
user_code = "import"
vendor = "modular"
inputs = [
    "data/*.json",
]
trust_remote_code = true
config = "configs/small.json"
heads = ["token-classification"]
templates = "templates"
"""
WRONG = [
    ("required-version", "required_version", 2, "unknown key 'required_version' (did you mean 'required-version'?)"),
    ('">=0.1"', '"about 1"', 2, "the required-version 'about 1' of the spec has to be one clause or several"),
    ('name = "one"', 'nmae = "one"', 5, "unknown key 'nmae' (did you mean 'name'?)"),
    ('suffix = "X"', "", 4, "model 'one' has no 'suffix'"),
    ('name = "two"', 'name = "one"', 10, "two models are named 'one'"),
    ("weights = true", 'weights = "yes"', 16, "'weights' of model 'two' has to be true or false"),
    ('user_code = "import"', 'user_code = "link"', 17, "has to be 'copy' or 'import', not 'link'"),
    ('vendor = "modular"', 'vendor = "everything"', 18, "has to be 'changed' or 'all' or 'modular', not 'everything'"),
    ('    "data/*.json",', "    3,", 19, "'inputs' of model 'two' has to be an array of strings"),
    ('"data/*.json"', '"../*.json"', 19, "leads out of the folder of the spec"),
    ('"data/*.json"', '"/etc/passwd"', 19, "leads out"),
    ('output = "other"', "output = '..\\other'", 15, "leads out"),
    ("a.py:build", "../a.py:build", 6, "the surgery '../a.py:build' of model 'one' leads out"),
    ("a.py:build", "/a.py:build", 6, "leads out"),
    ('declared = "transformers:BertModel"', 'declared = "../x.py:Y"', 14, "leads out"),
    ('output = "models"', "output = []", 1, "'output' of the spec has to be a string"),
]  # fmt: skip


def written(folder: Path, text: str, name: str = "archit.toml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(("before", "after", "line", "says"), WRONG)
def test_the_line_is_named(tmp_path: Path, before: str, after: str, line: int, says: str) -> None:
    assert before in FULL
    file = written(tmp_path, FULL.replace(before, after, 1))
    with pytest.raises(SpecError) as error:
        read_spec(file)
    assert f"{file}:{line}: " in str(error.value) and says in str(error.value) and error.value.line == line


def test_the_line_in_a_project_file(tmp_path: Path) -> None:
    text = (
        '[project]\nname = "x"\n\n[tool.archit]\noutput = "models"\n[[tool.archit.model]]\nname = "one"\nsufix = "X"\n'
    )
    file = written(tmp_path, text, "pyproject.toml")
    with pytest.raises(SpecError, match=r"pyproject.toml:8: model 'one' has an unknown key 'sufix'"):
        read_spec(file)


def test_lines_of_odd_statements() -> None:
    text = 'a = """\nb = 1\n"""\n\n# c = 2\nc = [\n  1,\n\n]\nd.e = {f = 1}\n[d.g]\n"h.i" = 1\n'
    found = [line_of(text, path) for path in (("a",), ("b",), ("c",), ("d", "e", "f"), ("d", "g"), ("d", "g", "h.i"))]
    assert found == [1, 0, 6, 10, 11, 12]


@pytest.mark.parametrize(("path", "out"), [
    ("a/b", False), ("a..b", False), ("..", True), ("a/../b", True), ("/a", True), ("~/a", True), ("C:/a", True),
    ("a\\..\\..\\b", True), ("\\\\host\\a", True), ("a/b:c", False),
])  # fmt: skip
def test_paths_that_lead_out(path: str, out: bool) -> None:
    assert leads_out(path) is out


def test_the_schema_is_current() -> None:
    assert json.loads(SCHEMA.read_text()) == schema(), (
        "write it anew: archit schema > archit_codegen/archit.schema.json"
    )


def test_the_schema_and_the_reader_agree(tmp_path: Path) -> None:
    jsonschema.Draft7Validator.check_schema(schema())
    read_spec(written(tmp_path, FULL))
    jsonschema.validate(tomllib.loads(FULL), schema())
    only_the_reader = ("leads out", "two models")
    for before, after, _, says in WRONG:
        if not any(text in says for text in only_the_reader):
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate(tomllib.loads(FULL.replace(before, after, 1)), schema())


def test_every_key_is_in_the_full_spec() -> None:
    document = tomllib.loads(FULL)
    assert {*document} == {*SPEC_KEYS, "model"} and {*document["model"][1]} == {*MODEL_KEYS}


@pytest.mark.parametrize(("required", "installed", "fits"), [
    (">=0.1,<0.2", "0.1.0", True), (">=0.1,<0.2", "0.2", False), (">=0.1", "0.0.9", False), ("==1.2", "1.2.0", True),
    ("!=1.2", "1.2", False), (">1.9", "1.10", True), ("<= 2", "2.0.0", True), ("<0.2", "0.2.0.dev1", False),
])  # fmt: skip
def test_required_version(tmp_path: Path, required: str, installed: str, fits: bool) -> None:
    assert allows(required, installed) is fits
    spec = read_spec(written(tmp_path, FULL.replace(">=0.1", required)))
    if fits:
        check_required_version(spec, installed)
    else:
        with pytest.raises(SpecError, match="pip install"):
            check_required_version(spec, installed)


def test_init_fits_the_project(tmp_path: Path) -> None:
    (tmp_path / "src" / "lab").mkdir(parents=True)
    (tmp_path / "src" / "lab" / "__init__.py").touch()
    spec_file, surgery = start(tmp_path, "bert_wide")
    spec = read_spec(spec_file)
    (model,) = spec.models
    assert (model.name, model.suffix, model.output) == ("bert_wide", "Wide", tmp_path / "src/lab/generated")
    assert model.surgery == "surgery/bert_wide.py:build" and surgery == tmp_path / "surgery" / "bert_wide.py"
    check_required_version(spec, __version__)
    text = spec_file.read_text()
    assert all(f"{name} = " in text for name in MODEL_KEYS) and max(map(len, text.splitlines())) <= 119
    uncommented = "\n".join(line.removeprefix("# ") if " = " in line else line for line in text.splitlines())
    jsonschema.validate(tomllib.loads(uncommented), schema())


@pytest.mark.parametrize("there", ["archit.toml", "surgery/roberta_gated.py", "pyproject.toml"])
def test_init_overwrites_nothing(tmp_path: Path, there: str) -> None:
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("[tool.archit]\n")
    with pytest.raises(SpecError, match="already; nothing was written"):
        start(tmp_path, "roberta_gated")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [Path(there).name]


def test_init_with_a_name_that_cannot_be(tmp_path: Path) -> None:
    for name in ("Roberta", "class", "../x", ""):
        with pytest.raises(InvalidName):
            start(tmp_path, name)
    with pytest.raises(SpecError, match="leads out"):
        start(tmp_path, "one", "../elsewhere")
    assert list(tmp_path.iterdir()) == []
