"""Toy problems, one for each task, that a small model can solve and a head without training cannot."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

VOCABULARY, FIRST, LENGTH = 30, 10, 10  # tokens below the first mean something in some problem
MARK, END, MASK = 5, 6, 4
Batch = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """Batches with labels, and the share of the predictions that are right; ``options`` are fields of the config."""

    task: str
    batch: Callable[[int, torch.Generator], Batch]
    score: Callable[[Any, Batch], float]
    options: Mapping[str, Any]
    causal: bool = False


def words(size: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randint(FIRST, VOCABULARY, (size, LENGTH), generator=generator)


def share(right: torch.Tensor) -> float:
    return right.float().mean().item()


def tagged(size: int, generator: torch.Generator) -> Batch:
    """The tag of a token depends on it and on whether a mark stands before it."""
    tokens = words(size, generator)
    tokens[torch.rand(tokens.shape, generator=generator) < 0.2] = MARK
    after = torch.cat((torch.zeros(size, 1, dtype=torch.bool), tokens[:, :-1] == MARK), 1)
    return {"input_ids": tokens, "labels": (tokens % 3 + after) % 3}


def classified(size: int, generator: torch.Generator) -> Batch:
    """Which of three marks stands somewhere in the text."""
    tokens, labels = words(size, generator), torch.randint(0, 3, (size,), generator=generator)
    places = torch.randint(0, LENGTH, (size,), generator=generator)
    tokens[torch.arange(size), places] = MARK + labels
    return {"input_ids": tokens, "labels": labels}


def asked(size: int, generator: torch.Generator) -> Batch:
    """The answer goes from one mark to the other."""
    tokens = words(size, generator)
    starts = torch.randint(0, LENGTH - 4, (size,), generator=generator)
    ends = starts + torch.randint(1, 4, (size,), generator=generator)
    tokens[torch.arange(size), starts], tokens[torch.arange(size), ends] = MARK, END
    return {"input_ids": tokens, "start_positions": starts, "end_positions": ends}


def asked_in_vain(size: int, generator: torch.Generator) -> Batch:
    """The same; half of the texts have no marks."""
    batch, plain = asked(size, generator), words(size, generator)
    answerable = torch.randint(0, 2, (size,), generator=generator)
    tokens = torch.where(answerable.unsqueeze(1) == 1, batch["input_ids"], plain)
    return {**batch, "input_ids": tokens, "answerable_labels": answerable}


def chosen(size: int, generator: torch.Generator) -> Batch:
    """The right choice is the one with the mark."""
    tokens = torch.stack([words(size, generator) for _ in range(4)], 1)
    labels = torch.randint(0, 4, (size,), generator=generator)
    places = torch.randint(0, LENGTH, (size,), generator=generator)
    tokens[torch.arange(size), labels, places] = MARK
    return {"input_ids": tokens, "labels": labels}


def hidden(size: int, generator: torch.Generator) -> Batch:
    """Each text says two words in turn, and one of them is hidden."""
    pair = torch.randint(FIRST, VOCABULARY, (size, 2), generator=generator)
    tokens = pair.repeat(1, LENGTH // 2)
    labels = torch.full_like(tokens, -100)
    places = torch.randint(0, LENGTH, (size,), generator=generator)
    labels[torch.arange(size), places] = tokens[torch.arange(size), places]
    tokens[torch.arange(size), places] = MASK
    return {"input_ids": tokens, "labels": labels}


def counted(size: int, generator: torch.Generator) -> Batch:
    """Each token is the one before it plus one."""
    start = torch.randint(0, VOCABULARY - FIRST, (size, 1), generator=generator)
    tokens = FIRST + (start + torch.arange(LENGTH)) % (VOCABULARY - FIRST)
    return {"input_ids": tokens, "labels": tokens}


DETERMINER, NOUN, VERB = 0, 1, 2
ROOT, DETERMINES, SUBJECT, OBJECT, NEXT = range(5)


def sentence(generator: torch.Generator) -> tuple[list[int], list[int], list[int]]:
    """Kinds of words, heads and relations: clauses of a noun, a verb and mostly another noun, each verb below the one
    before it; some nouns have a determiner."""
    kinds: list[int] = []
    heads: list[int] = []
    relations: list[int] = []
    verb = 0
    while len(kinds) <= LENGTH - 5:
        with_first, with_object, with_second = (torch.rand(3, generator=generator) < 0.5).tolist()
        start = len(kinds)
        own = start + with_first + 2
        clause = [DETERMINER] * with_first + [NOUN, VERB]
        arcs = [start + 2] * with_first + [own, verb]
        names = [DETERMINES] * with_first + [SUBJECT, NEXT if verb else ROOT]
        if with_object:
            noun = own + with_second + 1
            clause += [DETERMINER] * with_second + [NOUN]
            arcs += [noun] * with_second + [own]
            names += [DETERMINES] * with_second + [OBJECT]
        kinds, heads, relations, verb = kinds + clause, heads + arcs, relations + names, own
    return kinds, heads, relations


def parsed(size: int, generator: torch.Generator) -> Batch:
    """Sentences of words that tell their kind."""
    tokens = torch.zeros(size, LENGTH, dtype=torch.long)
    arcs, names = torch.full_like(tokens, -100), torch.full_like(tokens, -100)
    for row in range(size):
        kinds, heads, relations = sentence(generator)
        spelled = torch.randint(0, 6, (len(kinds),), generator=generator) * 3 + torch.tensor(kinds)
        tokens[row, : len(kinds)] = FIRST + spelled
        arcs[row, : len(kinds)], names[row, : len(kinds)] = torch.tensor(heads), torch.tensor(relations)
    return {"input_ids": tokens, "attention_mask": (tokens > 0).long(), "arc_labels": arcs, "relation_labels": names}


def several(size: int, generator: torch.Generator) -> Batch:
    """Tags for the tokens and a topic for the text, at once."""
    batch = classified(size, generator)
    return {**batch, "labels": {"tags": batch["input_ids"] % 3, "topic": batch["labels"]}}


def by_argmax(model: Any, batch: Batch) -> float:
    logits, labels = model(**batch).logits, batch["labels"]
    return share((logits.argmax(-1) == labels)[labels != -100])


def by_span(model: Any, batch: Batch) -> float:
    outputs = model(**batch)
    right = (outputs.start_logits.argmax(-1) == batch["start_positions"]) & (
        outputs.end_logits.argmax(-1) == batch["end_positions"]
    )
    if "answerable_labels" in batch:
        told = outputs.answerable_logits.argmax(-1) == batch["answerable_labels"]
        right = told & (right | (batch["answerable_labels"] == 0))
    return share(right)


def by_next_token(model: Any, batch: Batch) -> float:
    tokens = batch["input_ids"]
    found = model.generate(input_ids=tokens[:, :3], max_new_tokens=LENGTH - 3, do_sample=False)
    return share(found[:, 3:] == tokens[:, 3:])


def by_tree(model: Any, batch: Batch) -> float:
    """Words with the right head and the right relation, in decoded trees."""
    heads, relations = model.decode(model(**batch), attention_mask=batch["attention_mask"])
    right = (heads == batch["arc_labels"]) & (relations == batch["relation_labels"])
    return share(right[batch["arc_labels"] != -100])


def by_all(model: Any, batch: Batch) -> float:
    logits = dict(zip(sorted(batch["labels"]), model(**batch).logits, strict=True))
    return min(share(logits[name].argmax(-1) == labels) for name, labels in batch["labels"].items())


SINGLE = {"num_labels": 3, "problem_type": "single_label_classification"}
TWO = {
    "tags": {"task": "token-classification", "num_labels": 3},
    "topic": {"task": "sequence-classification", **SINGLE},
}
SMALL = {"num_labels": 5, "head_arc_size": 32, "head_relation_size": 16, "head_dropout": 0.1}
PROBLEMS = (
    Problem("token-classification", tagged, by_argmax, {"num_labels": 3}),
    Problem("sequence-classification", classified, by_argmax, SINGLE),
    Problem("question-answering", asked, by_span, {}),
    Problem("answerable-question-answering", asked_in_vain, by_span, {}),
    Problem("multiple-choice", chosen, by_argmax, {}),
    Problem("masked-lm", hidden, by_argmax, {}),
    Problem("causal-lm", counted, by_next_token, {}, causal=True),
    Problem("dependency-parsing", parsed, by_tree, SMALL),
    Problem("multi-task", several, by_all, {"heads": TWO}),
)
