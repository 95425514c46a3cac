"""How much of transformers stands in a package: `vendor = "all"` and `"modular"` give the same model."""

import ast
from collections.abc import Iterator
from dataclasses import replace

import pytest

import archit_codegen as archit
from tests.goldens import CASES, MODELS, live_model
from tests.judge import judge
from tests.models import inputs_for
from tests.ship.modular import PAGE

QUICK = ("roberta_factorised_embedding", "mixtral_router", "t5_gated_feed_forward")
GOLDEN = [pytest.param(case, marks=() if case in QUICK else pytest.mark.slow) for case in CASES]


def compiled(case: str, vendor: str) -> tuple[archit.Package, str]:
    model = MODELS[case]
    live = live_model(case)
    package = archit.compile_model(live, name=model.name, suffix=model.suffix, inputs=inputs_for(live), vendor=vendor)
    return package, model.name


def imported_modules(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            yield node.module


@pytest.mark.parametrize("case", GOLDEN)
def test_all_imports_no_modelling_file(case: str) -> None:
    package, name = compiled(case, "all")
    text = package.files[f"{name}/modeling_{name}.py"]
    assert [module for module in imported_modules(text) if ".modeling_" in module.removeprefix("transformers.")] == []
    live = live_model(case)
    judge(live, package, inputs_for(live))


@pytest.mark.parametrize("case", GOLDEN)
def test_the_modular_file_is_the_same_model(case: str) -> None:
    """Its classes are Python as well: in the place of the full text they build the live model."""
    package, name = compiled(case, "modular")
    full, modular = f"{name}/modeling_{name}.py", f"{name}/modular_{name}.py"
    assert package.files[full] == compiled(case, "changed")[0].files[full]
    assert len(package.files[modular]) < 0.7 * len(package.files[full])
    files = {**package.files, full: package.files[modular]}
    live = live_model(case)
    judge(live, replace(package, files=files), inputs_for(live))


def test_the_page_tells_of_every_case() -> None:
    """What `python -m tests.ship.modular` wrote: transformers' own converter is in no wheel."""
    cells = [[cell.strip() for cell in line.split("|")] for line in PAGE.read_text().splitlines() if "| yes |" in line]
    assert [row[1] for row in cells] == list(CASES)
    assert sum(row[5] == "yes" for row in cells) >= 6


def test_a_modular_class_is_small() -> None:
    package, name = compiled("t5_gated_feed_forward", "modular")
    tree = ast.parse(package.files[f"{name}/modular_{name}.py"])
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    stack = classes["T5StackWithGatedDecoder"]
    assert [ast.unparse(base) for base in stack.bases] == ["T5PreTrainedModelWithGatedDecoder", "T5Stack"]
    assert [item.name for item in stack.body if isinstance(item, ast.FunctionDef)] == ["__init__"]


def test_another_vendor_is_refused() -> None:
    with pytest.raises(archit.ArchitError, match="vendor"):
        compiled("llama_norm_eps", "everything")
