"""The algorithms of the parser, as they stand in emitted code, against all trees there are."""

from collections.abc import Iterator
from itertools import product
from types import ModuleType

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.heads.small import headed, module_of, text

LARGEST = 5
SCORES = st.integers(1, LARGEST).flatmap(
    lambda n: st.lists(
        st.lists(st.floats(-100, 100, width=32), min_size=n + 1, max_size=n + 1), min_size=n, max_size=n
    )
)


@pytest.fixture(scope="module")
def parser() -> ModuleType:
    return module_of(headed("dependency-parsing"))


def is_tree(heads: tuple[int, ...]) -> bool:
    """Every word reaches the root, and exactly one has it as its head."""
    if heads.count(0) != 1:
        return False
    for word in range(1, len(heads) + 1):
        seen = set()
        while word:
            if word in seen:
                return False
            seen.add(word)
            word = heads[word - 1]
    return True


def is_projective(heads: tuple[int, ...]) -> bool:
    arcs = [tuple(sorted((head, word))) for word, head in enumerate(heads, start=1)]
    return not any(a < c < b < d for a, b in arcs for c, d in arcs)


def all_trees(size: int, projective: bool) -> Iterator[tuple[int, ...]]:
    for heads in product(range(size + 1), repeat=size):
        if is_tree(heads) and (not projective or is_projective(heads)):
            yield heads


def total(scores: list[list[float]], heads: tuple[int, ...]) -> float:
    return sum(row[head] for row, head in zip(scores, heads, strict=True))


@pytest.mark.parametrize("projective", [False, True])
@given(scores=SCORES)
@settings(max_examples=120, deadline=None)
def test_no_tree_is_better(parser: ModuleType, projective: bool, scores: list[list[float]]) -> None:
    found = tuple(parser.best_tree(scores, projective))
    assert is_tree(found) and (not projective or is_projective(found))
    best = max(total(scores, heads) for heads in all_trees(len(scores), projective))
    assert total(scores, found) == pytest.approx(best, abs=1e-3)


def test_the_count_of_trees_is_known() -> None:
    """Of the brute force itself: n ** (n - 1) trees with one word below the root."""
    assert [sum(1 for _ in all_trees(n, False)) for n in (1, 2, 3, 4)] == [1, 2, 9, 64]
    assert [sum(1 for _ in all_trees(n, True)) for n in (1, 2, 3, 4)] == [1, 2, 7, 30]


def test_arcs_may_cross_unless_they_must_not(parser: ModuleType) -> None:
    heads = (0, 4, 1, 1)  # the arc from 4 to 2 crosses the one from 1 to 3
    scores = [[10.0 if head == own else 0.0 for head in range(5)] for own in heads]
    assert tuple(parser.best_tree(scores)) == heads
    assert is_projective(tuple(parser.best_tree(scores, projective=True)))


def test_a_long_sentence_and_an_empty_one(parser: ModuleType) -> None:
    scores = torch.randn(60, 61, generator=torch.Generator().manual_seed(0)).tolist()
    for projective in (False, True):
        assert is_tree(tuple(parser.best_tree(scores, projective)))
    assert parser.best_tree([]) == []


def test_decoding_gives_trees_over_the_words_that_there_are() -> None:
    model = headed("dependency-parsing")
    inputs = text(7, 4)
    outputs = model(**inputs)
    heads, relations = model.decode(outputs, attention_mask=inputs["attention_mask"])
    assert is_tree(tuple(heads[0].tolist())) and is_tree(tuple(heads[1, :4].tolist()))
    assert (heads[1, 4:] == -100).all() and (relations[1, 4:] == -100).all()
    chosen = outputs.relation_logits[0, torch.arange(7), heads[0]]
    assert torch.equal(relations[0], chosen.argmax(-1))


def test_decoding_over_words_of_several_tokens() -> None:
    model = headed("dependency-parsing", projective=True)
    inputs = text(8, 6)
    words = torch.tensor([[-1, 0, 0, 1, 2, 2, 3, -1], [-1, 0, 1, 1, 2, -1, -1, -1]])
    outputs = model(**inputs, word_ids=words)
    assert outputs.arc_logits.shape == (2, 4, 5) and outputs.relation_logits.shape == (2, 4, 5, 3)
    heads, _ = model.decode(outputs, word_ids=words)
    assert is_tree(tuple(heads[0].tolist())) and is_tree(tuple(heads[1, :3].tolist())) and heads[1, 3] == -100
