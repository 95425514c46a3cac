"""The values that flow between the stages. Standard library only; no torch object ever stands in one of these."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ClassRef:
    """A class by the module and the qualified name under which it was defined."""

    module: str
    qualname: str

    @property
    def name(self) -> str:
        return self.qualname.rpartition(".")[2]

    def __str__(self) -> str:
        return f"{self.module}:{self.qualname}"


# --- values: what an argument or an attribute holds -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Literal:
    """A value with a literal in source; ``names`` are the globals that the text needs (``torch``)."""

    text: str
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ConfigRef:
    """A config object: the root's own (``path == ""``) or one of its sub-configs (``"text_config"``)."""

    path: str


@dataclass(frozen=True, slots=True)
class ConfigCopy:
    """A copy of the config at a path, in which these fields have other values; ``@name`` is the one that the declared
    call was given as that argument."""

    path: str
    fields: tuple[tuple[str, "Value"], ...]


@dataclass(frozen=True, slots=True)
class ModuleRef:
    """A module, by the key of its node."""

    key: int


@dataclass(frozen=True, slots=True)
class CodeRef:
    """A class or function; ``key`` finds the object in the reader's table, ``digest`` tells two codes apart."""

    module: str
    qualname: str
    key: int = field(compare=False)
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an enumeration."""

    code: CodeRef
    name: str


@dataclass(frozen=True, slots=True)
class Structure:
    """A list, tuple, dict or plain object that holds something without a literal.

    With ``code`` a call of that class with these arguments makes an equal object: keywords, but for the name "".
    """

    kind: str
    items: tuple[tuple[str, "Value"], ...]
    code: CodeRef | None = None


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value of which no more than a description is known; equal descriptions count as equal."""

    text: str


Value = Literal | ConfigRef | ConfigCopy | ModuleRef | CodeRef | Member | Structure | Opaque


# --- constructions: how a module came to be -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Site:
    """The expression that built a module. Lines from 1, columns in UTF-8 bytes from 0, as `ast` counts them."""

    file: str
    function: str
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a constructor call, bound to its parameter.

    ``text`` is where the value came from, as far as known: an expression over ``config``, or ``"?name"``, a hint.
    ``learnt`` are expressions that gave the value at several configs, best first, over the root's ``config`` and the
    owner's arguments, or ``"@name"`` for an argument of the declared call; empty where the value follows nothing.
    ``members`` are such expressions for the fields of a config, or of an object, that is the value.
    """

    name: str
    value: Value
    kind: str  # "parameter" or, for a member of *args, "positional"
    keyword: bool
    text: str | None = None
    learnt: tuple[str, ...] | None = None
    members: tuple[tuple[str, tuple[str, ...] | None], ...] = ()


@dataclass(slots=True, unsafe_hash=True)  # thousands are made: a frozen one takes three times as long
class Built:
    """A recorded construction. ``direct`` tells that the expression at the site is the call of the class itself;
    ``ordinal`` counts what this owner built at this site, ``counters`` are the whole numbers among its local names.
    ``given`` reads the arguments, which few of the thousands of modules are asked for."""

    cls: ClassRef
    site: Site | None
    site_class: ClassRef | None
    owner: int | None
    ordinal: int
    direct: bool
    counters: tuple[tuple[str, int], ...]
    given: Callable[[], tuple[Argument, ...]] = field(compare=False, repr=False)
    _read: tuple[Argument, ...] | None = field(default=None, compare=False, repr=False)

    @property
    def arguments(self) -> tuple[Argument, ...]:
        if self._read is None:
            self._read = self.given()
        return self._read


@dataclass(frozen=True, slots=True)
class Construction:
    """The call that makes a live module anew: recorded, named by hand (``text``) or inferred."""

    cls: ClassRef
    code: CodeRef
    arguments: tuple[Argument, ...]
    text: str | None = None
    children: tuple[tuple[int, "Construction"], ...] = ()


@dataclass(frozen=True, slots=True)
class Parametrization:
    """What computes a tensor of a module: a public function of torch with its arguments, or a module of the user's."""

    function: str | None
    arguments: tuple[Argument, ...] = ()
    construction: Construction | None = None
    unsafe: bool = False


# --- trees ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True, unsafe_hash=True)  # thousands are made: a frozen one takes three times as long
class TensorFact:
    """A parameter or buffer without its values; ``dtype`` is "default" where it is that of the whole model."""

    key: int
    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool
    persistent: bool = True
    kind: str = "Parameter"


@dataclass(slots=True, unsafe_hash=True)  # thousands are made: a frozen one takes three times as long
class Node:
    """A module: its class and slots, in order. A shared module is one node with several paths.

    ``form`` is equal for nodes of which, with all below them, nothing but identity tells one from the other; it is
    told by readers that have their `Forms` in common."""

    key: int
    cls: ClassRef
    kind: str  # "container" and "native" are torch's own, "module" has a class with source
    children: tuple[tuple[str, "Node | None"], ...]
    parameters: tuple[tuple[str, TensorFact | None], ...]
    buffers: tuple[tuple[str, TensorFact | None], ...]
    attributes: tuple[tuple[str, Value], ...]
    methods: tuple[tuple[str, CodeRef], ...]
    functions: tuple[tuple[str, CodeRef], ...]  # patched functions of the modelling module that its methods reach
    hooks: tuple[str, ...]
    ties: tuple[tuple[str, str], ...] | None  # the ties that a transformers class declares; None for other modules
    ties_active: bool  # whether the config lets declared ties take effect
    built: Built | None
    parametrized: tuple[str, ...]  # tensors that a parametrization computes
    form: int

    def child(self, name: str) -> "Node | None":
        return dict(self.children)[name]


def is_special(name: str) -> bool:
    """Whether Python itself calls a method, on the class and not on the object."""
    return name.startswith("__") and name.endswith("__")


def join(path: str, name: str) -> str:
    """The dotted path of a slot."""
    return f"{path}.{name}" if path else name
