"""`make learn`: an emitted head for each task learns a toy problem, from chance to more than 95 percent. What came of
it stands in docs/heads-learnt.tsv, and in docs/heads.md once that is written."""

import sys
import time
from typing import Any

import torch
import transformers as tf

import archit_codegen as archit
from tests.heads.learnt import note_learnt
from tests.heads.problems import FIRST, PROBLEMS, VOCABULARY, Problem

ENOUGH = 0.95
MOST_STEPS, CHECKED_EVERY = 1500, 50
SIZE, HELD_OUT = 32, 128
SHAPE = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}


def base(causal: bool) -> Any:
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    if causal:
        config = tf.LlamaConfig(**SHAPE, **special, intermediate_size=64, num_key_value_heads=2)
        return tf.LlamaModel(config)
    config = tf.RobertaConfig(**SHAPE, **special, intermediate_size=64, max_position_embeddings=40)
    return tf.RobertaModel(config)


def emitted(problem: Problem) -> Any:
    """The head on a base model without any training, of the class that stands in a package."""
    live = base(problem.causal)
    package = archit.compile_model(live, name="learning", suffix="Learning", heads=[problem.task])
    root = getattr(package.load(), package.heads[problem.task])
    values = {name: value for name, value in live.config.to_diff_dict().items() if name != "model_type"}
    return root(root.config_class(**values, **problem.options))


@torch.no_grad()
def accuracy(model: Any, problem: Problem) -> float:
    model.eval()
    return problem.score(model, problem.batch(HELD_OUT, torch.Generator().manual_seed(99)))


def learn(problem: Problem) -> tuple[float, float, int]:
    """The share that is right before and after the training, and the number of steps."""
    torch.manual_seed(0)
    model, generator = emitted(problem), torch.Generator().manual_seed(1)
    before = after = accuracy(model, problem)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    for step in range(1, MOST_STEPS + 1):
        model.train()
        optimizer.zero_grad()
        model(**problem.batch(SIZE, generator)).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % CHECKED_EVERY == 0 and (after := accuracy(model, problem)) > ENOUGH:
            return before, after, step
    return before, after, MOST_STEPS


def main(names: list[str]) -> int:
    assert FIRST + 18 <= VOCABULARY
    torch.set_num_threads(1)
    failed = False
    for problem in PROBLEMS:
        if names and problem.task not in names:
            continue
        start = time.perf_counter()
        before, after, steps = learn(problem)
        failed |= after <= ENOUGH
        seconds = time.perf_counter() - start
        note_learnt(problem.task, before, after, steps)
        print(f"{problem.task:32} {before:6.1%} -> {after:6.1%} in {steps} steps, {seconds:.0f} s", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
