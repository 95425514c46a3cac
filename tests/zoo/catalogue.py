"""All modifications, and how one is done to a model: the choice of places depends on the names only."""

import random
from collections.abc import Callable
from contextlib import ExitStack, nullcontext

import torch
from torch import nn

import archit_codegen as archit
from tests.judge import poisoned_memory
from tests.zoo import layers, leaves, state
from tests.zoo.places import Surgery

Modification = Callable[[Surgery], None]
MODIFICATIONS: dict[str, Modification] = {
    function.__name__: function for part in (leaves, layers, state) for function in part.MODIFICATIONS
}


def modify(
    model: nn.Module, cls_name: str, modification: str, undo: ExitStack, files: ExitStack | None = None
) -> None:
    """Every second pair is recorded; in the others the constructor arguments have to be found on the objects.

    What a new module leaves unfilled is NaN, and not garbage that differs each time. `undo` puts the process back;
    where `files` is given, it does not take the files of user classes away.

    Raises:
        NotApplicable: with the reason.
    """
    choices = random.Random(f"{cls_name} {modification}")
    device = next((tensor.device for tensor in [*model.parameters(), *model.buffers()]), torch.device("meta"))
    with archit.record() if choices.random() < 0.5 else nullcontext(), device, poisoned_memory():
        MODIFICATIONS[modification](Surgery(model, choices, undo, files or undo))
    model.eval()
