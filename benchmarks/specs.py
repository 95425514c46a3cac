"""Specs whose models are really compiled: four families by turns, each model with a change of its own."""

from pathlib import Path

FAMILIES = {
    "llama": ("Llama", "LlamaForCausalLM", "model.norm", "hidden_size"),
    "bert": ("Bert", "BertForMaskedLM", "bert.embeddings.LayerNorm", "hidden_size"),
    "vit": ("ViT", "ViTForImageClassification", "vit.layernorm", "hidden_size"),
    "mamba": ("Mamba", "MambaForCausalLM", "backbone.norm_f", "hidden_size"),
}
"""By model type: the prefix of its config class, its class, and a norm with the field of its width."""

SURGERY = """\
from torch import nn
from transformers import {prefix}Config, {cls}


def build():
    model = {cls}({prefix}Config(num_hidden_layers=4))
    model.set_submodule("{path}", nn.LayerNorm(model.config.{width}, eps={eps}))
    return model
"""


def write_spec(root: Path, count: int) -> None:
    """A project of ``count`` models m0, m1, ..., none of which is generated yet."""
    (root / "surgery").mkdir(parents=True)
    families = list(FAMILIES.values())
    for number in range(count):
        prefix, cls, path, width = families[number % len(families)]
        text = SURGERY.format(prefix=prefix, cls=cls, path=path, width=width, eps=1e-4 + number * 1e-6)
        (root / "surgery" / f"m{number}.py").write_text(text)
    tables = (
        f'[[model]]\nname = "m{number}"\nsurgery = "surgery/m{number}.py:build"\nsuffix = "WithNorm"\n'
        for number in range(count)
    )
    (root / "archit.toml").write_text("\n".join(['output = "emitted"', *tables]))
