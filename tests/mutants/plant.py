"""Which mistakes are planted: spread over cases, files and kinds, the same ones every time."""

import ast
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from archit_codegen.errors import ArchitError
from tests.mutants.cases import Case
from tests.mutants.operators import Mutation, mutations


@dataclass(frozen=True, slots=True)
class Mutant:
    """A package with one mistake."""

    case: str
    path: str
    kind: str
    line: int
    files: Mapping[str, str]

    @property
    def place(self) -> str:
        return f"{self.case}: {self.path.rpartition('/')[2]}, line {self.line}, {self.kind}"


def mutants(name: str, case: Case, each: int) -> Iterator[Mutant]:
    """At most so many of each kind in each file of a case."""
    for path, text in case.emitted.files.items():
        tree = ast.parse(text)
        before = ast.dump(tree)
        by_kind: dict[str, list[Mutation]] = {}
        for mutation in mutations(tree):
            by_kind.setdefault(mutation.kind, []).append(mutation)
        for kind, found in sorted(by_kind.items()):
            for mutation in spread(found, each):
                mutated = mutation.text(tree)
                if differs(before, mutated):
                    yield Mutant(name, path, kind, mutation.line, {**case.emitted.files, path: mutated})


def spread(found: Sequence[Mutation], count: int) -> list[Mutation]:
    """So many of them, as far from each other as they can be."""
    step = max(len(found) / count, 1.0)
    return [found[int(place * step)] for place in range(min(count, len(found)))]


def differs(before: str, mutated: str) -> bool:
    """Whether a text is Python, and another program."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(mutated, "<mutant>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return ast.dump(ast.parse(mutated)) != before


def refusal(case: Case, files: Mapping[str, str]) -> ArchitError | None:
    """What validation says against a package."""
    try:
        case.validate(files)
    except ArchitError as error:
        return error
    return None
