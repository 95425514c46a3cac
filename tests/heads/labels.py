"""Inputs and labels for each task, as its documentation says they are."""

from typing import Any

import torch

HEADS = {
    "chunks": {"task": "token-classification", "num_labels": 4, "weight": 0.5},
    "spans": {"task": "question-answering"},
    "topic": {"task": "sequence-classification", "num_labels": 2, "problem_type": "single_label_classification"},
    "trees": {"task": "dependency-parsing", "num_labels": 3, "head_arc_size": 8, "head_relation_size": 6},
}


def labelled(task: str, inputs: dict[str, torch.Tensor], labels: int = 3, seed: int = 5) -> dict[str, Any]:
    """The inputs of a task with labels for all that it predicts."""
    generator = torch.Generator().manual_seed(seed)
    batch, length = inputs["input_ids"].shape

    def draw(high: int, *shape: int) -> torch.Tensor:
        return torch.randint(0, high, (batch, *shape), generator=generator)

    trees = {"arc_labels": draw(length + 1, length), "relation_labels": draw(labels, length)}
    spans = {"start_positions": draw(length), "end_positions": draw(length)}
    made: dict[str, dict[str, Any]] = {
        "token-classification": {"labels": draw(labels, length)},
        "sequence-classification": {"labels": draw(labels)},
        "question-answering": spans,
        "answerable-question-answering": {**spans, "answerable_labels": torch.arange(batch) % 2},
        "multiple-choice": {"labels": torch.zeros(batch, dtype=torch.long)},
        "masked-lm": {"labels": inputs["input_ids"]},
        "causal-lm": {"labels": inputs["input_ids"]},
        "dependency-parsing": trees,
        "multi-task": {
            "labels": {
                "chunks": draw(labels, length),
                "spans": tuple(spans.values()),
                "topic": draw(2),
                "trees": tuple(trees.values()),
            }
        },
    }
    if task == "multiple-choice":
        inputs = {name: torch.stack([value, value.flip(0)], dim=1) for name, value in inputs.items()}
    return {**inputs, **made[task]}
