"""The first difference between the facts of two module trees, as a readable clause."""

from collections.abc import Iterator
from typing import Any

from transformers import PreTrainedConfig

from archit_codegen.declaration.facts import ConfigFact, Facts, TensorFact, declared, text_of

LONGEST = 160
EXACT = frozenset({str, int, bool, type(None), TensorFact})  # equal if they are of one type and compare equal


def first_difference(expected: Facts, actual: Facts) -> tuple[str, str] | None:
    """Path and reason of the first fact, in tree order, that is not as expected."""
    return next(differences(expected, actual), None)


def as_saved(value: Any) -> Any:
    """Facts as they are after a way over the disk: a config file is JSON, which has lists alone."""
    if isinstance(value, dict):
        return type(value)((key, as_saved(item)) for key, item in value.items())
    return [as_saved(item) for item in value] if type(value) in (list, tuple) else value


def config_difference(expected: PreTrainedConfig, actual: PreTrainedConfig) -> str | None:
    """The first value of a config that is another one, apart from tuples that became lists."""
    one, other = (as_saved(declared(config.to_dict())) for config in (expected, actual))
    return next(of_values("config", one, other), None)


def differences(expected: Facts, actual: Facts) -> Iterator[tuple[str, str]]:
    equal: set[tuple[int, int]] = set()
    for path in expected | actual:
        if path not in actual:
            yield path, "is missing"
        elif path not in expected:
            yield path, "should not be there"
        elif not alike(expected[path], actual[path], equal):
            yield from ((path, reason) for reason in of_slots(expected[path], actual[path]))


def alike(expected: dict[str, object], actual: dict[str, object], equal: set[tuple[int, int]]) -> bool:
    """Whether `of_slots` has nothing to say, as for nearly all of the thousands of modules. ``equal`` are configs that
    were compared, by identity: most modules hold the same."""
    if expected.keys() != actual.keys():
        return False
    for slot, value in expected.items():
        other, kind = actual[slot], type(value)
        if kind in EXACT:
            if kind is not type(other) or value != other:
                return False
        elif value is not other and (id(value), id(other)) not in equal:
            if next(of_values(slot, value, other), None) is not None:
                return False
            if kind is ConfigFact:
                equal.add((id(value), id(other)))
    return True


def of_slots(expected: dict[str, object], actual: dict[str, object]) -> Iterator[str]:
    for slot in expected | actual:
        if slot not in actual:
            yield f"{slot} is missing, should be {text(expected[slot])}"
        elif slot not in expected:
            yield f"{slot} is {text(actual[slot])}, should not be there"
        else:
            yield from of_values(slot, expected[slot], actual[slot])


def of_values(name: str, expected: object, actual: object) -> Iterator[str]:
    if expected is actual:
        return
    if isinstance(expected, dict) and isinstance(actual, dict):
        keys = expected if isinstance(expected, ConfigFact) else expected | actual
        for key in keys:
            yield from of_values(f"{name}.{key}", expected.get(key), actual.get(key))
    elif not same(expected, actual):
        yield f"{name} is {text(actual)}, should be {text(expected)}"


def same(expected: object, actual: object) -> bool:
    """Equal and of one type; a nan is equal to itself here, wherever it stands."""
    return type(expected) is type(actual) and (expected == actual or text_of(expected) == text_of(actual))


def text(value: object) -> str:
    written = value if isinstance(value, str) and value.isidentifier() else text_of(value)
    return written if len(written) <= LONGEST else f"{written[:LONGEST]}..."
