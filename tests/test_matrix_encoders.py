"""Encoders by modifications: each is rebuilt exactly, with and without the recorder."""

import pytest

from tests.matrix import case_id, cells, run_cell


@pytest.mark.parametrize("cell", cells("roberta", "bert", "deberta_v2", "modernbert"), ids=case_id)
def test_the_package_is_the_live_model(cell: tuple[str, str, bool]) -> None:
    family, name, recorded = cell
    run_cell(family, name, recorded=recorded)
