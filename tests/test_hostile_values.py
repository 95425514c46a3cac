"""Hostile values: written so that they mean themselves, or refused; nothing of them is ever executed."""

import json
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import archit_codegen as archit
from tests import small
from tests.hostile.canary import SUNG
from tests.hostile.files import imported
from tests.hostile.host import Host, Tag, TaggedHost, alike, compiled, rebuilt
from tests.hostile.names import NAMES, PATHS, USABLE
from tests.hostile.sources import DANGEROUS_SOURCE, DOCUMENTS
from tests.hostile.texts import AWKWARD, INJECTIONS
from tests.hostile.values import CONSTANTS, MEMBERS, REFUSED, VALUES

TEXTS = (*INJECTIONS, *AWKWARD)
WRITTEN = (*TEXTS, *VALUES, *CONSTANTS)
HUGE = [value for value in VALUES if type(value) is int and abs(value) >= 10**640]


@pytest.fixture(autouse=True)
def nothing_sings() -> Any:
    SUNG.clear()
    yield
    assert SUNG == []


def attributes(live: Any, values: tuple[Any, ...]) -> None:
    for number, value in enumerate(values):
        setattr(live, f"extra_{number}", value)


def arguments(live: Any, values: tuple[Any, ...]) -> None:
    live.tags = nn.ModuleList([Tag(value) for value in values])


def nested(live: Any, values: tuple[Any, ...]) -> None:
    live.tags = nn.ModuleList([Tag({"key": [(value,)]}) for value in values])


def keys(live: Any, values: tuple[Any, ...]) -> None:
    live.tags = nn.ModuleList([Tag({value: 0}) for value in values])


def closures(live: Any, values: tuple[Any, ...]) -> None:
    for tag, value in zip(live.tags, values, strict=False):
        tag.tell = types.MethodType(telling(value), tag)


def defaults(live: Any, values: tuple[Any, ...]) -> None:
    for tag, value in zip(live.tags, values, strict=False):
        tag.tell = types.MethodType(given(value), tag)


def telling(value: Any) -> Any:
    def tell(self: Any) -> Any:
        return value

    return tell


def given(value: Any) -> Any:
    def tell(self: Any, said: Any = value) -> Any:
        return said

    return tell


PLACES: dict[str, tuple[Callable[[Any, tuple[Any, ...]], None], Callable[[Any, int], Any]]] = {
    "attribute": (attributes, lambda built, number: getattr(built, f"extra_{number}")),
    "argument": (arguments, lambda built, number: built.tags[number].value),
    "nested": (nested, lambda built, number: built.tags[number].value["key"][0][0]),
    "key": (keys, lambda built, number: next(iter(built.tags[number].value))),
    "closure": (closures, lambda built, number: built.tags[number].tell()),
    "default": (defaults, lambda built, number: built.tags[number].tell()),
}


PATCHED = ("closure", "default")


def host_of(place: str) -> type[nn.Module]:
    return TaggedHost if place in PATCHED else Host


def batches(values: tuple[Any, ...], size: int) -> list[tuple[Any, ...]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def hashable(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Those that can be keys; a nan is none that is found again."""
    return tuple(value for value in values if type(value).__hash__ is not None and _hashes(value))


def _hashes(value: Any) -> bool:
    try:
        return hash(value) is not None and value == value
    except TypeError:
        return False


CORPORA = {"key": hashable(WRITTEN), "default": (*INJECTIONS, *VALUES)}
"""Where not everything can stand, or its text is made by the very code that another place goes through."""


def test_the_corpus_is_large() -> None:
    corpus = (*WRITTEN, *REFUSED, *NAMES, *USABLE, *PATHS, *DOCUMENTS, *DANGEROUS_SOURCE)
    assert len(corpus) >= 200


@pytest.mark.parametrize("place", PLACES)
def test_what_has_a_literal_means_itself(place: str) -> None:
    change, read = PLACES[place]
    for values in batches(CORPORA.get(place, WRITTEN), 8 if place in PATCHED else len(WRITTEN)):
        package = compiled(lambda live, values=values: change(live, values), host_of(place))  # type: ignore[misc]
        assert not isinstance(package, archit.ArchitError), package
        built = rebuilt(package)
        for number, value in enumerate(values):
            assert alike(read(built, number), value), ascii(value)[:200]


@pytest.mark.parametrize("place", PLACES)
def test_what_has_none_is_refused(place: str) -> None:
    change, _ = PLACES[place]
    for value in hashable(REFUSED) if place == "key" else REFUSED:
        package = compiled(lambda live, value=value: change(live, (value,)), host_of(place))  # type: ignore[misc]
        assert isinstance(package, archit.ArchitError), type(value)


@pytest.mark.parametrize("place", PLACES)
def test_members_of_enumerations_stay_members(place: str) -> None:
    change, read = PLACES[place]
    for value in MEMBERS:
        package = compiled(lambda live, value=value: change(live, (value,)), host_of(place))  # type: ignore[misc]
        if not isinstance(package, archit.ArchitError):
            found = read(rebuilt(package), 0)
            assert (type(found).__name__, found.name, found.value) == (type(value).__name__, value.name, value.value)


def test_values_of_a_config_mean_themselves() -> None:
    live = small.llama()
    live.model.layers[1].mlp.act_fn = nn.ReLU()
    values = [value for value in (*TEXTS, *VALUES) if not any(value is huge for huge in HUGE)]
    # A config turns tuples into lists when it is saved, whoever wrote it.
    values = [json.loads(json.dumps(value)) if isinstance(value, tuple | list | dict) else value for value in values]
    for number, value in enumerate(values):
        setattr(live.config, f"extra_{number}", value)
    live.config.id2label = dict(enumerate(dict.fromkeys(TEXTS)))
    live.config.label2id = {text: number for number, text in live.config.id2label.items()}
    package = small.compiled(live)
    config = package.load().LlamaConfigWithX
    fresh, again = config(), config.from_dict(json.loads(json.dumps(config().to_dict())))
    for number, value in enumerate(values):
        assert alike(getattr(fresh, f"extra_{number}"), value), ascii(value)[:200]
        assert alike(getattr(again, f"extra_{number}"), value), ascii(value)[:200]
    assert not any("sing()" in line for line in package.files["tiny_x/modeling_tiny_x.py"].splitlines())


UNSAVED = [value for value in (*REFUSED, *MEMBERS, *CONSTANTS, *HUGE) if not isinstance(value, tuple)]


@pytest.mark.parametrize("value", UNSAVED, ids=lambda value: type(value).__name__)
def test_what_no_config_file_can_hold_is_refused(value: Any) -> None:
    live = small.llama()
    live.model.layers[1].mlp.act_fn = nn.ReLU()
    live.config.extra = value
    with pytest.raises(archit.ArchitError) as refused:
        small.compiled(live)
    assert "Please report this" not in str(refused.value)


def test_names_in_a_config_are_checked() -> None:
    for name in (*NAMES[::3], *INJECTIONS[::3]):
        live = small.llama()
        live.model.layers[1].mlp.act_fn = nn.ReLU()
        setattr(live.config, name, 1)
        with pytest.raises(archit.ArchitError):
            small.compiled(live)


def test_constants_that_were_set_again_mean_themselves(tmp_path: Path) -> None:
    names = [f"VALUE_{number}" for number in range(len(WRITTEN))]
    lines = ["from torch import nn", *(f"{name} = None" for name in names), "class Layer(nn.Module):"]
    lines += [
        "    def forward(self, x):",
        "        return x",
        "    def tell(self):",
        f"        return [{', '.join(names)}]",
    ]
    with imported(tmp_path, "\n".join(lines) + "\n") as module:
        for name, value in zip(names, WRITTEN, strict=True):
            setattr(module, name, value)
        package = compiled(lambda live: setattr(live, "inner", module.Layer()))
        assert not isinstance(package, archit.ArchitError), package
        assert alike(rebuilt(package).inner.tell(), list(WRITTEN))
        for value in REFUSED[::4]:
            module.VALUE_0 = value
            assert isinstance(compiled(lambda live: setattr(live, "inner", module.Layer())), archit.ArchitError)


@pytest.mark.parametrize(
    "text", [*TEXTS, "Tag(1)\nimport os", "Tag(1)  # x", "Tag(1); 2", "Tag(1) if 1 else 2", "(Tag(1))"]
)
def test_an_expression_named_by_hand_is_one_expression(text: str) -> None:
    try:
        package = compiled(lambda live: setattr(live, "inner", archit.initialiser(Tag(1), text)))
    except archit.ArchitError:
        return
    if not isinstance(package, archit.ArchitError):
        assert rebuilt(package).inner.value == 1


def test_dtypes_and_devices_stay_constants() -> None:
    package = compiled(lambda live: arguments(live, (torch.float16, [torch.device("cpu")])))
    text = package.files["hostile/modeling_hostile.py"]
    assert "Tag(torch.float16)" in text and 'torch.device("cpu")' in text
