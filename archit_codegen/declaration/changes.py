"""Typed changes: one dataclass for each way in which a slot can differ. Standard library only."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .ir import (
    ClassRef,
    CodeRef,
    ConfigCopy,
    ConfigRef,
    Construction,
    Literal,
    Member,
    ModuleRef,
    Node,
    Opaque,
    Parametrization,
    Structure,
    TensorFact,
    Value,
)


@dataclass(frozen=True, slots=True)
class Change:
    """One slot that differs; ``path`` is the slot's dotted path in the live model, ``slot`` its last part."""

    path: str

    @property
    def slot(self) -> str:
        return self.path.rpartition(".")[2]

    def describe(self) -> str:
        return type(self).__name__


@dataclass(frozen=True, slots=True)
class Inside(Change):
    """The class stays; something below this slot differs."""

    delta: "Delta"

    def describe(self) -> str:
        return f"{self.delta.live.cls.name} changed inside"


@dataclass(frozen=True, slots=True)
class Replaced(Change):
    """Another module stands in the slot; ``delta`` is what was changed on it after it was made. ``inner`` is the path,
    from the slot, at which it holds the declared module; None if it does not."""

    declared: ClassRef
    construction: Construction
    delta: "Delta | None"
    inner: str | None
    built: Node | None = field(default=None, compare=False)  # what the construction makes

    def describe(self) -> str:
        if self.declared == self.construction.cls:
            return f"{self.declared.name} constructed with other arguments"
        verb = "replaced by" if self.inner is None else "wrapped by"
        return f"{self.declared.name} {verb} {self.construction.cls.name}"


@dataclass(frozen=True, slots=True)
class Added(Change):
    """A child module that the declared class does not have."""

    construction: Construction
    delta: "Delta | None"
    built: Node | None = field(default=None, compare=False)

    def describe(self) -> str:
        return f"{self.construction.cls.name} added"


@dataclass(frozen=True, slots=True)
class SetToNone(Change):
    """A child that is declared is ``None``."""

    declared: ClassRef

    def describe(self) -> str:
        return f"{self.declared.name} set to None"


@dataclass(frozen=True, slots=True)
class Removed(Change):
    """A child, parameter, buffer or attribute that is declared is not there."""

    what: str

    def describe(self) -> str:
        return f"{self.what} removed"


@dataclass(frozen=True, slots=True)
class Arranged(Change):
    """The members of a list are the declared ones in another order: dropped, repeated, moved.

    ``order`` has the declared index of each member that stays, in live order; ``shared`` tells that an index that
    stands twice is one object. ``size`` is the declared length. ``test`` says which members stay, whatever
    their number, over the names of `edits`; where they do not stay in order, it is the sequence of them.
    """

    order: tuple[int, ...]
    size: int
    shared: bool
    container: str = "ModuleList"
    test: str | None = None

    def describe(self) -> str:
        gone = sorted(set(range(self.size)) - set(self.order))
        if list(self.order) == [index for index in range(self.size) if index not in gone]:
            return f"{'member' if len(gone) == 1 else 'members'} {', '.join(map(str, gone))} dropped"
        return f"members arranged as {', '.join(map(str, self.order))}{' (shared)' if self.shared else ''}"


@dataclass(frozen=True, slots=True)
class Shared(Change):
    """The slot holds the very module that stands at another path of the same owner."""

    target: str

    def describe(self) -> str:
        return f"the same module as {self.target}"


@dataclass(frozen=True, slots=True)
class TensorChanged(Change):
    """A parameter or buffer was added, reshaped, set to ``None`` or is kept differently."""

    what: str
    declared: TensorFact | None
    live: TensorFact | None
    text: str | None = None  # an expression for the values that no checkpoint carries
    learnt: tuple[tuple[str, ...] | None, ...] = ()  # for each dimension, as for arguments

    def describe(self) -> str:
        if self.live is None:
            return f"{self.what} set to None"
        if self.declared is None:
            return f"{self.what} of shape {self.live.shape} added"
        if self.declared.shape != self.live.shape:
            return f"{self.what} of shape {self.declared.shape} now of shape {self.live.shape}"
        return f"{self.what} changed"


@dataclass(frozen=True, slots=True)
class Parametrized(Change):
    """A tensor (at ``path``) is computed by parametrizations; without ``calls`` those declared are removed."""

    calls: tuple[Parametrization, ...]

    def describe(self) -> str:
        names = [call.construction.cls.name if call.construction else str(call.function) for call in self.calls]
        return f"parametrized by {', '.join(names)}" if names else "parametrizations removed"


@dataclass(frozen=True, slots=True)
class Cast(Change):
    """A parameter, or all floating tensors of a module, have another dtype than the model."""

    dtype: str
    tensor: bool

    def describe(self) -> str:
        return f"kept in {self.dtype}"


@dataclass(frozen=True, slots=True)
class Frozen(Change):
    """Gradients are switched for a parameter, or for all parameters below a module; a change of the root's."""

    requires_grad: bool

    def describe(self) -> str:
        return "trainable" if self.requires_grad else "frozen"


@dataclass(frozen=True, slots=True)
class AttributeChanged(Change):
    """A plain attribute was set; ``declared`` is None where the declared class has no such attribute."""

    declared: Value | None
    live: Value
    learnt: tuple[str, ...] | None = None

    def describe(self) -> str:
        return f"set to {describe_value(self.live)}"


@dataclass(frozen=True, slots=True)
class MethodPatched(Change):
    """A method was replaced on the object or on its class."""

    code: CodeRef

    def describe(self) -> str:
        return f"method patched by {self.code.qualname}"


@dataclass(frozen=True, slots=True)
class FunctionPatched(Change):
    """A function of the modelling module that the class calls was replaced; ``slot`` is the function's name."""

    code: CodeRef

    def describe(self) -> str:
        return f"module function patched by {self.code.module}:{self.code.qualname}"


@dataclass(frozen=True, slots=True)
class TiesChanged(Change):
    """The weights of a model are tied otherwise than its class declares: the keys as they are, and have to be."""

    declared: tuple[tuple[str, str], ...]
    keys: tuple[tuple[str, str], ...]

    def describe(self) -> str:
        untied = [f"{target} no longer tied" for target, _ in self.declared if target not in dict(self.keys)]
        tied = [f"{target} tied to {source}" for target, source in self.keys if (target, source) not in self.declared]
        return "; ".join([*untied, *tied])


@dataclass(frozen=True, slots=True)
class SavedOnce(Change):
    """Modules stand in several slots of a transformers model: a checkpoint holds their weights under the first path
    only. ``paths`` are the others, from the model."""

    paths: tuple[str, ...]

    def describe(self) -> str:
        return f"weights of {', '.join(self.paths)} saved once"


@dataclass(frozen=True, slots=True)
class Delta:
    """What differs between a declared module and the live one."""

    reference: Node
    live: Node
    edits: tuple[Change, ...]


def describe_value(value: Value) -> str:
    """A short text for a value, for people."""
    match value:
        case Literal(text=text):
            return text if len(text) <= 60 else text[:57] + "..."
        case CodeRef(qualname=qualname):
            return qualname
        case ConfigRef(path=path):
            return f"config.{path}" if path else "config"
        case ConfigCopy(path=path, fields=fields):
            changed = ", ".join(f"{name} = {describe_value(item)}" for name, item in fields)
            return f"{describe_value(ConfigRef(path))} with {changed}"
        case Member(code=code, name=name):
            return f"{code.qualname}.{name}"
        case Structure(kind=kind):
            return f"a {kind}"
        case Opaque(text=text):
            return text
        case ModuleRef():
            return "a module"


def method_key(code: CodeRef) -> str:
    """What a patched method does, to tell it from others."""
    return f"{code.module}:{code.digest}"


def patched_methods(delta: Delta) -> dict[int, dict[str, str]]:
    """The patched methods of each live module, by its key: name and what the method does."""
    patched: dict[int, dict[str, str]] = {}
    for part in nested(delta):
        found = {edit.slot: method_key(edit.code) for edit in part.edits if isinstance(edit, MethodPatched)}
        patched |= {part.live.key: found} if found else {}
    return patched


def nested(delta: Delta) -> Iterator[Delta]:
    """This delta and those within its changes, in tree order."""
    yield delta
    for edit in delta.edits:
        inner = getattr(edit, "delta", None)
        if inner is not None:
            yield from nested(inner)


def flatten(delta: Delta) -> Iterator[Change]:
    """The changes that are no mere path to other changes, in tree order."""
    for edit in delta.edits:
        inner = getattr(edit, "delta", None)
        if not isinstance(edit, Inside):
            yield edit
        if inner is not None:
            yield from flatten(inner)
