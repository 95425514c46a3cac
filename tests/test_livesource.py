"""Source text is believed only if it compiles to the code that is live."""

import ast
import importlib.util
import inspect
import itertools
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from transformers.models.llama import modeling_llama
from transformers.models.roberta import modeling_roberta

from archit_codegen.declaration.livesource import (
    class_source,
    declared_code,
    function_source,
    innermost,
    matches_defaults,
    matches_source,
    own_functions,
)
from archit_codegen.declaration.samecode import same_code
from archit_codegen.declaration.sourcefile import DEFINITIONS, SourceFile, first_line
from archit_codegen.errors import SourceUnavailable

Load = Callable[[str], ModuleType]
COUNT = itertools.count()


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Writes a module and imports it."""

    def write_and_import(text: str) -> ModuleType:
        name = f"live_{next(COUNT)}"
        path = tmp_path / f"{name}.py"
        path.write_text(textwrap.dedent(text))
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec and spec.loader
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return write_and_import


def rewrite(module: ModuleType, before: str, after: str) -> None:
    path = Path(str(module.__file__))
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_classes_and_functions_of_transformers() -> None:
    for value in list(vars(modeling_roberta).values()):
        if inspect.isclass(value) and value.__module__ == modeling_roberta.__name__:
            source = class_source(value)
            assert source.text == inspect.getsource(value) and source.indent == 0
            assert all(matches_source(function) and matches_defaults(function) for function in own_functions(value))


def test_a_patched_method_is_not_what_the_file_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    cls, file = modeling_roberta.RobertaSelfAttention, modeling_roberta.__file__
    declared = declared_code(file, "RobertaSelfAttention.forward")
    assert declared is not None and same_code(innermost(cls.forward).__code__, declared)
    monkeypatch.setattr(cls, "forward", lambda self, x: x)
    assert not same_code(innermost(cls.forward).__code__, declared)
    assert declared_code(file, "RobertaSelfAttention.nothing") is None
    rotary = declared_code(modeling_llama.__file__, "apply_rotary_pos_emb")
    assert rotary is not None and same_code(innermost(modeling_llama.apply_rotary_pos_emb).__code__, rotary)


def test_a_moved_class_is_believed_and_a_changed_one_is_not(load: Load) -> None:
    module = load("""
        class A:
            def f(self, n=1):
                return n + 1

            def g(self):
                return 2
        """)
    rewrite(module, "class A", "# moved\n\n\nclass A")
    assert class_source(module.A).line == 5
    rewrite(module, "n + 1", "n + 2")
    with pytest.raises(SourceUnavailable, match="changed since it was imported"):
        class_source(module.A)
    assert not matches_source(module.A.f) and matches_source(module.A.g)


@pytest.mark.parametrize(
    ("before", "after"),
    [("n=1", "n=2"), ("1.0", "1"), ("-0.0", "0.0"), ("(1, 2)", "(1, True)"), ("self, n", "self, m"), ("try", "if 1")],
)
def test_edits_that_matter(load: Load, before: str, after: str) -> None:
    module = load("""
        class A:
            def f(self, n=1):
                return 1.0, -0.0, (1, 2), "try"
        """)
    class_source(module.A)
    rewrite(module, before, after)
    with pytest.raises(SourceUnavailable):
        class_source(module.A)
    with pytest.raises(SourceUnavailable):
        function_source(module.A.f)


def test_a_class_without_functions_is_compared_by_what_it_holds(load: Load) -> None:
    module = load("""
        class A(Exception):
            "doc"
            size = 1
        """)
    assert "size = 1" in class_source(module.A).text
    rewrite(module, "size = 1", "size = 2")
    with pytest.raises(SourceUnavailable):
        class_source(module.A)


def test_the_live_one_of_several_statements(load: Load) -> None:
    module = load("""
        class A:
            def f(self):
                return 1
        First = A
        class A:
            def f(self):
                return 2
        if First:
            class B:
                size = 1
        else:
            class B:
                size = 2
        """)
    assert "return 1" in class_source(module.First).text
    assert "return 2" in class_source(module.A).text
    assert class_source(module.B).text == "class B:\n    size = 1\n"


def test_a_local_class_is_dedented_but_its_strings_are_not(load: Load) -> None:
    module = load('''
        def make():
            # above
            class Local:
                # inside
                text = """
            kept
                """

                def f(self): return f"""
                    {self}"""
            return Local
        ''')
    source = class_source(module.make())
    assert source.indent == 4 and source.line == 4
    namespace: dict[str, type] = {}
    exec(source.text, namespace)
    assert namespace["Local"].text == module.make().text  # type: ignore[attr-defined]
    assert source.text.startswith("class Local:\n    # inside\n")


def test_decorated_functions_properties_and_lambdas(load: Load) -> None:
    module = load("""
        import functools

        def deco(f):
            @functools.wraps(f)
            def inner(*args): return f(*args)
            return inner

        class A:
            @property
            def p(self): return 1
            @p.setter
            def p(self, value): self.q = value
            @staticmethod
            def s(): return 3
            @classmethod
            @deco
            def c(cls): return 4

        two = (lambda x: x + 1, lambda x: x + 2)
        """)
    assert "@p.setter" in class_source(module.A).text
    names = [function.__name__ for function in own_functions(module.A)]
    assert names == ["p", "p", "s", "c"]
    assert all(matches_source(function) for function in own_functions(module.A))
    assert [function_source(item).text for item in module.two] == ["lambda x: x + 1\n", "lambda x: x + 2\n"]
    setter = module.A.p.fset.__code__
    assert declared_code(module.__file__, "A.p") is None
    assert declared_code(module.__file__, "A.p", live=setter) is not None


def test_code_without_a_file_is_refused() -> None:
    namespace: dict[str, type] = {"__name__": "nowhere"}
    exec("class A:\n    def f(self): return 1\nclass B: pass", namespace)
    for name in ("A", "B"):
        with pytest.raises(SourceUnavailable, match="no source text"):
            class_source(namespace[name])


TEXTS = {
    "modelling": Path(modeling_llama.__file__).read_text("utf-8"),
    "bytes": 'x = ["é", "日本"] + f("ü",\n   ("ö",\n    1))\n',
    "carriage returns": "x = f(1)\ry = f(2,\r\n  3)\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_text_of_an_expression_is_what_ast_says(text: str) -> None:
    file = SourceFile("x.py", text)
    found = [node for node in ast.walk(file.tree) if isinstance(node, ast.expr)]
    assert [file.segment(node) for node in found] == [ast.get_source_segment(text, node) for node in found]


NESTED = """
try:
    pass
except Error:
    def f(): ...
else:
    match x:
        case 1:
            class C: ...
"""


@pytest.mark.parametrize("module", [ast, textwrap, modeling_roberta])
def test_definitions_are_found_wherever_they_stand(module: ModuleType) -> None:
    file = SourceFile("x.py", inspect.getsource(module) + NESTED)
    expected = [node for node in ast.walk(file.tree) if isinstance(node, DEFINITIONS)]
    assert file.nodes == {(node.name, first_line(node)): node for node in expected}
    assert {name for name, _ in file.nodes} > {"f", "C"}
