"""The spec is found, read and checked; what is wrong is said in one line that names it."""

from pathlib import Path

import pytest

from archit_codegen.errors import SpecError
from archit_codegen.regeneration.spec import ModelSpec, find_spec, read_spec

MODEL = """
[[model]]
name = "roberta_hel"
surgery = "surgery/hel.py:build"
suffix = "WithHEL"
"""
SPEC = f'output = "src/models"\n{MODEL}'


def written(folder: Path, text: str, name: str = "archit.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_model_and_its_defaults(tmp_path: Path) -> None:
    spec = read_spec(written(tmp_path, SPEC))
    expected = ModelSpec(
        name="roberta_hel",
        surgery="surgery/hel.py:build",
        declared=None,
        suffix="WithHEL",
        output=tmp_path / "src/models",
        weights=False,
        user_code="copy",
        vendor="changed",
        inputs=(),
        config=None,
        heads=(),
        templates=None,
        trust_remote_code=False,
    )
    assert (spec.root, spec.output, spec.models) == (tmp_path, tmp_path / "src/models", (expected,))


def test_everything_that_a_model_may_say(tmp_path: Path) -> None:
    text = f'{MODEL}declared = "transformers:RobertaModel"\noutput = "own"\nweights = true\nuser_code = "import"\n'
    (model,) = read_spec(written(tmp_path, text)).models
    assert model.declared == "transformers:RobertaModel" and model.output == tmp_path / "own"
    assert model.weights is True and model.user_code == "import"


def test_where_it_is_found(tmp_path: Path) -> None:
    here = tmp_path / "a" / "b"
    here.mkdir(parents=True)
    with pytest.raises(SpecError, match="not found"):
        find_spec(here)
    project = written(
        tmp_path, "[tool.archit]\n" + SPEC.replace("[[model]]", "[[tool.archit.model]]"), "pyproject.toml"
    )
    written(tmp_path / "a", "[project]\n", "pyproject.toml")
    assert find_spec(here) == project
    assert read_spec(project).models[0].output == tmp_path / "src/models"
    own = written(tmp_path / "a", SPEC)
    assert find_spec(here) == own


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("output = [", "not valid TOML"),
        (SPEC.replace("surgery =", "surgerie ="), "unknown key 'surgerie' (did you mean 'surgery'?)"),
        (SPEC.replace("output", "outputs"), "unknown key 'outputs' (did you mean 'output'?)"),
        (SPEC.replace("[[model]]", "[model]"), "'model' of the spec has to be an array of tables"),
        (SPEC.replace('"WithHEL"', "3"), "'suffix' of model 'roberta_hel' has to be a string"),
        (SPEC + "weights = 1", "'weights' of model 'roberta_hel' has to be true or false"),
        (SPEC + 'user_code = "link"', "'copy' or 'import'"),
        (SPEC.replace('suffix = "WithHEL"', ""), "has no 'suffix'"),
        (SPEC.replace('name = "roberta_hel"', ""), "number 1 has no 'name'"),
        (MODEL, "has no 'output'"),
        ("model = [1]", "number 1 has to be a table"),
        ('output = "x"', "names no [[model]]"),
        (SPEC + MODEL, "two models are named 'roberta_hel'"),
        (SPEC.replace("roberta_hel", "class"), "name 'class'"),
        (SPEC.replace("roberta_hel", "RobertaHEL"), "name 'RobertaHEL'"),
        (SPEC.replace("roberta_hel", "../x"), "name '../x'"),
        (SPEC.replace("roberta_hel", "\N{LATIN SMALL LIGATURE FI}t"), r"name '\ufb01t'"),
        (SPEC.replace("WithHEL", "With-HEL"), "suffix 'With-HEL'"),
        (SPEC.replace("WithHEL", "With HEL"), "suffix 'With HEL'"),
        (SPEC.replace("WithHEL", r"X\n"), r"suffix 'X\n'"),
        (SPEC.replace("WithHEL", ""), "'suffix' of model 'roberta_hel' is empty"),
        (SPEC.replace("WithHEL", "\N{LATIN SMALL LETTER LONG S}"), r"suffix '\u017f'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, says: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(SpecError) as error:
        read_spec(file)
    assert says in str(error.value) and str(file) in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="No such file"):
        read_spec(tmp_path / "other.toml")


def test_models_are_selected_by_name(tmp_path: Path) -> None:
    spec = read_spec(written(tmp_path, SPEC + MODEL.replace("roberta_hel", "bert_hel")))
    assert [model.name for model in spec.select([])] == ["roberta_hel", "bert_hel"]
    assert [model.name for model in spec.select(["bert_hel"])] == ["bert_hel"]
    with pytest.raises(SpecError, match=r"no model is named 'bert_hell' .did you mean 'bert_hel'"):
        spec.select(["bert_hell"])


def test_a_config_for_the_surgery(tmp_path: Path) -> None:
    (model,) = read_spec(written(tmp_path, f'{SPEC}config = "configs/small.json"\n')).models
    assert model.config == "configs/small.json"
    with pytest.raises(SpecError, match="'config' of model 'roberta_hel' has to be a string"):
        read_spec(written(tmp_path, f"{SPEC}config = 3\n"))
