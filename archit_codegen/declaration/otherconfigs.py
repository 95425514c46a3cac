"""Configs near a given one: deeper, wider, with other vocabularies. Fields are known by their names.

Not each of them makes a model: how widths hang together is known by the class alone. So there are several attempts of
each kind, the most telling one first; who asks takes the first that builds.
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

from huggingface_hub.errors import StrictDataclassError

from .ir import join
from .origins import is_config

DEPTH = re.compile(r"(^|_)layers$|^(n_layers?|num_layer|depth|num_blocks|n_blocks|depths|num_block_repeats)$")
DEPTHS = re.compile(r"^(depths|num_block_repeats)$")  # of stages; another list named after layers is one by layer
COUNT = re.compile(r"(^|_)vocab_size$|^(max_position_embeddings|n_positions|num_labels|n_vocab)$")
HEADS = re.compile(r"(^|_)n?_?heads?$")
NO_WIDTH = re.compile(
    r"vocab|image|patch|kernel|window|chunk|block|stride|pad|batch|group|beam|position|bucket|grid|merge|temporal"
)
WIDTH = re.compile(r"(^|_)(size|sizes|dim|dims|width|channels|embd|inner|rank|features)$|^d_\w+$|^embed_dims?$")
PRIMES = (2, 3, 5, 7, 11, 13)
Change = Callable[[str, Any], Any]
Found = list[tuple[Any, str, str, Any]]  # config that has the field, its path, name and value


@dataclass(frozen=True, slots=True)
class OtherConfig:
    """``label`` says what is different; a ``deeper`` one has more layers, a ``wider`` one larger modules, a ``staged``
    one more stages. ``changed`` are the paths of all fields that have another value."""

    config: Any
    label: str
    deeper: bool
    wider: bool
    staged: bool
    changed: frozenset[str]


Attempt = Callable[[], OtherConfig]
"""Makes a config; it may raise, where the config class itself sees that a value cannot be."""


def other_configs(config: Any) -> Iterator[Iterator[Attempt]]:
    """Groups of attempts; one config of each group tells enough."""
    made = partial(_made, config)
    yield iter([partial(made, more=1)])
    yield iter([partial(made, more=2)])
    yield _wider(config, labels=2)
    yield _wider(config, labels=5, alike=True)
    yield iter([partial(made, more=5, width=lambda *_: 4, labels=9), partial(made, more=5, labels=9)])
    yield _other_heads(config)
    yield iter([partial(made, stages=factor) for factor in (2, 1)] if _stages(config) else [])


def _other_heads(config: Any) -> Iterator[Attempt]:
    """Numbers of heads that were equal, or a multiple of each other, in all configs so far."""
    named = [(path, name) for _, path, name, _ in _fields(config, HEADS)]
    for one in (0, 1) if len(named) > 1 else ():
        yield partial(_made, config, width=lambda *_: 4, heads=partial(_twice, named[one::2]))


def _twice(fields: Sequence[tuple[str, str]], path: str, name: str) -> int:
    return 2 if (path, name) in fields else 1


def widths(config: Any) -> list[str]:
    """The paths of the fields that are widths."""
    return [join(path, name) for _, path, name, _ in _fields(config, WIDTH)]


def _wider(config: Any, labels: int, *, alike: bool = False) -> Iterator[Attempt]:
    """All widths times a number of their own, or one for those that are equal, or one for all; else one by one.

    ``alike`` asks for one number for all, and with that for as many times the heads, so that each keeps its width.
    """
    made = partial(_made, config, labels=labels)
    sizes = [(path, name, value) for _, path, name, value in _fields(config, WIDTH)]
    own = dict(zip([(path, name) for path, name, _ in sizes], cycle(PRIMES), strict=False))
    by_value = dict(zip(dict.fromkeys(repr(value) for *_, value in sizes), cycle(PRIMES), strict=False))
    if alike:
        yield partial(made, width=lambda *_: 2, heads=lambda *_: 2)
    else:
        yield partial(made, width=lambda path, name, _: own[path, name])
        yield partial(made, width=lambda *field: by_value[repr(field[2])])
    yield partial(made, width=lambda *_: 2 if alike else 3)
    for one in sizes:
        yield partial(made, width=lambda *field, one=one: 2 if field == one else 1)
    yield made


def _made(
    config: Any,
    *,
    more: int = 0,
    stages: int = 0,
    width: Callable[[str, str, Any], int] | None = None,
    labels: int = 0,
    heads: Callable[[str, str], int] = lambda *_: 1,
) -> OtherConfig:
    other = copy.deepcopy(config)
    changed: dict[str, Any] = {}
    if stages:
        _add_stage(other, stages, changed)
    if more:
        _deepen(other, more, changed)
    deeper = bool(changed)
    if width is not None:
        for owner, path, name, value in _fields(other, WIDTH):
            factor = width(path, name, value)
            _set(owner, path, name, _times(value, factor), changed)
    wider = len(changed) > (len(_fields(other, DEPTH)) if deeper else 0)
    for owner, path, name, value in _fields(other, HEADS):
        _set(owner, path, name, _times(value, heads(path, name)), changed)
    if labels:
        for step, (owner, path, name, value) in enumerate(_fields(other, COUNT)):
            if isinstance(value, int):
                _set(owner, path, name, value + labels + step, changed)
        if isinstance(getattr(other, "num_labels", None), int) and "num_labels" not in vars(other):
            _set(other, "", "num_labels", other.num_labels + labels, changed)
    shown = ", ".join(f"{name} = {value}" for name, value in list(changed.items())[:3])
    label = f"{shown}{', ...' if len(changed) > 3 else ''}"
    return OtherConfig(other, label, deeper, wider, stages > 0, frozenset(changed))


def _deepen(config: Any, more: int, changed: dict[str, Any]) -> None:
    """Lists with one entry for each layer, such as the types of the layers, go on as they began."""
    for owner, path, name, value in _fields(config, DEPTH):
        if not isinstance(value, int) and not DEPTHS.search(name):
            continue
        _set(owner, path, name, value + more if isinstance(value, int) else _each(value, more), changed)
        for other, entries in _lists(owner).items():
            if isinstance(value, int) and len(entries) == value and not DEPTHS.search(other):
                setattr(owner, other, type(entries)([*entries, *(entries * more)[:more]]))


def _stages(config: Any) -> Found:
    """The lists that say how deep each stage is."""
    return [field for field in _fields(config, DEPTH) if DEPTHS.search(field[2]) and not isinstance(field[3], int)]


def _add_stage(config: Any, factor: int, changed: dict[str, Any]) -> None:
    """As deep as the last one, and so many times as wide; numbers of layers that count the stages count this too."""
    for owner, path, _, depths in _stages(config):
        for name, value in list(vars(owner).items()):
            if isinstance(value, list | tuple) and len(value) == len(depths) and all(map(_is_size, value)):
                last = value[-1] if DEPTHS.search(name) else _times(value[-1], factor)
                _set(owner, path, name, type(value)([*value, last]), changed)
            elif type(value) is int and value == len(depths) and DEPTH.search(name):
                _set(owner, path, name, value + 1, changed)


def _each(values: Any, more: int) -> Any:
    return type(values)(_each(item, more) if isinstance(item, list | tuple) else item + more for item in values)


def _lists(config: Any) -> Mapping[str, Any]:
    return {name: value for name, value in vars(config).items() if isinstance(value, list | tuple) and value}


def _times(value: Any, factor: int) -> Any:
    return value * factor if isinstance(value, int) else type(value)(_times(item, factor) for item in value)


def _set(owner: Any, path: str, name: str, value: Any, changed: dict[str, Any]) -> None:
    """A field whose bounds the value exceeds stays as it is."""
    if vars(owner)[name] != value if name in vars(owner) else getattr(owner, name) != value:
        try:
            setattr(owner, name, value)
        except (StrictDataclassError, ValueError):
            return
        changed[join(path, name)] = value


def _fields(config: Any, kind: re.Pattern[str], path: str = "") -> Found:
    found: Found = []
    for name, value in list(vars(config).items()):
        if is_config(value):
            found += _fields(value, kind, join(path, name))
        elif kind.search(name) and (kind is not WIDTH or not NO_WIDTH.search(name)) and _is_size(value):
            found.append((config, path, name, value))
    return found


def _is_size(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_is_size, value))
    return type(value) is int and value > 0
