"""Make targets write their blocks of the README, or say that they cannot."""

import pytest

from tests.readme import README, replace_block

TEXT = "before\n<!-- zoo: begin (make zoo) -->\nold\n<!-- zoo: end -->\nafter\n"


def test_a_block_is_replaced() -> None:
    assert replace_block(TEXT, "zoo", "make zoo", "new") == TEXT.replace("old", "new")


def test_a_text_without_the_block() -> None:
    with pytest.raises(ValueError, match="matrix"):
        replace_block(TEXT, "matrix", "make matrix-table", "new")


@pytest.mark.parametrize(("name", "target"), [("zoo", "make zoo"), ("matrix", "make matrix-table")])
def test_the_readme_has_the_blocks(name: str, target: str) -> None:
    assert "new" in replace_block(README.read_text("utf-8"), name, target, "new")
