"""Text is formatted piece by piece; black over the whole text says the same."""

from importlib import import_module
from inspect import getsource

import black
import pytest

from archit_codegen.declaration.style import MODE, format_text

WHOLE = '''# A header.
import   torch
# About A.
class A( torch.nn.Module ):
    size = [1,
        2]

    def __init__(self, config):
        super( ).__init__()
        self.layers = torch.nn.ModuleList([torch.nn.Linear(config.size, config.size) for _ in range(config.number)])

    # About forward.
    def forward(self, x):
        return x
    # The end of A.
# About B.
@torch.no_grad()
class B(A):
    def __init__(self): pass


    @property
    def first(self): return 1
    def second(self):
        text = """one


two"""
        return text



# Two statements that belong to nothing.

register("a", mapping("b"), overwrite=True)
"""No docstring."""
x = 1; y = 2
def after(): ...
def later(): ...
'''
FILES = ("bert", "llama", "t5", "clip", "qwen3_moe", "deepseek_v3", "mamba", "whisper")


def formatted_whole(text: str) -> str:
    return black.format_str(text, mode=MODE)


def test_pieces_are_formatted_as_the_whole() -> None:
    assert format_text(WHOLE) == formatted_whole(WHOLE)
    assert format_text(WHOLE) != WHOLE


def test_a_text_that_switches_black_off_is_one_piece() -> None:
    text = WHOLE.replace("# About B.", "# fmt: off")
    assert format_text(text) == formatted_whole(text)


@pytest.mark.parametrize("name", FILES)
def test_files_of_transformers_are_formatted_as_the_whole(name: str) -> None:
    text = getsource(import_module(f"transformers.models.{name}.modeling_{name}")).replace("self.", "self . ")
    assert format_text(text) == formatted_whole(text)
