"""Packages written by hand for a tiny RoBERTa, and what validation says of them."""

import pytest
import torch
from torch import nn
from transformers import RobertaConfig, RobertaForMaskedLM

from archit_codegen.declaration.validate import validate
from archit_codegen.errors import ValidationFailed

ROBERTA = "transformers.models.roberta.modeling_roberta"
TINY = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
}
ORIGINS = {
    "RobertaForMaskedLMNew": f"{ROBERTA}:RobertaForMaskedLM",
    "RobertaEmbeddingsNew": f"{ROBERTA}:RobertaEmbeddings",
    "Halved": f"{__name__}:Halved",
}

INIT = """
from .configuration_tiny import RobertaConfigNew
from .modeling_tiny import RobertaForMaskedLMNew
from transformers import AutoConfig, AutoModelForMaskedLM

AutoConfig.register("tiny", RobertaConfigNew, exist_ok=True)
AutoModelForMaskedLM.register(RobertaConfigNew, RobertaForMaskedLMNew, exist_ok=True)
RobertaConfigNew.register_for_auto_class()
RobertaForMaskedLMNew.register_for_auto_class("AutoModelForMaskedLM")
"""
CONFIGURATION = """
from transformers import RobertaConfig


class RobertaConfigNew(RobertaConfig):
    model_type = "tiny"
    more: int = 3
"""
MODELING = """
import torch
from torch import nn
from transformers.models.roberta.modeling_roberta import RobertaEmbeddings, RobertaForMaskedLM, RobertaSelfOutput

from .configuration_tiny import RobertaConfigNew


class RobertaEmbeddingsNew(RobertaEmbeddings):
    pass


class Halved(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


class RobertaForMaskedLMNew(RobertaForMaskedLM):
    config: RobertaConfigNew

    def __init__(self, config):
        super().__init__(config)
        {body}
        self.post_init()
"""


class Halved(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def package(body, init_weights=""):
    return {
        "tiny/__init__.py": INIT,
        "tiny/configuration_tiny.py": CONFIGURATION,
        "tiny/modeling_tiny.py": MODELING.replace("{body}", body) + init_weights,
    }


def roberta(**changes):
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        return RobertaForMaskedLM(RobertaConfig(**TINY, **changes))


def with_eps():
    live = roberta()
    live.roberta.encoder.layer[1].output.LayerNorm.eps = 0.001
    return live


EPS = "self.roberta.encoder.layer[1].output.LayerNorm.eps = 0.001"


def check(live, files, **more):
    return validate(live, "tiny", files, "RobertaForMaskedLMNew", ORIGINS, more.pop("inputs", None), **more)


def refused(live, files):
    with pytest.raises(ValidationFailed) as caught:
        check(live, files)
    return caught.value


def half_layer(live):
    live.roberta.encoder.layer[0].to(torch.bfloat16)
