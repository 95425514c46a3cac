"""What the plan asks of the source: variants and their edits, as text and positions. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .ir import ClassRef, CodeRef, Site

# Stands in new text for the expression that was there before.
ORIGINAL = "__original__"
# Stand in a learnt test for the index of the loop, and for the number of its rounds.
INDEX, COUNT = "__index__", "__count__"
SWITCH = ".requires_grad_("  # stands last of all: what a class does after `post_init()` may freeze its modules


@dataclass(frozen=True, slots=True)
class Loop:
    """The comprehension or `for` around a site; ``index`` is the name that counts from 0, None where nothing does."""

    comprehension: bool
    index: str | None
    over_range: bool
    iterable: str


@dataclass(frozen=True, slots=True)
class SiteText:
    """What stands at a site: the expression, its callee, its arguments by keyword or position, the loop around it."""

    text: str
    callee: str | None
    arguments: tuple[tuple[int | str, str], ...]
    loop: Loop | None
    loops: int
    every: bool  # whether each iteration of the loop comes here


@dataclass(frozen=True, slots=True)
class Callee:
    """The call stays, the class that it calls (declared as ``old``) is another."""

    old: str
    name: str


@dataclass(frozen=True, slots=True)
class Arguments:
    """The call stays with other arguments; None takes one away. Keys are positions or keywords."""

    changes: tuple[tuple[int | str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Expression:
    """Another expression, in which `ORIGINAL` may stand; there the call is made of ``held``, if that is given."""

    text: str
    held: Callee | None = None


Alternative = Callee | Arguments | Expression


@dataclass(frozen=True, slots=True)
class SiteEdit:
    """What a site builds, by the iteration of the loop around it; what is not named stays.

    ``choices`` has one entry without indices where the site always builds the same; ``indices`` are all iterations
    that come to the site. ``tests`` say for each choice when it is taken, whatever the depth, the last one perhaps
    with nothing: otherwise. ``count`` is the number of rounds, its text and its value.
    """

    site: Site
    choices: tuple[tuple[tuple[int, ...], Alternative], ...]
    indices: tuple[int, ...] = ()
    tests: tuple[str, ...] = ()
    count: tuple[str, int] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class LoopEdit:
    """The comprehension around a site runs over these indices, in this order; ``test`` says which whatever the depth,
    which is ``count``; where the order is another one, it is the sequence of them."""

    site: Site
    order: tuple[int, ...]
    size: int
    test: str | None = None
    count: str = field(default="", compare=False)

    @property
    def in_order(self) -> bool:
        return list(self.order) == sorted(set(self.order))


@dataclass(frozen=True, slots=True)
class Assign:
    """``self.<name> = <text>`` in `__init__`: where that stands now, if it is one plain statement, or at the end."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement at the end of `__init__`."""

    text: str


@dataclass(frozen=True, slots=True)
class HiddenBuffer(Statement):
    """A statement that registers a buffer which no checkpoint carries: its name, and the text of its
    values."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Method:
    """A method's new text; the declared one stays under ``keep`` if the new one calls it.

    ``code`` tells methods of one text apart that close over different things. ``helpers`` stand before it, and are
    methods that the declared class does not have.
    """

    name: str
    text: str
    keep: str | None = None
    code: str = ""
    helpers: tuple["Method", ...] = ()


@dataclass(frozen=True, slots=True)
class NewMethod:
    """A method that the declared class does not have."""

    text: str


@dataclass(frozen=True, slots=True)
class InitWeights:
    """A statement at the end of `_init_weights`."""

    text: str


@dataclass(frozen=True, slots=True, order=True)
class Guard:
    """Statements of `_init_weights` that read ``name`` of the child at ``holder`` run where it has that."""

    holder: str
    name: str


@dataclass(frozen=True, slots=True)
class ClassAttribute:
    """``<name> = <text>`` in the class body; with ``extend`` the members are added to a list that stands there."""

    name: str
    text: str
    extend: bool = False


@dataclass(frozen=True, slots=True)
class Constructs:
    """What the class makes of its uses of a declared class where it constructs: always the variant ``new``, or what
    the site edits say (``new == old``)."""

    old: str
    new: str


Addition = Statement | NewMethod | InitWeights | ClassAttribute
SourceEdit = SiteEdit | LoopEdit | Assign | Method | Guard | Constructs | Addition


@dataclass(frozen=True, slots=True)
class Variant:
    """A class to emit: a declared one under a new name, with edits and with other base classes."""

    name: str
    origin: ClassRef
    code: CodeRef
    edits: tuple[SourceEdit, ...] = ()
    bases: tuple[tuple[str, str], ...] = ()  # base class by name, its variant


@dataclass(frozen=True, slots=True)
class Plan:
    """All variants, in the order in which they were first needed.

    ``present`` says for each declared class with variants which classes stand in its place in the live model.
    """

    variants: tuple[Variant, ...]
    root: str
    present: Mapping[ClassRef, tuple[str, ...]]
