"""New modules that lack what `_init_weights` reads of the old ones: they initialise themselves."""

import ast

import libcst as cst
import torch
import transformers as tf
from torch import nn

from archit_codegen.declaration.edits import Guard
from archit_codegen.declaration.plannedweights import guard
from archit_codegen.declaration.rewrite_guards import guarded
from tests.small import check, small

WRITTEN = '''
class Model:
    def _init_weights(self, module):
        """Says module.q.weight."""
        if isinstance(module, A):
            # From the paper.
            init.normal_(module.q.weight)
            init.normal_(module.q.weights, module.r.q.weight)
            if module.q.weight is not None:
                pass
            elif module.q.weight.data:
                init.zeros_(module.q.weight)
            else:
                if module.q.weight:
                    pass
            for row in rows:
                row.copy_(module.q.weight.data)
'''
GUARDED = '''
class Model:
    def _init_weights(self, module):
        """Says module.q.weight."""
        if isinstance(module, A):
            # From the paper.
            if hasattr(module.q, "weight"):
                init.normal_(module.q.weight)
            init.normal_(module.q.weights, module.r.q.weight)
            if hasattr(module.q, "weight"):
                if module.q.weight is not None:
                    pass
                elif module.q.weight.data:
                    if hasattr(module.q, "weight"):
                        init.zeros_(module.q.weight)
                else:
                    if hasattr(module.q, "weight"):
                        if module.q.weight:
                            pass
            for row in rows:
                if hasattr(module.q, "weight"):
                    row.copy_(module.q.weight.data)
'''


def test_each_statement_asks_first() -> None:
    edit, module = Guard("q", "weight"), cst.parse_module(WRITTEN)
    (written,) = module.body
    assert isinstance(written, cst.ClassDef)
    assert module.with_changes(body=[guarded(written, edit)]).code == GUARDED
    (planned,) = ast.parse(WRITTEN).body
    assert isinstance(planned, ast.ClassDef)
    guard(planned, edit)
    assert ast.unparse(planned) == ast.unparse(ast.parse(GUARDED))


class Scaled(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return 0.5 * self.inner(hidden_states)


def siglip() -> nn.Module:
    config = tf.SiglipVisionConfig(
        hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, image_size=4, patch_size=2
    )
    return small(tf.SiglipVisionModel, config)


def test_a_wrapped_projection_has_no_weight_of_its_own() -> None:
    live = siglip()
    attention = live.encoder.layers[1].self_attn
    attention.q_proj = Scaled(attention.q_proj)
    text = check(live, 'if hasattr(module.q_proj, "weight"): init.xavier_uniform_(module.q_proj.weight)')
    assert text.count("hasattr(module.") == siglip_text().count("hasattr(module.") + 2  # its bias, too


def siglip_text() -> str:
    live = siglip()
    live.encoder.layers[1].mlp.fc1 = nn.Linear(8, 12)
    live.encoder.layers[1].self_attn.dropout = 0.25
    return check(live, "self.dropout = 0.25")
