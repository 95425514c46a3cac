"""What modules that are alike have in common: a model has few kinds of modules, many times."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .ir import Built, ClassRef, CodeRef, Node, TensorFact, Value
from .origins import is_config
from .record import Call

PLAIN = frozenset({bool, int, str, type(None)})
TensorKind = tuple[tuple[int, ...], str, bool, bool, str]  # a `TensorFact` without the key


@dataclass(frozen=True, slots=True)
class Face:
    """A module without its children, and without the identity of its tensors."""

    cls: ClassRef
    kind: str
    parameters: tuple[tuple[str, TensorKind | None], ...]
    buffers: tuple[tuple[str, TensorKind | None], ...]
    attributes: tuple[tuple[str, Value], ...]
    methods: tuple[tuple[str, CodeRef], ...]
    functions: tuple[tuple[str, CodeRef], ...]
    hooks: tuple[str, ...]
    parametrized: tuple[str, ...]

    def node(
        self,
        module: nn.Module,
        children: tuple[tuple[str, Node | None], ...],
        built: Built | None,
        form: int,
        ties: tuple[tuple[str, str], ...] | None = None,
        ties_active: bool = False,
    ) -> Node:
        """The node of one of the modules."""
        return Node(
            key=id(module),
            cls=self.cls,
            kind=self.kind,
            children=children,
            parameters=_facts(self.parameters, module._parameters),
            buffers=_facts(self.buffers, module._buffers),
            attributes=self.attributes,
            methods=self.methods,
            functions=self.functions,
            hooks=self.hooks,
            ties=ties,
            ties_active=ties_active,
            built=built,
            parametrized=self.parametrized,
            form=form,
        )


def _facts(
    kinds: tuple[tuple[str, TensorKind | None], ...], tensors: dict[str, Any]
) -> tuple[tuple[str, TensorFact | None], ...]:
    if not kinds:
        return ()
    return tuple([(name, None if kind is None else TensorFact(id(tensors[name]), *kind)) for name, kind in kinds])


class Forms:
    """Numbers for modules with all that is below them: equal where nothing but identity tells two apart."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}

    def number(self, face: Face) -> int:
        """That of a module alone."""
        return self._numbers.setdefault(face, len(self._numbers))

    def of(self, number: int, children: tuple[tuple[str, Node | None], ...]) -> int:
        """That of a module with its children."""
        if not children:
            return number
        below = tuple([(name, None if child is None else child.form) for name, child in children])
        return self._numbers.setdefault((number, below), len(self._numbers))

    def own(self) -> int:
        """A number that no other module gets."""
        return self._numbers.setdefault(object(), len(self._numbers))


def plain_state(module: nn.Module, undeclared: frozenset[str], told: frozenset[str]) -> tuple[object, ...] | None:
    """What tells the face of a module from others, where that is plain values, tensors and configs; else None.

    Attributes that are ``undeclared`` do not count, but those of them that are ``told`` have to be empty. Configs are
    told by identity: whoever keeps the result has to keep the module.
    """
    state = vars(module)
    if any(map(state.get, told)):
        return None
    key: list[object] = [type(module)]
    for name, value in state.items():
        if name not in undeclared:
            if type(value) in PLAIN:
                key += (name, type(value), value)
            elif (plain := _plain(value)) is not None:
                key += (name, *plain)
            else:
                return None
    for name, tensor in module._parameters.items():
        key.append((name, _tensor(tensor)))
    if module._buffers:
        hidden = module._non_persistent_buffers_set
        key += [(name, _tensor(buffer), name in hidden) for name, buffer in module._buffers.items()]
    return tuple(key)


def plain_call(call: Call) -> tuple[object, ...] | None:
    """The same of a recorded call whose arguments were not read from text."""
    if call.texts or call.args is None:
        return None
    values = [_plain(value) for value in (*call.args, *call.kwargs.values())]
    return None if None in values else (call.cls, *values, *call.kwargs)


def _plain(value: object) -> tuple[type, object] | None:
    kind = type(value)
    if kind in PLAIN or (kind is tuple and all(type(item) is int for item in value)):  # type: ignore[attr-defined]  # a tuple, by its kind
        return kind, value
    if kind is float:
        return kind, value.hex()  # type: ignore[attr-defined]  # zero has two signs
    return (kind, id(value)) if is_config(value) else None


def _tensor(tensor: torch.Tensor | None) -> tuple[object, ...] | None:
    return None if tensor is None else (type(tensor), tensor.shape, tensor.dtype, tensor.requires_grad)
