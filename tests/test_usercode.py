"""What the user's classes need is copied or imported, and the copy stands alone."""

import itertools
import sys
import textwrap
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
import torch
from torch import nn
from transformers.models.roberta.modeling_roberta import RobertaLayer

from archit_codegen.declaration.names import free_globals, quoted_globals
from archit_codegen.declaration.usercode import UserCode, closure_values, collect, function_as_def, is_user_code
from archit_codegen.errors import SourceUnavailable, UnsupportedChange

COUNT = itertools.count()
HEADER = (
    "import functools, logging, math, re\nimport torch\nimport torch.nn as nn\nfrom torch.nn import functional as F\n"
)
Load = Callable[..., ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Writes a package of modules and imports its `main`."""
    monkeypatch.syspath_prepend(tmp_path)

    def write_and_import(main: str, **others: str) -> ModuleType:
        package = f"user_{next(COUNT)}"
        folder = tmp_path / package
        folder.mkdir()
        for name, text in {"__init__": "", "main": main, **others}.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(text))
        return import_module(f"{package}.main")

    return write_and_import


def text_of(code: UserCode) -> str:
    return "\n".join(code.imports) + "\n\n" + "\n\n".join(definition.text for definition in code.definitions)


def executed(code: UserCode) -> dict[str, object]:
    """The names of the emitted file, executed where nothing of the user's is importable."""
    namespace: dict[str, object] = {"__name__": "emitted"}
    assert not any(name.startswith("user_") for line in code.imports for name in line.split())
    exec(compile(text_of(code).encode(), "emitted.py", "exec", dont_inherit=True), namespace)
    bound = {definition.name for definition in code.definitions}
    for definition in code.definitions:
        assert definition.uses - bound <= namespace.keys()
    return namespace


def test_whose_code_it_is(load: Load) -> None:
    module = load("class A: pass\ndef f(): pass")
    assert is_user_code(module.A) and is_user_code(module.f)
    for other in (nn.Linear, RobertaLayer, int, len, Path, functools_wraps_of_torch(), nn.Module.forward):
        assert not is_user_code(other)  # type: ignore[arg-type]


def functools_wraps_of_torch() -> object:
    return torch.nn.functional.gelu


def test_everything_a_class_needs(load: Load) -> None:
    module = load(
        HEADER
        + textwrap.dedent("""
            from .other import WIDTH, scaled as by_width, logger
            from . import other

            SCALES = [1, 2]  # kept
            SCALES.append(3)
            HALF = WIDTH // 2
            unused = 3

            def twice(fn):
                @functools.wraps(fn)
                def inner(*args):
                    return 2 * fn(*args)
                return inner

            @functools.lru_cache(maxsize=2)
            def cached(n):
                return math.sqrt(n)

            act = lambda x, s=0.5: F.relu(x) * s

            class Base(nn.Module):
                def __init__(self, n=HALF):
                    super(Base, self).__init__()
                    self.linear = nn.Linear(n, n)

            class Top(Base):
                kind = nn.LayerNorm

                def __init__(self):
                    super(Top, self).__init__()
                    self.found = other.PATTERN.match("aa") is not None

                @twice
                def forward(self, x: torch.Tensor) -> "torch.Tensor":
                    logger.info("%s", __name__)  # comments stay
                    return act(by_width(self.linear(x))) * cached(4) * SCALES[2] * other.deep.FACTOR

            if __name__ == "__main__":
                print("never copied")
            """),
        other="""
            import logging
            import re
            from . import deep
            logger = logging.getLogger(__name__)
            WIDTH = 8
            PATTERN = re.compile("a+")
            def scaled(x):
                return x * WIDTH
            """,
        deep="FACTOR = 0.25\n",
    )
    code = collect([module.Top])
    namespace = executed(code)
    copy, live = namespace["Top"](), module.Top()  # type: ignore[operator]
    copy.load_state_dict(live.state_dict())
    assert torch.equal(copy(torch.ones(4)), live(torch.ones(4))) and copy.found
    text = text_of(code)
    assert "# comments stay" in text and "HALF = WIDTH // 2" in text and "SCALES = [1, 2, 3]" in text
    assert "never copied" not in text and "unused" not in text
    assert code.imports[:2] == ("import functools", "import logging") and "import torch.nn as nn" in code.imports
    assert code.names[module.Top] == "Top"


def test_one_name_for_two_things(load: Load) -> None:
    module = load(
        """
        from torch import nn
        from .other import Adapter as Inner, nn as size
        class Adapter(nn.Module):
            def __init__(self, inner: "Inner" = None):
                super(Adapter, self).__init__()
                self.inner = Inner()
            def size(self):
                return size, sorted([2, 1])
        """,
        other="""
        nn = 5
        def sorted(x): return x
        class Adapter:
            def me(self) -> "Adapter":
                return Adapter, sorted, nn
        """,
    )
    code = collect([module.Adapter], taken=frozenset({"Adapter2"}))
    namespace = executed(code)
    made = namespace["Adapter"]()  # type: ignore[operator]
    assert made.size() == (5, [1, 2])
    assert made.inner.me()[0] is type(made.inner) is namespace["Adapter3"]
    assert '"Adapter3"' in text_of(code)


def test_function_bodies_and_closures(load: Load) -> None:
    module = load(
        HEADER
        + textwrap.dedent("""
            def make(scale, layer, n=1):
                def helper(x, k=n):
                    return x * scale * k
                class Local(nn.Module):
                    def __init__(self):
                        super().__init__()
                        self.layer = layer(2, 2, bias=False)
                    def forward(self, x):
                        return helper(self.layer(x))
                return Local
            """)
    )
    first, second = module.make(2.0, nn.Linear), module.make(3.0, nn.Linear, 7)
    code = collect([first, second])
    namespace = executed(code)
    for live in (first, second):
        copy, model = namespace[code.names[live]](), live()  # type: ignore[operator]
        copy.load_state_dict(model.state_dict())
        assert torch.equal(copy(torch.ones(2)), model(torch.ones(2)))
    assert dict(closure_values(first.forward)).keys() == {"helper"}


def test_a_base_that_was_an_argument(load: Load) -> None:
    module = load("from torch import nn\ndef make(base):\n    class A(base):\n        pass\n    return A\n")
    namespace = executed(collect([module.make(nn.Identity)]))
    assert issubclass(namespace["A"], nn.Identity)  # type: ignore[arg-type]


def test_mutual_recursion_and_later_definitions(load: Load) -> None:
    module = load("""
        def even(n): return n == 0 or odd(n - 1)
        def odd(n): return n != 0 and even(n - 1)
        class Base:
            def new(self): return Derived()
        class Derived(Base):
            check = staticmethod(even)
        """)
    namespace = executed(collect([module.Base]))
    assert type(namespace["Base"]().new()) is namespace["Derived"]  # type: ignore[operator]
    assert namespace["Derived"].check(4)  # type: ignore[attr-defined]


def test_patched_functions_as_roots(load: Load) -> None:
    module = load(
        HEADER
        + textwrap.dedent("""
            K = 3
            def patched(self, x):
                return x * K
            holder = {"f": lambda self, x: (
                x + K
            )}
            """)
    )
    inline = module.holder["f"]
    code = collect([module.patched, inline], named={inline: "forward"})
    namespace = executed(code)
    assert namespace["patched"](None, 2) == 6 and namespace["forward"](None, 2) == 5  # type: ignore[operator]
    assert function_as_def(module.patched, "other").startswith("def other(self, x):")
    assert free_globals(function_as_def(inline, "g")) == {"K"}
    assert collect([nn.Linear]).imports == ("from torch.nn import Linear",)


REFUSED = {
    "global state": "STATE = 1\ndef f():\n    global STATE\n    STATE = 2\ndef root(): return STATE",
    "a tensor": "import torch\nT = torch.ones(2)\ndef root(): return T",
    "an open file": "T = open(__file__)\ndef root(): return T",
    "its own file": "def root(): return __file__",
    "nonlocal": "def make():\n    n = 0\n    def f():\n        nonlocal n\n        n = 1\n    return f\nroot = make()",
    "a returned local": "def make(deco):\n    @deco\n    class A: pass\n    return A\nroot = make(lambda c: c)",
    "a user import inside": "def root():\n    from .main import root\n    return root",
    "a method patched later": "class root:\n    def f(self): return 1\nroot.f = lambda self: 2",
    "an attribute set later": "class root:\n    size = 1\n    def f(self): return 1\nroot.size = 2",
    "an attribute added later": "class root:\n    def f(self): return 1\nroot.size = 2",
    "a method added later": "class root:\n    def f(self): return 1\ndef g(self): return 2\nroot.g = g",
    "a module as a value": "from . import main as me\ndef root(): return me",
    "an attribute of a function": "def root(): return root.n\nroot.n = 1",
    "an attribute that would differ": "N = 1\nclass root:\n    size = 2 * N\nN = 2",
    "other bases": "class A: pass\nclass B: pass\nclass root(A): pass\nroot.__bases__ = (B,)",
    "archit_codegen": "import archit_codegen.errors as e\ndef root(): return e",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_copied_is_refused(load: Load, text: str) -> None:
    with pytest.raises((UnsupportedChange, SourceUnavailable)):
        collect([load(text).root])


def test_defaults_are_those_of_the_definition(load: Load) -> None:
    module = load("N = 4\ndef f(n=N, m=2 * N): return n, m\nclass A:\n    def g(self, n=N): return n\nN = 8")
    namespace = executed(collect([module.f, module.A]))
    assert namespace["f"]() == (4, 8) and namespace["A"]().g() == 4  # type: ignore[operator]


FREE = {
    "class A(B):\n    x = C\n    def f(self, y: D = E) -> F:\n        z = G\n        return z, y, A, len": "BCDEFG",
    "def f(a):\n    return [b for b in a if c(b)] + [d := 1] + [d]": "c",
    "class A:\n    b = 1\n    def f(self): return b": "b",
    "class A:\n    b = 1\n    c = b": "",
    "def f():\n    def g():\n        return x\n    x = 1\n    return g, lambda y: y + z": "z",
    "def f():\n    try: pass\n    except E as e: return e\n    with o() as p: return p": "Eo",
    "def f():\n    import a.b\n    from c import d as e\n    for g in e: pass\n    del g\n    return a, h": "h",
    "def f(x):\n  match x:\n    case [a, *b]: return a, b\n    case P(q=r): return r\n    case {**s}: return s": "P",
    "def f(*a, b=c, **d): return a, b, d": "c",
    'def f(a: "Q") -> "list[R]": return L["S"]': "L",
    "@d\nasync def f(): return await g()": "dg",
}


@pytest.mark.parametrize(("text", "names"), FREE.items())
def test_free_globals(text: str, names: str) -> None:
    assert free_globals(text) == set(names)


def test_quoted_names_are_told_apart() -> None:
    text = 'def f(a: "Q", b: Literal["V"], c: Optional["R"]) -> "list[S]": ...'
    assert quoted_globals(text) == {"Q", "R", "S"} and free_globals(text) == {"Literal", "Optional"}


def test_names_that_free_globals_finds_are_those_of_the_code() -> None:
    functions = [
        value for value in vars(sys.modules[RobertaLayer.__module__]).values() if isinstance(value, FunctionType)
    ]
    for function in functions:
        if function.__module__ == RobertaLayer.__module__:
            found = free_globals(function_as_def(function, "f"))
            assert found <= function.__globals__.keys()
