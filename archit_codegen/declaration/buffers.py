"""Non-persistent buffers: no checkpoint carries their values, so a class has to compute them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import nn
from transformers import PreTrainedModel

from ..errors import UnsupportedChange
from .building import parameters_uninitialised
from .ownership import is_user_code
from .parametrized import plain_class
from .record import Call
from .signature import constructor_parameters
from .tensortext import tensor_text
from .walking import NamedModule

PERSIST = "Make it persistent, or compute the new values in the module's `__init__`."


def check_values(live: Sequence[NamedModule], reference: Sequence[NamedModule], calls: Mapping[int, Call]) -> None:
    """Compares the live values with those that the declared construction computes, module by module, on the CPU.

    Raises:
        UnsupportedChange: a buffer was changed in memory; saving and loading would silently undo that.
    """
    declared = dict(reference)
    for path, module in live:
        twin = declared.get(path) if module._non_persistent_buffers_set else None
        if twin is None:
            continue
        # Another shape, or a buffer that is not declared, is seen in the trees: nothing large is built for that.
        known = {name: buffer.shape for name, buffer in twin._buffers.items() if buffer is not None}
        buffers = ((name, module.get_buffer(name)) for name in _computed(module))
        names = [name for name, live_one in buffers if not live_one.is_meta and live_one.shape == known.get(name)]
        call = calls.get(id(twin)) if plain_class(twin) is plain_class(module) else None
        if names and call is not None and call.args is not None and not isinstance(module, PreTrainedModel):
            _compare(path, module, names, call)


def _computed(module: nn.Module) -> Iterator[str]:
    for name, buffer in module._buffers.items():
        if buffer is not None and name in module._non_persistent_buffers_set:
            yield name


def _compare(path: str, module: nn.Module, names: Iterable[str], call: Call) -> None:
    fresh = _fresh(call)
    if fresh is None:
        return
    for name in names:
        old, new = fresh._buffers.get(name), module.get_buffer(name)
        if old is None:
            continue  # a module further up puts it there: it is compared on a whole build
        if not torch.equal(old.to(new.dtype), new.detach().to("cpu")):
            raise UnsupportedChange(
                f"{path}.{name}",
                f"its values are not those that {type(module).__name__} computes, and no checkpoint carries them",
                PERSIST,
            )


def _fresh(call: Call) -> nn.Module | None:
    """What a call builds on the CPU; None where it is given modules, which stand on `meta`."""
    if call.args is None or any(isinstance(value, nn.Module) for value in (*call.args, *call.kwargs.values())):
        return None
    with torch.random.fork_rng(devices=[]), torch.device("cpu"), parameters_uninitialised():
        built = call.cls(*call.args, **call.kwargs)
    assert isinstance(built, nn.Module)
    return built


def buffer_text(tensor: torch.Tensor, name: str, declared: Call | None, *, dtype: bool) -> str | None:
    """An expression for the values of a live buffer: its own or, where it is on `meta`, those that the declared call
    computes; None where there are none, or no short text."""
    values: torch.Tensor | None = tensor
    if tensor.is_meta:
        fresh = _fresh(declared) if declared is not None else None
        values = None if fresh is None else fresh._buffers.get(name)
    if values is None or values.shape != tensor.shape:
        return None
    return tensor_text(values, dtype=dtype)


def restoring_statements(live: Sequence[NamedModule], names: Mapping[type, tuple[str, ...]]) -> Iterator[str]:
    """For `_init_weights`: the user's own modules compute their buffers again from the arguments that they keep.

    `from_pretrained` builds on `meta` and leaves what no checkpoint carries uninitialised. ``names`` are the emitted
    names of the user's classes.

    Raises:
        UnsupportedChange: a class does not keep an argument that its buffers may need.
    """
    found: dict[type, tuple[str, nn.Module]] = {}
    for path, module in live:
        if module._non_persistent_buffers_set and is_user_code(type(module)) and any(_computed(module)):
            found.setdefault(type(module), (path, module))
    for cls, (path, module) in found.items():
        if isinstance(module, PreTrainedModel):
            continue
        for name in names.get(cls, ()):
            call = f"{name}({', '.join(_kept_arguments(path, module))})"
            lines = [f"init.copy_(module.{buffer}, fresh.{buffer})" for buffer in _computed(module)]
            yield "\n".join(
                [
                    f"if isinstance(module, {name}):",
                    "    # No checkpoint carries what is not persistent.",
                    f"    fresh = {call}",
                    *(f"    {line}" for line in lines),
                ]
            )


def _kept_arguments(path: str, module: nn.Module) -> Iterator[str]:
    for parameter in constructor_parameters(type(module)):
        name = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if hasattr(module, name) and not isinstance(getattr(module, name), torch.Tensor):
            yield f"{name}=module.{name}"
        elif name == "config":
            yield "config=self.config"
        elif parameter.default is parameter.empty:
            raise UnsupportedChange(
                f"{path}.{next(_computed(module))}",
                f"it is not persistent, and {type(module).__name__} does not keep its argument {name}",
                f"Make it persistent, or keep the argument (`self.{name} = {name}`).",
            )
