"""Which arguments make a config, or a plain object of the user's, anew: a call is judged by what it builds."""

import copy
import inspect
from argparse import Namespace
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from .literal import is_plain_identifier, is_writable
from .ownership import is_user_code

# Entries of a config that say where a checkpoint came from, not what the model is.
NO_DECLARATION = {"dtype", "_name_or_path", "transformers_version", "architectures", "auto_map"}


def config_state(config: Any) -> dict[str, Any]:
    """What a config declares."""
    return {name: value for name, value in config.to_dict().items() if name not in NO_DECLARATION}


def config_arguments(config: Any) -> tuple[str, ...] | None:
    """The fewest fields that a call of its class has to give so that it makes an equal config; None if none does."""
    cls, state = type(config), config_state(config)

    def equal(names: Iterable[str]) -> bool:
        made = _made(cls, config, names)
        return made is not None and repr(config_state(made)) == repr(state)

    default = _made(cls, config, ())
    before = {} if default is None else config_state(default)
    names = [name for name in state if name in vars(config) and is_plain_identifier(name)]
    differing = [name for name in names if repr(state[name]) != repr(before.get(name))]
    return _fewest(differing, equal) if equal(differing) else None


def object_arguments(value: Any) -> tuple[str, ...] | None:
    """The attributes that a call of its class has to give so that it makes an equal object of the user's."""
    cls = type(value)
    if cls in (SimpleNamespace, Namespace):
        return tuple(vars(value)) if all(map(is_plain_identifier, vars(value))) else None
    if not is_user_code(cls) or "__init__" not in vars(cls) or not all(map(is_writable, vars(value).values())):
        return None  # a constructor that takes more than plain values may do more than keep them
    made = _made(cls, value, names := tuple(inspect.signature(cls).parameters))
    return names if made is not None and vars(made) == vars(value) else None


def _made(cls: type, value: Any, names: Iterable[str]) -> Any:
    try:
        return cls(**{name: copy.deepcopy(vars(value)[name]) for name in names})
    except Exception:  # whatever the class does with its arguments, this is not the call
        return None


def _fewest(names: list[str], equal: Callable[[Iterable[str]], bool]) -> tuple[str, ...]:
    """Without those that follow from the others, the last first: what is derived stands after what it comes from."""
    kept = list(names)
    for name in reversed(names):
        fewer = [other for other in kept if other != name]
        if equal(fewer):
            kept = fewer
    return tuple(kept)
