"""The validator is tested by planted mistakes: a sample of them here, all of them by `make mutants`."""

import ast
from pathlib import Path

import pytest
from torch import nn

from archit_codegen.declaration import compiler
from archit_codegen.declaration.emission import Options
from archit_codegen.declaration.emittedfile import read_file
from archit_codegen.declaration.plannedmodular import check_modular
from archit_codegen.declaration.textcheck import check_files
from archit_codegen.errors import ValidationFailed
from tests import small
from tests.mutants.cases import CASES, case
from tests.mutants.operators import mutations
from tests.mutants.plant import differs, mutants, refusal

SAMPLE = ("bert_adapter_last_layer", "llama_norm_eps", "own_root", "patched", "user_code", "vendored")
DOC = Path(__file__).parent.parent / "docs" / "mutants.md"


@pytest.mark.parametrize("name", SAMPLE)
def test_each_planted_mistake_is_refused(name: str) -> None:
    found = case(name)
    planted = list(mutants(name, found, each=1))
    assert len(planted) >= 15
    assert [mutant.place for mutant in planted if refusal(found, mutant.files) is None] == []


@pytest.mark.parametrize("name", SAMPLE)
def test_the_same_program_in_other_words_is_not_refused(name: str) -> None:
    """Comments, blank lines and quotes are nothing to the validator: what it refuses above is the mistake."""
    found = case(name)
    found.validate({path: ast.unparse(ast.parse(text)) + "\n" for path, text in found.emitted.files.items()})


def test_a_file_too_many_or_too_few_is_refused() -> None:
    found = case("user_code")
    files = dict(found.emitted.files)
    assert refusal(found, {**files, "tiny_user_code/extra.py": ""}) is not None
    for path in files:
        assert refusal(found, {name: text for name, text in files.items() if name != path}) is not None


def test_a_modular_file_has_the_planned_classes_and_nothing_else() -> None:
    live, path = small.llama(), "tiny_modular/modular_tiny_modular.py"
    live.model.layers[1].mlp.act_fn = nn.GELU()
    bench, delta = compiler.opened(live, None)
    emitted, _ = compiler._validated(bench, delta, Options("tiny_modular", "X", vendor="modular"), None)
    files = dict(emitted.files)
    check_files(files, emitted.draft)
    name = emitted.draft.root
    for text in (
        files[path].replace(f"class {name}(", f"class {name}Y("),
        files[path].replace(f'"{name}"', f'"{name}Y"'),
        files[path].replace("__all__", "print()\n\n__all__"),
        files[path].replace("__all__", "class Surplus:\n    pass\n\n\n__all__"),
        files[path].replace("__all__", "import os\n\n__all__"),
    ):
        assert text != files[path]
        with pytest.raises(ValidationFailed):
            check_files({**files, path: text}, emitted.draft)
    with pytest.raises(ValidationFailed, match="not planned"):
        check_files({other: text for other, text in files.items() if other != path}, emitted.draft)


BRANCH = """
    def forward(self, x):
        return x if self.training else x + 1
"""


@pytest.mark.parametrize(("before", "after"), [
    ("self.act_fn = nn.GELU()", "self.act_fn = nn.ReLU()"),
    ("self.act_fn = nn.GELU()", "self.act_fn = nn.GELU()\n        self.act_fn.inplace = True"),
    ("super().__init__(config)\n        self.act_fn", "super().__init__()\n        self.act_fn"),
    ("self.act_fn = nn.GELU()\n", f"self.act_fn = nn.GELU()\n{BRANCH}"),
    ("class LlamaMLPX(LlamaMLP):", "class LlamaMLPX(LlamaRMSNorm):"),
    ("class LlamaMLPX(LlamaMLP):", "class LlamaMLPX(LlamaMLP):\n    training = False\n"),
    ("class LlamaMLPX(LlamaMLP):", "@auto_docstring\nclass LlamaMLPX(LlamaMLP):"),
    ("    config: LlamaConfigX\n", "    pass\n"),
    ("from torch import nn", "from torch import ao as nn"),
    ("import LlamaConfigX", "import LlamaConfigY as LlamaConfigX"),
])  # fmt: skip
def test_a_subclass_says_what_the_full_class_says_and_no_more(before: str, after: str) -> None:
    """Branches that do not run as well: nothing of it is built or run here."""
    live, path = small.llama(), "tiny_modular/modular_tiny_modular.py"
    live.model.layers[1].mlp.act_fn = nn.GELU()
    bench, delta = compiler.opened(live, None)
    emitted = compiler._emit(bench, delta, Options("tiny_modular", "X", vendor="modular"))
    text = emitted.files[path].replace(before, after, 1)
    assert text != emitted.files[path], emitted.files[path]
    with pytest.raises(ValidationFailed, match=r"modular_tiny_modular\.py"):
        check_files({**emitted.files, path: text}, emitted.draft)


@pytest.mark.parametrize("classes", ["LlamaMLP", "LlamaMLPX", "[LlamaDecoderLayerX, LlamaMLPX]"])
def test_what_is_recorded_is_looked_at(classes: str) -> None:
    """A modular file does not say it where its base class says the same."""
    live = small.llama()
    live.model.layers[1].mlp.act_fn = nn.GELU()
    bench, delta = compiler.opened(live, None)
    emitted = compiler._emit(bench, delta, Options("tiny_modular", "X", vendor="modular"))
    texts = [emitted.files[f"tiny_modular/{kind}_tiny_modular.py"] for kind in ("modular", "modeling")]
    full = texts[1].replace("[LlamaDecoderLayer, LlamaDecoderLayerX]", classes, 1)
    assert "_can_record_outputs" not in texts[0] and full != texts[1]
    check_modular(read_file("modular.py", texts[0]), read_file("modeling.py", texts[1]), emitted.draft)
    with pytest.raises(ValidationFailed, match="what the full class says"):
        check_modular(read_file("modular.py", texts[0]), read_file("modeling.py", full), emitted.draft)


def test_an_operator_makes_another_program_or_none() -> None:
    tree = ast.parse("import a\n\n\nclass A(a.B):\n    x = 1\n\n    def f(self, y=2):\n        return y + 1\n")
    before = ast.dump(tree)
    texts = [mutation.text(tree) for mutation in mutations(tree)]
    assert len({text for text in texts if differs(before, text)}) >= 20
    assert ast.dump(tree) == before
    assert not differs(before, "import a\n\nclass A(a.B):\n    x = 1\n    def f(self, y=2): return y + 1  # same\n")
    assert not differs(before, "class")


def test_the_whole_was_planted_and_refused() -> None:
    """What `make mutants` wrote, over all cases."""
    *_, total = DOC.read_text("utf-8").strip().splitlines()
    planted, refused = (int(cell) for cell in total.split("|")[2:4])
    assert planted == refused >= 500
    assert len(CASES) >= 17
