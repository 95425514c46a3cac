"""Values that somebody might put in a config, an argument or an attribute."""

import enum
import math
from collections import OrderedDict
from fractions import Fraction
from pathlib import PurePosixPath

import torch

from tests.hostile.canary import CALL


class Sly(int):
    """An int whose text is somebody's code."""

    def __repr__(self) -> str:
        return CALL

    __str__ = __repr__


class SlyText(str):
    """A str whose text is somebody's code."""

    def __repr__(self) -> str:
        return CALL

    __str__ = __repr__


class SlyFloat(float):
    """A float whose text is somebody's code."""

    def __repr__(self) -> str:
        return CALL


class SlyList(list[object]):
    """A list whose text is somebody's code."""

    def __repr__(self) -> str:
        return CALL


class SlyDict(dict[str, object]):
    """A dict whose text is somebody's code."""

    def __repr__(self) -> str:
        return CALL


class SlyTuple(tuple[object, ...]):
    """A tuple whose text is somebody's code."""

    def __repr__(self) -> str:
        return CALL


class Named:
    """Any object whose text is somebody's code."""

    __name__ = CALL

    def __repr__(self) -> str:
        return CALL


class Colour(enum.IntEnum):
    RED = 1


class Word(enum.StrEnum):
    EVIL = CALL


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


def itself() -> list[object]:
    value: list[object] = []
    value.append(value)
    return value


VALUES = (
    0,
    -1,
    10**100,
    -(10**5000),
    1 << 20_000,
    2**63,
    0.0,
    -0.0,
    1e308,
    5e-324,
    0.1,
    math.inf,
    -math.inf,
    math.nan,
    True,
    None,
    (),
    (1,),
    ((),),
    [],
    [[]],
    {},
    {"a": {"b": [1, (2,)]}},
    [CALL],
    (CALL, CALL),
    {CALL: CALL},
    {"": ""},
    {"a.b": 1, "\n": 2},
    [None, True, 1, 1.0, "1"],
    {"__class__": "x"},
    {"self": 1},
    [float("nan"), float("inf")],
    nested(40),
    [-1, -0.0],
    {"\ud800": "\r"},
    [[CALL] * 50] * 50,
)
"""Values that have a literal, though not always the one that `repr` gives."""

REFUSED = (
    Sly(3),
    SlyText("a"),
    SlyFloat(1.0),
    SlyList([1]),
    SlyDict(a=1),
    SlyTuple((1,)),
    Named(),
    object(),
    [Sly(3)],
    {"a": SlyText("a")},
    {SlyText("a"): 1},
    (Sly(1),),
    {"a": [{"b": Named()}]},
    nested(500),
    itself(),
    [itself()],
    Fraction(1, 2),
    PurePosixPath("/etc"),
    iter(()),
    memoryview(b"a"),
    Exception(CALL),
    NotImplementedError(CALL),
    OrderedDict(a=Sly(1)),
    type("E", (), {"__repr__": lambda self: CALL})(),
    range(3).__iter__(),
    (x for x in ()),
)
"""Values that have none."""

CONSTANTS = (
    torch.float16,
    torch.int64,
    torch.strided,
    torch.channels_last,
    torch.device("cpu"),
    torch.Size([1, 2]),
    b"\x00\xff'\"",
    1 + 2j,
    complex(0.0, -0.0),
    {1, 2},
    frozenset({CALL}),
    ...,
    slice(1, None),
    range(3),
    {1: 2, (1, 2): 3},
    bytearray(b"'"),
)
"""Values that source has a literal for, and a config (which is JSON) has not."""


MEMBERS = (Colour.RED, Word.EVIL)
"""Values of enumerations: not the plain values that they compare equal to."""
