"""The architecture, held by a test: who may import whom, who owns which library, and how long a file gets."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import archit_codegen

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "archit_codegen"
OWNERS = {
    "libcst": ("declaration.rewrite",),
    "jinja2": ("declaration.render",),
    "black": ("declaration.style",),
    "click": ("cli",),
    "rich": ("cli",),
    "filelock": ("disk.tree",),
    "pytest": ("pytest_plugin",),
}
"""The modules (or the beginnings of their names) that may import a library."""

STAGES = {"tree", "diff", "plan", "rewrite", "render", "style", "validate"}
ROOMS = {("workbench", "tree"), ("headcheck", "validate")}
"""Pairs that are one stage in two files. What else lies in `declaration` is used by stages and uses none of them."""
PIPELINE = {"compiler", "transfer", "emission", "assembly", "heads", "headed", "package"}
LATE = {"cli", "__init__"}
FACTS = {"", "errors", "installed", "templating"}
LAYERS = {
    "pytest_plugin": set(),
    "cli": {"cli", "regeneration", "disk", *FACTS},
    "regeneration": {"regeneration", "declaration", "disk", *FACTS},
    "instantiation": {"instantiation", "declaration", "errors"},
    "declaration": {"declaration", "disk", *FACTS},
    "disk": {"disk", "errors"},
    "installed": {""},
    "templating": set(),
    "errors": set(),
}
"""What lies in the first may import from the second; `""` is the package itself."""
BELOW_THE_COMPILER = {"compiler", "transfer", "package", "record", "difference"}
"""What of `declaration` the layer above may use."""


def modules() -> dict[str, ast.Module]:
    """Every module's tree by its name inside the package: "files", "declaration.ir"; the package itself is ""."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts)] = ast.parse(path.read_text("utf-8"))
    return found


MODULES = modules()


def names(module: str, node: ast.AST) -> Iterator[str]:
    """The absolute names of the modules that an import names, as written (`from a import b` is "a.b")."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        own = ["archit_codegen", *module.split(".")]
        base = own[: len(own) - node.level] if node.level else []
        start = ".".join([*base, *([node.module] if node.module else [])])
        yield from (f"{start}.{alias.name}" for alias in node.names)


def imports(module: str) -> set[str]:
    return {name for node in ast.walk(MODULES[module]) for name in names(module, node)}


def own_imports(module: str) -> set[str]:
    """The modules of this package that a module imports, by their names inside it."""
    inside = {name.partition(".")[2] for name in imports(module) if name.partition(".")[0] == "archit_codegen"}
    return {known(name) for name in inside}


def known(name: str) -> str:
    """ "declaration.ir.Site" is "declaration.ir"; a name of the package itself is "" """
    while name and name not in MODULES and f"{name}.__init__" not in MODULES:
        name = name.rpartition(".")[0]
    return name


def top(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module: str) -> None:
    if module not in {"__init__", "__main__"}:
        allowed = LAYERS.get(top(module), {"declaration", "errors"})
        assert {top(name) for name in own_imports(module)} <= allowed


@pytest.mark.parametrize("module", [name for name in MODULES if top(name) == "regeneration"])
def test_regeneration_stands_on_the_compiler(module: str) -> None:
    used = {name.partition(".")[2] for name in own_imports(module) if top(name) == "declaration"}
    assert used <= BELOW_THE_COMPILER


@pytest.mark.parametrize("module", [name for name in MODULES if top(name) == "declaration"])
def test_stages_never_import_each_other(module: str) -> None:
    own = module.partition(".")[2]
    used = {name.partition(".")[2] for name in own_imports(module) if top(name) == "declaration"}
    if own not in PIPELINE:
        assert {stage for stage in used & STAGES if (own, stage) not in ROOMS} == set()
        assert used.isdisjoint(PIPELINE)


@pytest.mark.parametrize("module", ["ir", "changes", "edits"])
def test_the_dataclasses_stand_on_the_standard_library(module: str) -> None:
    allowed = sys.stdlib_module_names | {"archit_codegen"}
    assert {name.partition(".")[0] for name in imports(f"declaration.{module}")} <= allowed


def test_there_is_no_cycle() -> None:
    graph = {module: own_imports(module) - {""} for module in MODULES}
    assert set(TopologicalSorter(graph).static_order()) >= set(MODULES)


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_has_one_owner(library: str) -> None:
    users = [module for module in MODULES if any(name.partition(".")[0] == library for name in imports(module))]
    assert [module for module in users if not module.startswith(OWNERS[library])] == []


@pytest.mark.parametrize("module", MODULES)
def test_imports_stand_at_the_top(module: str) -> None:
    late = [node.lineno for node in nested(MODULES[module]) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert top(module) in LATE or late == []


def nested(tree: ast.Module) -> Iterator[ast.stmt]:
    """All statements that stand in another one: in a function, or under `if TYPE_CHECKING`."""
    for statement in tree.body:
        for node in ast.walk(statement):
            if node is not statement and isinstance(node, ast.stmt):
                yield node


@pytest.mark.parametrize(
    "path", sorted([*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]), ids=lambda p: p.name
)
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 300


def test_the_stub_and_the_lazy_names_agree() -> None:
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text("utf-8"))
    found = {
        alias.name: ".".join(["archit_codegen", node.module or ""])
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert found == archit_codegen._HOMES
    assert sorted(archit_codegen.__all__) == sorted(found)


@pytest.mark.parametrize("name", archit_codegen.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(archit_codegen, name).__name__ == name


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="compile_modle"):
        archit_codegen.compile_modle  # type: ignore[attr-defined]  # noqa: B018 - looking it up is the test
