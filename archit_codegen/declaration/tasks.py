"""The tasks that heads are written for, and the config fields that heads read. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """One task by its name in a spec; ``head`` is the middle of the name of its head class, ``auto`` the Auto class of
    transformers for it. ``by_token`` heads read each token's state, ``pooled`` ones one state for the sequence."""

    name: str
    head: str
    auto: str | None = None
    by_token: bool = False
    pooled: bool = False
    vocabulary: bool = False
    causal: bool = False
    free: bool = True  # whether another head class can be given

    @property
    def title(self) -> str:
        """ "TokenClassification" for "token-classification"."""
        return title_of(self.name)

    @property
    def template(self) -> str:
        return template_of(self.name)


def title_of(name: str) -> str:
    words = {"lm": "LM"}
    return "".join(words.get(word, word.capitalize()) for word in name.split("-"))


def template_of(name: str) -> str:
    return f"{name.replace('-', '_')}.py.jinja"


TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task("token-classification", "TokenClassificationHead", "AutoModelForTokenClassification", by_token=True),
        Task(
            "sequence-classification",
            "SequenceClassificationHead",
            "AutoModelForSequenceClassification",
            pooled=True,
        ),
        Task("question-answering", "SpanHead", "AutoModelForQuestionAnswering", by_token=True),
        Task("answerable-question-answering", "AnswerableSpanHead", by_token=True, pooled=True),
        Task("multiple-choice", "SequenceClassificationHead", "AutoModelForMultipleChoice", pooled=True),
        Task("masked-lm", "MaskedLMHead", "AutoModelForMaskedLM", by_token=True, vocabulary=True),
        Task("causal-lm", "CausalLMHead", "AutoModelForCausalLM", by_token=True, vocabulary=True, causal=True),
        Task("dependency-parsing", "DependencyParsingHead", by_token=True),
        Task("multi-task", "TaskHead", by_token=True, pooled=True, free=False),
    )
}

# Annotation and default, as they stand in the config class; those of which the text of the heads reads none are left
# out. `head_pooling` and `head_activation` depend on the base model.
FIELDS: Mapping[str, tuple[str, object]] = {
    "classifier_dropout": ("float | None", None),
    "tie_word_embeddings": ("bool", False),
    "head_activation": ("str | None", None),
    "head_answerability_weight": ("float", 1.0),
    "head_arc_size": ("int", 500),
    "head_auxiliary_losses": ("bool", True),
    "head_dropout": ("float", 0.33),
    "head_layers": ("int", 1),
    "head_pooling": ("str", "mean"),
    "head_projective": ("bool", False),
    "head_relation_size": ("int", 100),
    "head_scale": ("float", 0.0),
    "head_stride": ("int | None", None),
    "head_window": ("int | None", None),
    "head_word_pooling": ("str", "mean"),
    "heads": ("dict", {}),
}
