"""Models with a head, from any base model: `ForTokenClassification.from_model_and_head_config(base, head_config)`."""

import copy
from pathlib import Path
from typing import Any, ClassVar

from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from ..declaration.relatives import base_of
from ..declaration.tasks import title_of
from ..errors import InvalidDeclaration
from . import heads
from .checkpoints import load
from .heads import HeadConfig
from .rendering import on_live_base, on_meta, render_task

__all__ = [
    "ForAnswerableQuestionAnswering",
    "ForCausalLM",
    "ForDependencyParsing",
    "ForMaskedLM",
    "ForMultiLabelSequenceClassification",
    "ForMultiTask",
    "ForMultipleChoice",
    "ForQuestionAnswering",
    "ForSequenceClassification",
    "ForSequenceRegression",
    "ForSingleLabelSequenceClassification",
    "ForTokenClassification",
    "Task",
]


class Task:
    """A task that any base model can be given a head for. What is made is a model of transformers like every other:
    it has a config, saves itself, and can be trained."""

    name: ClassVar[str]
    head_config: ClassVar[type[HeadConfig]] = HeadConfig
    fixed: ClassVar[dict[str, Any]] = {}  # config fields that belong to the task
    templates: ClassVar[str | Path | None] = None  # a folder with templates of the user's

    @classmethod
    def from_model_and_head_config(cls, model: nn.Module, head_config: HeadConfig | None = None) -> Any:
        """A head with new weights on a live base model, which becomes part of the result; a head that it has already
        is left out.

        Raises:
            InvalidDeclaration: there is no base model of transformers, or it cannot have this task.
        """
        base = base_of(model)
        own = None if head_config is None else head_config.head
        rendered = render_task(cls.name, base, own, cls.templates)
        config = copy.deepcopy(base.config)
        cls._apply(config, head_config)
        rendered.complete(config, cls.name)
        return on_live_base(rendered, base, config)

    fromModelAndHeadConfig = from_model_and_head_config  # noqa: N815  # the name that ArchIt's users know

    @classmethod
    def from_pretrained(
        cls,
        checkpoint: str | Path,
        base_model_class: type[PreTrainedModel],
        head_config: HeadConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        """A model with this head from a checkpoint: of the base model, of this very task (then no head config is
        needed), of transformers' own class for the task where its head means the same, or of another task, whose
        head is left out. ``newly_initialised`` of the result names the weights that the checkpoint did not have.

        Raises:
            InvalidDeclaration: the checkpoint lacks weights of the base model, or of its own head.
        """
        if not (isinstance(base_model_class, type) and issubclass(base_model_class, PreTrainedModel)):
            raise InvalidDeclaration(
                f"The base model class has to be one of transformers' models, not {base_model_class!a}."
            )
        config = base_model_class.config_class.from_pretrained(checkpoint)
        saved = copy.deepcopy(config)
        cls._apply(config, head_config)
        base = on_meta(base_model_class, config)
        rendered = render_task(cls.name, base, None if head_config is None else head_config.head, cls.templates)
        rendered.complete(config, cls.name)
        return load(cls.name, checkpoint, rendered, base, config, saved, kwargs)

    @classmethod
    def _apply(cls, config: PreTrainedConfig, head_config: HeadConfig | None) -> None:
        if head_config is not None and not isinstance(head_config, cls.head_config):
            raise InvalidDeclaration(
                f"{cls.__name__} takes a {cls.head_config.__name__}, not a {type(head_config).__name__}."
            )
        (head_config or cls.head_config()).apply(config)
        for name, value in cls.fixed.items():
            setattr(config, name, value)


def _task(name: str, title: str = "", **fixed: Any) -> type[Task]:
    """The task of this name; ``title`` ends the name of its class, where that is another than the task's."""
    known = title_of(name)
    fields = {"name": name, "head_config": getattr(heads, f"{known}HeadConfig"), "fixed": fixed}
    return type(f"For{title or known}", (Task,), {**fields, "__module__": __name__})


ForTokenClassification = _task("token-classification")
ForSequenceClassification = _task("sequence-classification")
ForSingleLabelSequenceClassification = _task(
    "sequence-classification", "SingleLabelSequenceClassification", problem_type="single_label_classification"
)
ForMultiLabelSequenceClassification = _task(
    "sequence-classification", "MultiLabelSequenceClassification", problem_type="multi_label_classification"
)
ForSequenceRegression = _task("sequence-classification", "SequenceRegression", problem_type="regression")
ForQuestionAnswering = _task("question-answering")
ForAnswerableQuestionAnswering = _task("answerable-question-answering")
ForMultipleChoice = _task("multiple-choice")
ForMaskedLM = _task("masked-lm")
ForCausalLM = _task("causal-lm")
ForDependencyParsing = _task("dependency-parsing")
ForMultiTask = _task("multi-task")
