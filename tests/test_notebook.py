"""A real kernel: classes and helpers spread over cells, cells that run again, a file edited after import."""

import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager, start_new_kernel

ROOT = Path(__file__).parent.parent


class Notebook:
    """Runs cells and returns what they print."""

    def __init__(self, folder: Path) -> None:
        environment = dict(os.environ, PYTHONPATH=f"{ROOT}{os.pathsep}{folder}", IPYTHONDIR=str(folder / "ipython"))
        self.manager: KernelManager
        self.manager, self.client = start_new_kernel(env=environment, cwd=str(folder))

    def run(self, cell: str) -> str:
        printed: list[str] = []

        def collect(message: dict[str, dict[str, str]]) -> None:
            printed.append(message["content"].get("text", ""))

        reply = self.client.execute_interactive(textwrap.dedent(cell), timeout=120, output_hook=collect)
        assert reply["content"]["status"] == "ok", "\n".join(reply["content"].get("traceback", ()))
        return "".join(printed)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    started = Notebook(tmp_path_factory.mktemp("notebook"))
    started.run(
        """
        import sys
        import torch
        from torch import nn
        from archit_codegen.declaration.livesource import class_source
        from archit_codegen.declaration.usercode import collect

        def emitted(*roots):
            code = collect(roots)
            return "\\n".join([*code.imports, *(item.text for item in code.definitions)])
        """
    )
    yield started
    started.close()


def test_the_kernel_is_this_interpreter(notebook: Notebook) -> None:
    assert notebook.run("print(sys.executable)").strip() == sys.executable


def test_classes_and_helpers_in_several_cells(notebook: Notebook) -> None:
    notebook.run("WIDTH = 4  # in a cell\nSCALES = [1]")
    notebook.run("def helper(x):\n    return x * WIDTH * SCALES[0]")
    notebook.run("class Base(nn.Module):\n    def forward(self, x):\n        return helper(x)")
    notebook.run("class Marker:\n    kind = 'plain'")
    notebook.run("class Top(Base):\n    def extra(self):\n        return Marker.kind")
    notebook.run("SCALES.append(2)")
    text = notebook.run("print(emitted(Top))")
    assert "WIDTH = 4  # in a cell" in text and "SCALES = [1, 2]" in text
    assert text.index("class Base") < text.index("class Top") and "from torch import nn" in text
    namespace: dict[str, type] = {}
    exec(text, namespace)
    assert namespace["Top"]().forward(2) == 8
    assert namespace["Top"]().extra() == "plain"


def test_a_cell_that_ran_again(notebook: Notebook) -> None:
    notebook.run("class Twice(nn.Module):\n    def forward(self, x):\n        return 1\nfirst = Twice()")
    notebook.run("class Twice(nn.Module):\n    def forward(self, x):\n        return 2\nsecond = Twice()")
    assert "return 1" in notebook.run("print(class_source(type(first)).text)")
    assert "return 2" in notebook.run("print(class_source(type(second)).text)")
    text = notebook.run("print(emitted(type(first), type(second)))")
    assert "class Twice(" in text and "class Twice2(" in text


def test_a_class_without_methods_that_was_redefined(notebook: Notebook) -> None:
    notebook.run("class Options:\n    size = 1")
    notebook.run("old = Options")
    notebook.run("class Options:\n    size = 2")
    assert "size = 1" in notebook.run("print(class_source(old).text)")
    assert "size = 2" in notebook.run("print(class_source(Options).text)")


def test_a_base_whose_cell_ran_again(notebook: Notebook) -> None:
    notebook.run("class Parent(nn.Module):\n    def forward(self, x):\n        return 'old'")
    notebook.run("class Child(Parent):\n    pass")
    notebook.run("class Parent(nn.Module):\n    def forward(self, x):\n        return 'new'")
    namespace: dict[str, type] = {}
    exec(notebook.run("print(emitted(Child))"), namespace)
    assert namespace["Child"]().forward(0) == "old"


def test_magics_and_awaits_stand_in_no_way(notebook: Notebook) -> None:
    prelude = "%precision 3\nimport asyncio\nawait asyncio.sleep(0)\n"
    notebook.run(f"{prelude}class Magic:\n    def f(self):\n        return 3")
    assert "return 3" in notebook.run("print(class_source(Magic).text)")


def test_a_file_edited_after_its_import(notebook: Notebook) -> None:
    notebook.run("open('edited.py', 'w').write('class Edited:\\n    def f(self):\\n        return 1\\n')")
    notebook.run("import edited")
    assert "return 1" in notebook.run("print(class_source(edited.Edited).text)")
    notebook.run("open('edited.py', 'w').write('class Edited:\\n    def f(self):\\n        return 12\\n')")
    answer = notebook.run(
        """
        try:
            class_source(edited.Edited)
        except Exception as error:
            print(type(error).__name__, error)
        """
    )
    assert answer.startswith("SourceUnavailable") and "changed since it was imported" in answer


def test_a_model_changed_over_several_cells_becomes_a_package(notebook: Notebook) -> None:
    notebook.run(
        """
        import archit_codegen as archit
        from transformers import RobertaConfig, RobertaForMaskedLM

        torch.set_num_threads(1)
        config = RobertaConfig(
            vocab_size=61, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=24
        )
        model = RobertaForMaskedLM(config).eval()
        """
    )
    notebook.run("STRENGTH = 0.5  # of the gate")
    notebook.run("def soften(x):\n    return torch.tanh(x) * STRENGTH")
    gate = """
        class Gate(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.open = nn.Linear(width, width)

            def forward(self, x):
                return {}
        """
    notebook.run(gate.format("x * soften(self.open(x))  # the first version"))
    notebook.run("with archit.record():\n    model.roberta.encoder.layer[0].output.dropout = Gate(16)")
    notebook.run(gate.format("x + soften(self.open(x))  # the second version"))
    notebook.run("with archit.record():\n    model.roberta.encoder.layer[2].output.dropout = Gate(16)")
    notebook.run("package = archit.compile_model(model, name='roberta_notebook', suffix='WithGates')")
    assert notebook.run("print(package.notes)").strip() == "()"
    modules = notebook.run("print(package.files['roberta_notebook/modules_roberta_notebook.py'])")
    assert modules.count("class Gate") == 2
    assert "# the first version" in modules and "# the second version" in modules
    assert "STRENGTH = 0.5  # of the gate" in modules and modules.count("def soften") == 1
    printed = notebook.run("archit.print_difference(model, suffix='WithGates')")
    assert "# the second version" in printed and "class RobertaForMaskedLMWithGates" in printed

    notebook.run("where = package.write('written')")
    equal = notebook.run(
        """
        import sys
        sys.path.insert(0, str(where.parent))
        from roberta_notebook import RobertaConfigWithGates, RobertaForMaskedLMWithGates

        rebuilt = RobertaForMaskedLMWithGates(RobertaConfigWithGates(**config.to_diff_dict())).eval()
        rebuilt.load_state_dict(model.state_dict())
        tokens = torch.arange(3, 12)[None]
        print(torch.equal(rebuilt(tokens).logits, model(tokens).logits))
        """
    )
    assert equal.strip() == "True"
