"""One of several processes that write and check one package: `python -m tests.contention SPEC SEED ROUNDS`."""

import random
import sys
from pathlib import Path

from archit_codegen.cli.judging import judge
from archit_codegen.regeneration.spec import read_spec
from tests.prepared import emitted, generated

CASES = ("llama_norm_eps", "mixtral_router", "vit_patch_embedding")
"""Packages of three shapes: files come and go from one to the next."""


def main(spec_file: Path, seed: int, rounds: int) -> None:
    spec, chance = read_spec(spec_file), random.Random(seed)
    (model,) = spec.models
    for number in range(rounds):
        if number % 2:
            generated(spec, model, emitted(model.name, chance.choice(CASES)))
        else:
            (status,) = judge(spec, [])
            assert status.fresh, status.problems


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
