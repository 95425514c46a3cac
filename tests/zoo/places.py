"""Where a modification may be made: places of one kind in any model, found by walking its tree."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel

NORMS = ("LayerNorm", "RMSNorm", "GroupNorm", "BatchNorm2d", "BatchNorm1d")
ATTENTION = ("attn", "attention", "mixer")
MLP = ("mlp", "ffn", "feed_forward", "feedforward", "intermediate", "fc", "dense", "ff")
CONTAINERS = (nn.ModuleList, nn.ModuleDict, nn.Sequential)


class NotApplicable(Exception):
    """The model has no place for this modification: a reason, not a failure."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One child of one module."""

    parent: nn.Module
    name: str
    path: str

    @property
    def module(self) -> nn.Module:
        module = self.parent._modules[self.name]
        assert module is not None
        return module

    def put(self, module: nn.Module | None) -> None:
        if isinstance(self.parent, (nn.ModuleList, nn.Sequential)):
            self.parent[int(self.name)] = module
        else:
            setattr(self.parent, self.name, module)


Wanted = Callable[[Slot], bool]


@dataclass(frozen=True, slots=True)
class Surgery:
    """One modification of one model under way: its choices, what has to be put back before it is judged,
    and the files of the user's that may go once the model is done with."""

    model: nn.Module
    choices: random.Random
    undo: ExitStack
    files: ExitStack

    def slots(self, wanted: Wanted, within: nn.Module | None = None) -> list[Slot]:
        return [slot for slot in walk(within or self.model) if wanted(slot)]

    def one(self, what: str, wanted: Wanted, within: nn.Module | None = None) -> Slot:
        return self.some(1, what, wanted, within)[0]

    def some(self, count: int, what: str, wanted: Wanted, within: nn.Module | None = None) -> list[Slot]:
        found = self.slots(wanted, within)
        if len(found) < count:
            raise NotApplicable(f"no {what}" if count == 1 else f"fewer than {count} places: {what}")
        return [found[index] for index in sorted(self.choices.sample(range(len(found)), count))]

    def layers(self, least: int = 1) -> nn.ModuleList:
        """A ModuleList of at least so many layers of one class."""
        found = [slot for slot in walk(self.model) if is_layers(slot.module, least)]
        if not found:
            raise NotApplicable(f"no ModuleList of {least} or more modules of one class that have children")
        return self.choices.choice(found).module


def walk(root: nn.Module) -> Iterator[Slot]:
    """Every slot once; a shared module under its first path only."""
    seen: set[int] = {id(root)}
    pending = [(root, "")]
    while pending:
        parent, prefix = pending.pop()
        for name, child in list(parent._modules.items()):
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                yield Slot(parent, name, f"{prefix}{name}")
                pending.append((child, f"{prefix}{name}."))


def is_layers(module: nn.Module, least: int) -> bool:
    if type(module) is not nn.ModuleList or len(module) < least:
        return False
    kinds = {type(layer) for layer in module}
    return len(kinds) == 1 and any(True for _ in module[0].children()) and not isinstance(module[0], CONTAINERS)


def is_linear(slot: Slot) -> bool:
    return type(slot.module) is nn.Linear


def is_embedding(slot: Slot) -> bool:
    return type(slot.module) is nn.Embedding


def is_norm(slot: Slot) -> bool:
    return type(slot.module).__name__.endswith("Norm") and width_of(slot.module) is not None


def is_dropout(slot: Slot) -> bool:
    return isinstance(slot.module, nn.Dropout)


def is_activation(slot: Slot) -> bool:
    module = slot.module
    return type(module).__module__ in ("transformers.activations", "torch.nn.modules.activation") and not list(
        module.parameters()
    )


def is_attention(slot: Slot) -> bool:
    return is_block(slot, ATTENTION)


def is_mlp(slot: Slot) -> bool:
    return is_block(slot, MLP)


def is_block(slot: Slot, names: tuple[str, ...]) -> bool:
    """By the name of slot or class; with children, and neither a container nor a whole model."""
    module = slot.module
    if not list(module.children()) or isinstance(module, (*CONTAINERS, PreTrainedModel)):
        return False
    return any(part in slot.name.lower() or part in type(module).__name__.lower() for part in names)


def width_of(module: nn.Module) -> int | None:
    weight = module._parameters.get("weight")
    return weight.shape[0] if weight is not None and weight.dim() == 1 else None


def size_in(module: nn.Module) -> int:
    """Some width of the module: what its first matrix takes."""
    for parameter in module.parameters():
        if parameter.dim() >= 1:
            return int(parameter.shape[-1])
    return 8


def made(build: Callable[[], nn.Module]) -> nn.Module:
    """On the device of the model: `modify` sees to that."""
    return build().eval()
