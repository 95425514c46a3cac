"""What a head is to be, task by task. A field that is not given is left as the config, or the base model, has it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from torch import nn
from transformers import PreTrainedConfig

__all__ = [
    "AnswerableQuestionAnsweringHeadConfig",
    "CausalLMHeadConfig",
    "DependencyParsingHeadConfig",
    "HeadConfig",
    "MaskedLMHeadConfig",
    "MultiTaskHeadConfig",
    "MultipleChoiceHeadConfig",
    "QuestionAnsweringHeadConfig",
    "SequenceClassificationHeadConfig",
    "TokenClassificationHeadConfig",
]

FLAT = {"num_labels", "id2label", "label2id", "problem_type", "classifier_dropout", "tie_word_embeddings", "heads"}
"""Fields that stand in a config of transformers under the same name; all others get ``head_`` before them."""


@dataclass(kw_only=True)
class HeadConfig:
    """``head`` is a head class of the user's instead of the task's own: built from the config of the model, with
    embeddings and mask as inputs, and the task's logits as its output. ``auxiliary_losses`` tells whether losses that
    modules of the base model report are added."""

    head: type[nn.Module] | None = None
    auxiliary_losses: bool | None = None

    def values(self) -> Mapping[str, Any]:
        """The fields that were given, by their names in the config of the model."""
        given = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "head"}
        return {name if name in FLAT else f"head_{name}": value for name, value in given.items() if value is not None}

    def apply(self, config: PreTrainedConfig) -> None:
        """Writes the fields that were given into the config of a model."""
        for name, value in self.values().items():
            setattr(config, name, value)


@dataclass(kw_only=True)
class _OverTokens(HeadConfig):
    """``layers`` mixes the last ones with learnt weights; ``window`` and ``stride`` are tokens; ``word_pooling`` is
    ``"first"``, ``"last"`` or ``"mean"``."""

    layers: int | None = None
    word_pooling: str | None = None
    window: int | None = None
    stride: int | None = None


@dataclass(kw_only=True)
class _Labelled(HeadConfig):
    num_labels: int | None = None
    id2label: dict[int, str] | None = None
    label2id: dict[str, int] | None = None

    def apply(self, config: PreTrainedConfig) -> None:
        if self.num_labels is not None and self.id2label is None:
            config.num_labels = self.num_labels
        super().apply(config)


@dataclass(kw_only=True)
class _Pooled(HeadConfig):
    """``pooling`` is ``"pooler"``, ``"first"``, ``"mean"`` or ``"last"``; ``activation`` that of a hidden layer."""

    classifier_dropout: float | None = None
    pooling: str | None = None
    activation: str | None = None


@dataclass(kw_only=True)
class TokenClassificationHeadConfig(_OverTokens, _Labelled):
    classifier_dropout: float | None = None


@dataclass(kw_only=True)
class SequenceClassificationHeadConfig(_Pooled, _Labelled):
    problem_type: str | None = None


@dataclass(kw_only=True)
class QuestionAnsweringHeadConfig(_OverTokens):
    pass


@dataclass(kw_only=True)
class AnswerableQuestionAnsweringHeadConfig(_Pooled, _OverTokens):
    answerability_weight: float | None = None


@dataclass(kw_only=True)
class MultipleChoiceHeadConfig(_Pooled):
    pass


@dataclass(kw_only=True)
class MaskedLMHeadConfig(HeadConfig):
    tie_word_embeddings: bool | None = None


@dataclass(kw_only=True)
class CausalLMHeadConfig(HeadConfig):
    tie_word_embeddings: bool | None = None


@dataclass(kw_only=True)
class DependencyParsingHeadConfig(_OverTokens, _Labelled):
    """``num_labels`` counts the relations; ``scale`` is the exponent of the width that divides the scores of arcs;
    ``projective`` tells whether arcs of decoded trees may not cross."""

    arc_size: int | None = None
    relation_size: int | None = None
    dropout: float | None = None
    scale: float | None = None
    projective: bool | None = None


@dataclass(kw_only=True)
class MultiTaskHeadConfig(HeadConfig):
    """``heads`` has an entry for each head, by its name: ``{"task": "token-classification", "num_labels": 5}``."""

    heads: dict[str, dict[str, Any]] | None = None
