"""Sings if anything of the corpus is ever executed."""

SUNG: list[str] = []
CALL = "__import__('tests.hostile.canary', fromlist=['sing']).sing()"


def sing() -> int:
    SUNG.append("executed")
    return 0
