"""Literals: every value of a hostile corpus evaluates to itself, or is refused."""

import enum
import keyword
import math
from collections import OrderedDict, defaultdict, namedtuple
from fractions import Fraction
from pathlib import PurePosixPath

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archit_codegen.declaration.literal import (
    check_attribute_name,
    check_identifier,
    is_plain_identifier,
    is_writable,
    literal_names,
    write_literal,
)
from archit_codegen.errors import InvalidName, UnwritableValue


class Sly(int):
    """A subclass whose repr is somebody's code."""

    def __repr__(self) -> str:
        return "__import__('os').abort()"


class SlyText(str):
    def __repr__(self) -> str:
        return "__import__('os').abort()"


class Colour(enum.IntEnum):
    RED = 1


class Name(str, enum.Enum):  # noqa: UP042  # the older spelling has its own repr
    ONE = "one"


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


def doubled(depth: int) -> list[object]:
    value: list[object] = [0]
    for _ in range(depth):
        value = [value, value]
    return value


def recursive_list() -> list[object]:
    value: list[object] = []
    value.append(value)
    return value


def recursive_dict() -> dict[str, object]:
    value: dict[str, object] = {}
    value["self"] = [value]
    return value


TEXTS = [
    *(
        "",
        " ",
        "'",
        '"',
        "'\"",
        '"""',
        "'''",
        "\\",
        "\\\\",
        "\\n",
        "\n",
        "\r",
        "\r\n",
        "\t",
        "\x00",
        "a\x00b",
        "\x1b[31m",
    ),
    *("\x07", "\x0b", "\x0c", "\x1c", "\x7f", "\x80", "\x85", "\xa0", "\xad", "\u2028", "\u2029", "\u200b", "\u202e"),
    *("\ufeff", "\ud800", "\udfff", "a\udc80b", "\U0010ffff", "é", "e\u0301", "ﬁ", "日本", "😀", "\u3164", "\u115f"),
    *(
        "{x}",
        "%s",
        "#",
        "# coding: latin-1",
        '"; import os; "',
        "\\N{BULLET}",
        "\\x00",
        "{{ x }}",
        "\\\r",
        "\\'",
        "a" * 9999,
    ),
]
NUMBERS = [
    *(0, 1, -1, 255, 10**100, -(10**5000), 2**64, 1 << 20_000, True, False),
    *(0.0, -0.0, 1e-6, 1.5, -2.25, 1e308, 5e-324, 0.1, math.inf, -math.inf, math.pi),
    *(0j, -0.0 + 0j, complex(0.0, -0.0), complex(-0.0, -0.0), 1 + 2j, complex(math.inf, -math.inf), complex(-1.5, 2)),
]
OTHERS = [
    *(None, ..., NotImplemented, b"", b"\x00\xff'\"\\", bytearray(b"ab"), range(3), range(1, -5, -2), slice(None)),
    *(slice(1, 2, 3), slice("a", (1,), None), (), (1,), (1, 2), ((),), [], [[]], {}, {"a": {"b": [1, (2,)]}}),
    *({1: "a", (2, 3): None, "x": ...}, set(), {3, 1, 2}, {"b", "a"}, {1, "a", None}, frozenset(), frozenset({1})),
    *({frozenset({(1, 2)})}, {None: {1}}, {True: 1, "true": 2}, [None, True, 1, 1.0, "1"], nested(50)),
]
TORCH = [
    *(torch.float32, torch.bfloat16, torch.int64, torch.bool, torch.complex64, torch.strided, torch.channels_last),
    *(torch.device("cpu"), torch.device("meta"), torch.device("cuda", 1), torch.Size([]), torch.Size([1, 2])),
    *({"dtype": torch.float16, "device": [torch.device("cpu")]}, torch.preserve_format),
]
REFUSED = [
    *(
        Sly(3),
        SlyText("a"),
        Colour.RED,
        Name.ONE,
        int,
        len,
        print,
        lambda: 0,
        object(),
        OrderedDict(a=1),
        Fraction(1, 2),
    ),
    *(
        defaultdict(list),
        namedtuple("P", "x")(1),
        PurePosixPath("a"),
        iter(()),
        math,
        recursive_list(),
        recursive_dict(),
    ),
    *(nested(500), doubled(40), [Sly(1)], {Sly(1): 2}, {1: Sly(2)}, (Sly(1),), slice(Sly(1)), {SlyText("x")}, range),
    *(
        torch.zeros(1),
        torch.nn.Linear(1, 1),
        torch.nn.Parameter(torch.zeros(1)),
        memoryview(b"a"),
        type,
        Exception("x"),
    ),
]
WRITTEN = [*TEXTS, *NUMBERS, *OTHERS, *TORCH]


def alike(one: object, other: object) -> bool:
    """Equal with all types; the signs of zeros count."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))  # type: ignore[arg-type]
    if isinstance(one, dict):
        return alike(list(one.items()), list(other.items()))  # type: ignore[attr-defined]
    return repr(one) == repr(other) if isinstance(one, float | complex) else one == other


def is_inert(text: str) -> bool:
    """No line but the last byte of text: nothing that ends a comment, a line or a file."""
    return all(character.isprintable() for character in text)


def test_the_corpus_is_large() -> None:
    assert len(WRITTEN) + len(REFUSED) >= 100


@pytest.mark.parametrize("value", WRITTEN, ids=lambda value: type(value).__name__)
def test_a_literal_evaluates_to_its_value(value: object) -> None:
    text = write_literal(value)
    assert is_inert(text)
    names = dict.fromkeys(literal_names(value), torch)
    assert alike(eval(compile(text.encode(), "<literal>", "eval"), names), value)


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: type(value).__name__)
def test_what_has_no_literal_is_refused(value: object) -> None:
    with pytest.raises(UnwritableValue):
        write_literal(value)
    assert not is_writable(value)


def test_nan_keeps_its_sign() -> None:
    assert math.copysign(1.0, eval(write_literal(math.nan))) == 1.0
    assert math.copysign(1.0, eval(write_literal(math.copysign(math.nan, -1.0)))) == -1.0


def test_sets_are_written_in_order() -> None:
    assert write_literal({10, 9, 1}) == "{1, 9, 10}"
    assert write_literal(frozenset({"b", "a"})) == 'frozenset({"a", "b"})'


def test_torch_is_named_only_where_it_is_needed_and_allowed() -> None:
    assert literal_names([torch.float32]) == {"torch"}
    assert literal_names([1, float("inf")]) == frozenset()
    with pytest.raises(UnwritableValue):
        write_literal(torch.float32, allow_torch=False)


def test_a_class_that_only_calls_itself_torchs_is_refused() -> None:
    fake = type("dtype", (), {"__module__": "torch", "__repr__": lambda self: "torch.abort()"})
    with pytest.raises(UnwritableValue):
        write_literal(fake())


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(PLAIN)
def test_any_plain_value_evaluates_to_itself(value: object) -> None:
    text = write_literal(value)
    assert is_inert(text) and alike(eval(text, {}), value)


@pytest.mark.parametrize("name", ["x", "_x", "__init__", "__", "_", "match", "type", "self", "x" * 300])
def test_identifiers(name: str) -> None:
    assert check_identifier("a name", name) == name == check_attribute_name("a name", name)


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "a.b", "a b", "1a", "a\n", "a\r", "a\0", "\ufb01t", "\u017felf", "é", "__x", "__debug__", "a-b"),
        *("a\u200b", "\u3164", None, 1, b"a", SlyText("a"), Name.ONE, *keyword.kwlist),
    ],
    ids=ascii,
)
def test_other_names_are_refused(name: object) -> None:
    assert not is_plain_identifier(name)
    with pytest.raises(InvalidName):
        check_identifier("a name", name)
    with pytest.raises(InvalidName):
        check_attribute_name("an attribute", name)
