"""Values to safe source text, and the names that may stand in it.

Dispatch is on the exact type: the ``repr`` of a subclass is the subclass's own code.
"""

import ast
import builtins
import keyword
import math
import sys
import unicodedata
from collections.abc import Callable, Iterable

from archit_codegen.errors import InvalidName, UnwritableValue

MAX_DEPTH = 60  # the tokenizer stops at 200 open brackets, a frozenset needs two a level
MAX_ITEMS = 100_000  # a list of itself-sharing lists doubles at every level
DECIMAL_BITS = 2000  # the smallest limit Python accepts for decimal digits is 640

NAME_RULE = (
    "it must be an ASCII identifier that is no keyword and is not mangled in a class (`__x` without trailing `__`)"
)

ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
INVISIBLE_LETTERS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
TORCH_CONSTANTS = ("dtype", "layout", "memory_format")


def write_literal(value: object, *, allow_torch: bool = True) -> str:
    """The source of an expression that evaluates to an equal value of exactly the same type.

    It reads no names but builtins and, where allowed, ``torch``. Raises ``UnwritableValue``.
    """
    if type(value) in ATOMS:
        return ATOMS[type(value)](value)
    return _Writer(allow_torch).write(value)


def is_writable(value: object) -> bool:
    """Whether ``write_literal`` has a text for it."""
    try:
        write_literal(value)
    except UnwritableValue:
        return False
    return True


def literal_names(value: object) -> frozenset[str]:
    """The global names, other than builtins, that the text of a value reads: nothing or ``torch``."""
    tree = ast.parse(write_literal(value), mode="eval")
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return frozenset(name for name in names if not hasattr(builtins, name))


def is_plain_identifier(name: object) -> bool:
    """Whether a name can stand in source and still mean itself."""
    # isidentifier() alone lets through what the parser normalises (`ﬁt` is read as `fit`).
    return (
        type(name) is str
        and name.isascii()
        and name.isidentifier()
        and not keyword.iskeyword(name)
        and not (name.startswith("__") and not name.endswith("__"))
        and name != "__debug__"
    )


def check_identifier(what: str, name: object) -> str:
    """The name itself, or ``InvalidName``."""
    if type(name) is str and is_plain_identifier(name):
        return name
    shown = name if type(name) is str else f"<{type(name).__name__}>"
    raise InvalidName(what, shown, NAME_RULE)


def check_attribute_name(what: str, name: object) -> str:
    """The same for the name of an attribute, which ``setattr`` accepts in any spelling."""
    return check_identifier(what, name)


class _Writer:
    """One run over one value: the containers that are open, and how much was written."""

    def __init__(self, allow_torch: bool) -> None:
        self.allow_torch = allow_torch
        self.open: list[int] = []
        self.items = 0
        self.containers: dict[type, Callable[..., str]] = {
            tuple: self.write_tuple,
            list: self.write_list,
            dict: self.write_dict,
            set: self.write_set,
            frozenset: self.write_frozenset,
            slice: self.write_slice,
            range: self.write_range,
        }

    def write(self, value: object) -> str:
        self.items += 1
        if self.items > MAX_ITEMS:
            raise UnwritableValue(value, f"it holds more than {MAX_ITEMS} values")
        kind = type(value)
        if kind in ATOMS:
            return ATOMS[kind](value)
        if kind in self.containers:
            return self.nested(value, self.containers[kind])
        if kind.__module__ == "torch" and self.allow_torch:
            return self.write_torch(value)
        raise UnwritableValue(value, "only plain values and containers of them have a literal")

    def nested(self, value: object, writer: Callable[..., str]) -> str:
        if id(value) in self.open:
            raise UnwritableValue(value, "it contains itself")
        if len(self.open) >= MAX_DEPTH:
            raise UnwritableValue(value, f"it is nested more than {MAX_DEPTH} deep")
        self.open.append(id(value))
        text = writer(value)
        self.open.pop()
        return text

    def join(self, values: Iterable[object]) -> str:
        return ", ".join(self.write(value) for value in values)

    def write_tuple(self, value: tuple[object, ...]) -> str:
        return f"({self.join(value)},)" if len(value) == 1 else f"({self.join(value)})"

    def write_list(self, value: list[object]) -> str:
        return f"[{self.join(value)}]"

    def write_dict(self, value: dict[object, object]) -> str:
        return "{" + ", ".join(f"{self.write(key)}: {self.write(item)}" for key, item in value.items()) + "}"

    def write_set(self, value: set[object] | frozenset[object]) -> str:
        return "{" + ", ".join(self.in_order(value)) + "}" if value else "set()"

    def write_frozenset(self, value: frozenset[object]) -> str:
        return f"frozenset({self.write_set(value)})" if value else "frozenset()"

    def in_order(self, values: Iterable[object]) -> Iterable[str]:
        written = [(value, self.write(value)) for value in values]
        if all(type(value) is int for value, _ in written):
            return [text for _, text in sorted(written)]
        return sorted(text for _, text in written)

    def write_slice(self, value: slice) -> str:
        return f"slice({self.join((value.start, value.stop, value.step))})"

    def write_range(self, value: range) -> str:
        return f"range({self.join((value.start, value.stop, value.step))})"

    def write_torch(self, value: object) -> str:
        """The few values of torch that are constants; the type is torch's own, not one of that name."""
        torch = sys.modules.get("torch")
        if any(type(value) is getattr(torch, name, None) for name in TORCH_CONSTANTS):
            return self.write_torch_constant(torch, value)
        if type(value) is getattr(torch, "device", None):
            return f"torch.device({_string(str(value))})"
        if type(value) is getattr(torch, "Size", None) and isinstance(value, tuple):
            return f"torch.Size({self.write_list(list(value))})"
        raise UnwritableValue(value, "it is no constant of torch")

    def write_torch_constant(self, torch: object, value: object) -> str:
        name = repr(value).removeprefix("torch.")
        if not is_plain_identifier(name) or getattr(torch, name, None) is not value:
            raise UnwritableValue(value, "torch does not export it")
        return f"torch.{name}"


def _integer(value: int) -> str:
    # Decimal digits are limited when read back, hexadecimal ones are not.
    return str(value) if value.bit_length() <= DECIMAL_BITS else hex(value)


def _float(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    return f'float("{sign}{"nan" if math.isnan(value) else "inf"}")'


def _complex(value: complex) -> str:
    # `1 - 0j` is an addition that loses the sign of zero; the call does not.
    return f"complex({_float(value.real)}, {_float(value.imag)})"


def _string(value: str) -> str:
    quote = "'" if '"' in value and "'" not in value else '"'
    return quote + "".join(_character(character, quote) for character in value) + quote


def _character(character: str, quote: str) -> str:
    if character in ESCAPES:
        return ESCAPES[character]
    if character == quote:
        return "\\" + character
    if character.isascii() and character.isprintable():
        return character
    return character if _is_visible(character) else _escape(ord(character))


def _is_visible(character: str) -> bool:
    combining = unicodedata.category(character) in {"Mn", "Me", "Mc"}
    return character.isprintable() and not combining and character not in INVISIBLE_LETTERS


def _escape(code: int) -> str:
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


ATOMS: dict[type, Callable[..., str]] = {
    type(None): repr,
    bool: repr,
    int: _integer,
    float: _float,
    complex: _complex,
    str: _string,
    bytes: repr,
    bytearray: lambda value: f"bytearray({bytes(value)!r})",
    type(Ellipsis): lambda value: "...",
    type(NotImplemented): lambda value: "NotImplemented",
}
