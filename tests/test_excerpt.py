"""Only what changes is parsed to be edited, and the text is the same as if all of it had been."""

import importlib
import inspect
from collections.abc import Callable

import libcst
import pytest
import torch
from torch import nn
from transformers import T5Config, T5Model

import archit_codegen as archit
from archit_codegen.declaration import rewrite
from archit_codegen.declaration.excerpt import Excerpt, Wanted, excerpt
from archit_codegen.declaration.source import class_text
from tests.small import bert, llama

NOTHING = Wanted(frozenset(), False, {}, ())
FAMILIES = ["roberta", "t5", "whisper", "mixtral", "perceiver", "deberta_v2"]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_left_out_is_put_back_as_it_stood(family: str) -> None:
    module = importlib.import_module(f"transformers.models.{family}.modeling_{family}")
    classes = [cls for cls in vars(module).values() if inspect.isclass(cls) and cls.__module__ == module.__name__]
    for cls in classes:
        source = class_text(cls)
        part = excerpt(source, NOTHING)
        assert part.restored(libcst.parse_module(part.text).code) == source.dedented
        init = excerpt(source, Wanted(frozenset(), False, {"__init__": {"self.config"}}, ()))
        assert init.restored(libcst.parse_module(init.text).code) == source.dedented
        assert len(init.text) >= len(part.text)


def swapped(live: nn.Module) -> nn.Module:
    with archit.record():
        live.set_input_embeddings(Doubled(*live.get_input_embeddings().weight.shape))
    return live


class Doubled(nn.Embedding):
    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(tokens)


def t5() -> nn.Module:
    config = T5Config(d_model=16, d_ff=32, d_kv=8, num_layers=2, num_heads=2, vocab_size=40, dropout_rate=0.0)
    return swapped(T5Model(config).eval())


def dropped() -> nn.Module:
    live = swapped(llama())
    del live.model.layers[1]
    live.model.layers[0].mlp.act_fn = nn.Tanh()
    return live


def in_place() -> nn.Module:
    live = bert()
    live.bert.encoder.layer[1].attention.self.scaling = 0.5
    live.bert.encoder.layer[0].intermediate = nn.Identity()
    live.bert.pooler = None
    return live


def patched() -> nn.Module:
    live = llama()
    original = live.model.layers[1].mlp.forward
    live.model.layers[1].mlp.forward = lambda x: 0.5 * original(x)
    return live


def whole(source: rewrite.ClassText, wanted: Wanted) -> Excerpt:
    return Excerpt(source.dedented, "_left_out", {}, frozenset())


@pytest.mark.parametrize("surgery", [t5, dropped, in_place, patched], ids=lambda surgery: surgery.__name__)
def test_the_text_is_that_of_the_whole_class_rewritten(
    surgery: Callable[[], nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    live = surgery()
    in_part = archit.compile_model(live, name="package", suffix="X", validation=False)
    monkeypatch.setattr(rewrite, "excerpt", whole)
    assert archit.compile_model(live, name="package", suffix="X", validation=False).files == in_part.files
