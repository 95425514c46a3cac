"""The twelve models that are measured: default configs on `meta`, each with one embedding swapped."""

import importlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from benchmarks.parts import ScaledEmbedding

NAME, SUFFIX = "measured", "WithScale"


@dataclass(frozen=True, slots=True)
class Case:
    """A class of transformers ("roberta.RobertaForMaskedLM"), and the path of the embedding that is swapped in it."""

    title: str
    cls: str
    embedding: str

    @property
    def declared(self) -> type[nn.Module]:
        package, _, name = self.cls.partition(".")
        module = importlib.import_module(f"transformers.models.{package}.modeling_{package}")
        found: type[nn.Module] = getattr(module, name)
        return found

    def built(self) -> nn.Module:
        """The declared model with its default config, on `meta`."""
        cls: Any = self.declared
        return built(cls, cls.config_class())

    def live(self) -> nn.Module:
        """The model as its user has it: one embedding is another module, which keeps the old weights."""
        model = self.built()
        swap(model, self.embedding)
        return model.eval()


CASES = (
    Case("RoBERTa", "roberta.RobertaForMaskedLM", "roberta.embeddings.word_embeddings"),
    Case("BERT", "bert.BertForMaskedLM", "bert.embeddings.word_embeddings"),
    Case("Llama", "llama.LlamaForCausalLM", "model.embed_tokens"),
    Case("Qwen3-MoE", "qwen3_moe.Qwen3MoeForCausalLM", "model.embed_tokens"),
    Case("DeepSeek-V3", "deepseek_v3.DeepseekV3ForCausalLM", "model.embed_tokens"),
    Case("T5", "t5.T5ForConditionalGeneration", "encoder.embed_tokens"),
    Case("Whisper", "whisper.WhisperForConditionalGeneration", "model.decoder.embed_tokens"),
    Case("CLIP", "clip.CLIPModel", "text_model.embeddings.token_embedding"),
    Case("SAM", "sam.SamModel", "prompt_encoder.no_mask_embed"),
    Case("Mamba", "mamba.MambaForCausalLM", "backbone.embeddings"),
    # The class around it, which also speaks, does not build with its default config.
    Case(
        "Qwen3-Omni-MoE",
        "qwen3_omni_moe.Qwen3OmniMoeThinkerForConditionalGeneration",
        "model.language_model.embed_tokens",
    ),
    # The largest class of transformers: 1.74 T parameters.
    Case("Inkling", "inkling.InklingForConditionalGeneration", "model.language_model.embed_tokens"),
)


def case(title: str) -> Case:
    """Raises `LookupError` for a title that is none."""
    found = [case for case in CASES if case.title == title]
    if not found:
        raise LookupError(f"no model {title}: there are {', '.join(case.title for case in CASES)}")
    return found[0]


def built(cls: Any, config: Any) -> nn.Module:
    """A model on `meta`: no memory, no weights."""
    with torch.device("meta"):
        model: nn.Module = cls(config)
    return model


def swap(model: nn.Module, path: str) -> None:
    """Put a `ScaledEmbedding` with the same weights in the place of the embedding at a path."""
    old = model.get_submodule(path)
    assert isinstance(old, nn.Embedding), path
    with torch.device("meta"):
        new = ScaledEmbedding(old.num_embeddings, old.embedding_dim, old.padding_idx)
    new.weight = old.weight  # which may be tied
    model.set_submodule(path, new)
