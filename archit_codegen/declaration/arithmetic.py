"""Numbers as simple expressions over the fields of a config, and over other named numbers. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any

from .origins import is_config

LARGEST_FACTOR = 64
LARGEST_SUMMAND = 256
READABLE_FACTOR = 4  # rather two fields than a field times more than that


def is_size(text: str, value: Any) -> bool:
    """Whether a named number may be calculated with."""
    return type(value) is int and value > 1 and not text.endswith(("_id", "_index"))


def arithmetic(value: int, fields: Sequence[tuple[str, int]]) -> Iterator[Iterable[str]]:
    """Expressions that have a value, from named numbers; in groups, the simplest first."""
    yield _quotients(value, fields)
    times = [(text, value // found) for text, found in fields if value % found == 0 and value > found]
    yield [f"{text} * {factor}" for text, factor in times if factor <= READABLE_FACTOR]
    yield _pairs(value, fields)
    yield [f"{text} * {factor}" for text, factor in times if READABLE_FACTOR < factor <= LARGEST_FACTOR]
    yield [f"{text} + {value - found}" for text, found in fields if 0 < value - found <= LARGEST_SUMMAND]
    yield [f"{text} - {found - value}" for text, found in fields if 0 < found - value <= LARGEST_SUMMAND]


def _quotients(value: int, fields: Sequence[tuple[str, int]]) -> Iterator[str]:
    for text, found in fields:
        least, most = found // (value + 1) + 1, min(found // value, LARGEST_FACTOR)
        yield from (f"{text} // {divisor}" for divisor in range(max(least, 2), most + 1))


def _pairs(value: int, fields: Sequence[tuple[str, int]]) -> Iterator[str]:
    for (one, first), (other, second) in product(fields, fields):
        if one < other and first * second == value:
            yield f"{one} * {other}"
        if one != other and first == value * second:
            yield f"{one} // {other}"


def config_fields(config: Any) -> Iterator[tuple[str, Any]]:
    """Every plain field of a config and its sub-configs, with its text; of a list its members."""
    for path in config_paths(config):
        current = _at(config, path)
        for name, value in vars(current).items():
            text = ".".join(filter(None, ("config", path, name)))
            if name.startswith("_") or is_config(value):
                continue
            if isinstance(value, list | tuple) and value and all(type(item) is int for item in value):
                yield from ((f"{text}[{index}]", item) for index, item in enumerate(value))
            elif type(value) in (int, float, str):
                yield text, value


def config_paths(config: Any, path: str = "") -> Iterator[str]:
    yield path
    for name, value in vars(config).items():
        if is_config(value) and path.count(".") < 2:
            yield from config_paths(value, f"{path}.{name}" if path else name)


def _at(config: Any, path: str) -> Any:
    for name in path.split(".") if path else ():
        config = getattr(config, name)
    return config
