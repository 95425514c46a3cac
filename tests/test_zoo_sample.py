"""A spread sample of the zoo: classes over all of transformers, modifications over the whole catalogue."""

from functools import cache

import pytest
import torch

from tests.zoo import ledger
from tests.zoo.discovery import discover
from tests.zoo.plan import Cell, sample
from tests.zoo.run import CRASH, WRONG, Row, run

SIZE = 24


@cache
def chosen() -> list[Cell]:
    """In the tests and not on import: to discover the classes takes seconds."""
    torch.set_num_threads(1)
    return sample(discover().classes, SIZE)


@pytest.mark.parametrize("index", range(SIZE))
def test_is_rebuilt_or_refused_and_no_worse_than_the_ledger(index: int) -> None:
    cls, modification = chosen()[index]
    row = run(cls, modification)
    assert row.outcome not in (WRONG, CRASH), row
    assert not ledger.worse(ledger.read().get(ledger.key(row)), row), row


def row(outcome: str, text: str = "", modification: str = "norm_eps") -> Row:
    return Row("bert.BertModel", modification, outcome, text)


def test_the_ledger_reads_what_it_wrote(tmp_path) -> None:
    rows = [row("rebuilt", "0123456789ab"), row("refused", "UnsupportedChange: no", "bias_added")]
    paths = tmp_path / "ledger.tsv", tmp_path / "hashes.txt"
    ledger.write(ledger.merged({}, rows), ["bias_added", "norm_eps"], *paths)
    assert ledger.read(*paths) == {ledger.key(one): one for one in rows}


@pytest.mark.parametrize(
    ("before", "now", "is_worse"),
    [
        ("rebuilt", "rebuilt", False), ("rebuilt", "refused", True), ("refused", "rebuilt", False),
        ("refused", "refused", False), ("rebuilt", "n/a", True), ("n/a", "refused", True), ("refused", "CRASH", True),
    ],
)  # fmt: skip
def test_what_is_worse(before: str, now: str, is_worse: bool) -> None:
    assert ledger.worse(row(before), row(now)) is is_worse


def test_a_crash_is_worse_than_nothing_known() -> None:
    assert ledger.worse(None, row("CRASH"))
    assert not ledger.worse(None, row("refused"))


def test_a_class_that_builds_again_loses_its_row_for_all() -> None:
    known = ledger.merged({}, [row("not-built", "ImportError: timm")])
    assert list(known) == [("bert.BertModel", "*")]
    assert list(ledger.merged(known, [row("rebuilt", "0123")])) == [("bert.BertModel", "norm_eps")]
