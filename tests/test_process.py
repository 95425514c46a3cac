"""What the process runs against what the installed text declares."""

import importlib.util
import sys
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
from torch import nn
from torch._dynamo import mutation_guard
from transformers import PreTrainedModel, modeling_utils
from transformers.models.llama import modeling_llama
from transformers.models.llama.modeling_llama import LlamaAttention
from transformers.models.mixtral.modeling_mixtral import MixtralExperts

from archit_codegen.declaration import patchedmembers, sourcefile
from archit_codegen.declaration.markers import ATTENTION, EXPERTS, missing_markers
from archit_codegen.declaration.values import class_ref
from tests import small

TEXT = """import functools


def quietly(fn):
    def inner(self, *args):
        return fn(self, *args)
    return inner


def wrapped(fn):
    @functools.wraps(fn)
    def inner(self, *args):
        return fn(self, *args)
    return inner


class Library:
    @quietly
    def decorated(self, x):
        return x

    @wrapped
    @quietly
    def twice(self, x):
        return x

    def bare(self, x):
        return x


class Other:
    @quietly
    def decorated(self, x):
        return -x
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that counts as an installed distribution."""
    path = tmp_path / "some_library.py"
    path.write_text(TEXT)
    spec = importlib.util.spec_from_file_location("some_library", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "some_library", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(patchedmembers, "is_user_code", lambda value: False)
    monkeypatch.setattr(patchedmembers, "is_user_layer", lambda value: False)
    return module


def patched(cls: type) -> dict[str, FunctionType]:
    return dict(patchedmembers._patched_methods(cls))


def test_a_decorator_that_does_not_tell_what_it_wraps_is_no_patch(library: ModuleType) -> None:
    assert patched(library.Library) == {}


def test_the_same_wrapper_on_another_method_is_a_patch(library: ModuleType) -> None:
    library.Library.bare = library.quietly(library.Library.bare)
    assert list(patched(library.Library)) == ["bare"]


def test_the_wrapper_around_another_function_is_a_patch(library: ModuleType) -> None:
    library.Library.decorated = library.Other.decorated
    assert list(patched(library.Library)) == ["decorated"]


def test_what_torch_does_to_itself_is_no_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    """`torch.compile` puts wrappers on `nn.Module` for good; anybody else's are still seen."""
    for name in ("__init__", "__setstate__"):
        monkeypatch.setattr(nn.Module, name, vars(nn.Module)[name])  # put back afterwards
    monkeypatch.setattr(nn.Module, "___needs_generation_tag_patch", True, raising=False)
    mutation_guard.install_generation_tagging_init()
    assert vars(nn.Module)["__init__"].__qualname__.startswith("install_generation_tagging_init")
    assert list(patchedmembers._patched_methods(nn.Module)) == []
    init = nn.Module.__init__
    monkeypatch.setattr(nn.Module, "__init__", lambda self, *args, **kwargs: init(self, *args, **kwargs))
    assert [name for name, _ in patchedmembers._patched_methods(nn.Module)] == ["__init__"]


def test_no_tree_is_kept_of_files_that_are_only_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trees are 25 times as large as the text, and there is much text that models reach and nobody edits."""
    monkeypatch.setattr(sourcefile, "_files", {})
    live = small.llama()
    live.model.norm = nn.LayerNorm(8)
    small.compiled(live)
    compared, edited = (vars(sourcefile.source_file(m.__file__)) for m in (modeling_utils, modeling_llama))
    assert "module" in compared and "tree" not in compared
    assert "tree" in edited


def test_the_class_that_looks_for_a_marker_is_not_one_that_has_it() -> None:
    classes = {class_ref(cls): cls for cls in (PreTrainedModel, MixtralExperts, LlamaAttention)}
    assert missing_markers(classes, "class MyAttention(nn.Module):") == {
        EXPERTS: {class_ref(MixtralExperts)},
        ATTENTION: {class_ref(LlamaAttention)},
    }
