"""Which class meets which modification: an order of its own for every class, stable when others come and go."""

import zlib
from collections.abc import Sequence

from transformers import PreTrainedModel

from tests.zoo.catalogue import MODIFICATIONS
from tests.zoo.discovery import named

Cell = tuple[type[PreTrainedModel], str]
FULL, QUICK = 20, 2


def rotation(cls: type[PreTrainedModel]) -> list[str]:
    """All modifications in the order in which this class meets them."""
    return sorted(MODIFICATIONS, key=lambda name: (zlib.crc32(f"{named(cls)} {name}".encode()), name))


def cells(classes: Sequence[type[PreTrainedModel]], each: int, first: int = 0) -> list[Cell]:
    """So many modifications for each class, from the given place in its order.

    First a few for every class, these in no order: a run that breaks off has done a spread sample of both. Then the
    others model by model, whose file the compiler has then at hand.
    """
    mixed = sorted(classes, key=lambda cls: (zlib.crc32(named(cls).encode()), named(cls)))
    together = sorted(mixed, key=lambda cls: zlib.crc32(cls.__module__.encode()))
    middle, end = first + min(QUICK, each), first + each
    started = [(cls, name) for cls in mixed for name in rotation(cls)[first:middle]]
    return started + [(cls, name) for cls in together for name in rotation(cls)[middle:end]]


def sample(classes: Sequence[type[PreTrainedModel]], size: int) -> list[Cell]:
    """Classes spread over the library, each with one modification out of its full row."""
    size = min(size, len(classes))
    spread = [classes[index * len(classes) // size] for index in range(size)]
    return [(cls, rotation(cls)[index % FULL]) for index, cls in enumerate(spread)]
