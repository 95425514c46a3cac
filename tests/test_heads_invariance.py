"""What must not matter to a head: padding, the order of a batch, and labels of -100. For each task."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.heads.labels import labelled
from tests.heads.small import TASKS, headed, llama, text

LENGTHS = st.lists(st.integers(3, 9), min_size=2, max_size=3)
BASES = {"causal-lm": llama}
CLOSE = {"rtol": 1e-3, "atol": 1e-4}
PER_WORD = ("labels", "arc_labels", "relation_labels")


@cache
def model_for(task: str) -> Any:
    base = BASES[task]() if task in BASES else None
    return headed(task, base, **({"problem_type": "single_label_classification"} if "sequence" in task else {}))


def by_row(value: Any, row: int) -> Any:
    """The labels of one row of a batch, as a batch of one."""
    if isinstance(value, dict):
        return {name: by_row(item, row) for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(by_row(item, row) for item in value)
    return value[row : row + 1]


def ignored(value: Any, row: int) -> Any:
    """The labels with those of one row ignored."""
    if isinstance(value, dict):
        return {name: ignored(item, row) for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(ignored(item, row) for item in value)
    return torch.stack([torch.full_like(item, -100) if index == row else item for index, item in enumerate(value)])


def tensors(value: Any, place: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield place, value
    elif isinstance(value, dict):
        for name, item in value.items():
            if name not in ("loss", "past_key_values", "hidden_states", "attentions"):
                yield from tensors(item, f"{place}.{name}")
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from tensors(item, f"{place}[{index}]")


def agree(task: str, whole: Any, row: int, alone: Any, length: int) -> None:
    """The predictions of a row are those of the same text alone, as far as it goes."""
    found = dict(tensors(dict(whole)))
    for place, expected in tensors(dict(alone)):
        part = found[place][row : row + 1]
        part = part[tuple(slice(size) for size in expected.shape)]
        assert torch.allclose(part, expected, **CLOSE), f"{task}{place}, row {row} of {length} tokens"


@pytest.mark.parametrize("task", TASKS)
@given(lengths=LENGTHS, padding=st.integers(0, 4), seed=st.integers(0, 9))
@settings(max_examples=12, deadline=None)
@torch.no_grad()
def test_padding_does_not_change_predictions(task: str, lengths: list[int], padding: int, seed: int) -> None:
    model = model_for(task)
    inputs = text(*lengths, length=max(lengths) + padding, seed=seed)
    whole = model(**unlabelled(task, inputs))
    for row, length in enumerate(lengths):
        cut = {name: value[row : row + 1, :length] for name, value in inputs.items()}
        agree(task, whole, row, model(**unlabelled(task, cut)), length)


def unlabelled(task: str, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """One choice for each example: `labelled` would pair it with another one."""
    return {name: value.unsqueeze(1) for name, value in inputs.items()} if task == "multiple-choice" else inputs


@pytest.mark.parametrize("task", TASKS)
@given(lengths=LENGTHS, seed=st.integers(0, 9))
@settings(max_examples=8, deadline=None)
@torch.no_grad()
def test_the_order_of_a_batch_does_not_matter(task: str, lengths: list[int], seed: int) -> None:
    model = model_for(task)
    given_ = labelled(task, text(*lengths, seed=seed), seed=seed)
    order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(seed))
    before, after = model(**given_), model(**reordered(given_, order))
    assert torch.allclose(before.loss, after.loss, **CLOSE)
    found = dict(tensors(dict(after)))
    for place, expected in tensors(dict(before)):
        assert torch.allclose(found[place], expected[order], **CLOSE), f"{task}{place}"


def reordered(value: Any, order: torch.Tensor) -> Any:
    if isinstance(value, dict):
        return {name: reordered(item, order) for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(reordered(item, order) for item in value)
    return value[order]


@pytest.mark.parametrize("task", TASKS)
@given(lengths=st.lists(st.integers(3, 9), min_size=2, max_size=2), seed=st.integers(0, 9))
@settings(max_examples=8, deadline=None)
@torch.no_grad()
def test_ignored_labels_do_not_count(task: str, lengths: list[int], seed: int) -> None:
    """A text whose labels are all ignored adds nothing to the loss, and neither does padding."""
    model = model_for(task)
    inputs = text(*lengths, length=max(lengths) + 2, seed=seed)
    given_ = labelled(task, inputs, seed=seed)
    labels = {name: value for name, value in given_.items() if name not in inputs}
    first = model(**by_row(given_, 0)).loss
    whole = model(**{**given_, **ignored(labels, 1)}).loss
    assert torch.allclose(whole, first, **CLOSE)


@pytest.mark.parametrize("task", ["answerable-question-answering", "dependency-parsing"])
@torch.no_grad()
def test_a_batch_without_any_label_adds_nothing(task: str) -> None:
    model = model_for(task)
    inputs = text(5, 4)
    given_ = labelled(task, inputs)
    labels = {name: value for name, value in given_.items() if name not in inputs}
    for row in range(2):
        labels = ignored(labels, row)
    assert model(**{**given_, **labels}).loss == 0


@pytest.mark.parametrize("task", ["question-answering", "answerable-question-answering"])
@torch.no_grad()
def test_answers_outside_of_the_input_are_ignored(task: str) -> None:
    model = model_for(task)
    given_ = labelled(task, text(6, 6))
    if "answerable_labels" in given_:
        given_["answerable_labels"] = torch.ones(2, dtype=torch.long)
    losses = []
    for outside in (6, 100, -1):
        moved = {**given_, "start_positions": torch.tensor([2, outside]), "end_positions": torch.tensor([3, outside])}
        losses.append(model(**moved).loss)
    assert losses[0] == losses[1] == losses[2] and losses[0].isfinite()


@torch.no_grad()
def test_spans_of_unanswerable_questions_do_not_count() -> None:
    model = model_for("answerable-question-answering")
    given_ = labelled("answerable-question-answering", text(6, 6))
    given_["answerable_labels"] = torch.tensor([1, 0])
    losses = [model(**{**given_, "start_positions": torch.tensor([1, start])}).loss for start in (0, 5)]
    assert losses[0] == losses[1]
    weighted = headed("answerable-question-answering", answerability_weight=0.0)
    only_spans = weighted(**given_).loss
    row = by_row(given_, 0)
    assert torch.allclose(only_spans, weighted(**row).loss, **CLOSE)
