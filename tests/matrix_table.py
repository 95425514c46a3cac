"""Writes the table of the matrix: `make matrix-table`; `python -m tests.matrix_table FAMILY ...` prints some of it."""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.families import FAMILIES
from tests.matrix import cells, verdict
from tests.readme import write_block
from tests.surgeries import MODIFICATIONS

LEGEND = (
    "Equal tree, strictly loaded state dict, bit-equal outputs with all hidden states and attentions, and again after "
    "save and load. The first mark is with the recorder, the second without."
)
Verdicts = dict[tuple[str, str, bool], str]


def family_verdicts(family: str) -> Verdicts:
    return {cell: verdict(*cell) for cell in cells(family)}


def all_verdicts(families: list[str]) -> Verdicts:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(family_verdicts, families))
    return {cell: text for part in parts for cell, text in part.items()}


def mark(text: str) -> str:
    return {"yes": "✓", "refused": "refused", "WRONG": "WRONG", "CRASH": "CRASH"}[text.split(":")[0]]


def table(verdicts: Verdicts, families: list[str]) -> str:
    rows = ["| |" + "".join(f" {family} |" for family in families), "|---|" + ":-:|" * len(families)]
    for name in MODIFICATIONS:
        marks = [f"{mark(verdicts[f, name, True])} {mark(verdicts[f, name, False])}" for f in families]
        rows.append(f"| {name} |" + "".join(f" {text} |" for text in marks))
    return "\n".join([LEGEND, "", *rows, "", *reasons(verdicts)])


def reasons(verdicts: Verdicts) -> list[str]:
    rebuilt = sum(text == "yes" for text in verdicts.values())
    lines = [f"{rebuilt} of {len(verdicts)} rebuilt."]
    for (family, name, recorded), text in verdicts.items():
        if text != "yes":
            how = "recorded" if recorded else "unrecorded"
            lines.append(f"- {family}, {name}, {how}: {' '.join(text.split())[:400]}")
    return lines


def main(families: list[str]) -> int:
    unknown = [family for family in families if family not in FAMILIES]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; known: {', '.join(FAMILIES)}", file=sys.stderr)
        return 2
    verdicts = all_verdicts(families or list(FAMILIES))
    block = table(verdicts, families or list(FAMILIES))
    if families:
        print(block)
    else:
        write_block("matrix", "make matrix-table", block)
    return int(any(text != "yes" for text in verdicts.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
