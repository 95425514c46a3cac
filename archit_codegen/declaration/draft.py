"""What an emission was to become, for its text to be judged by: originals, planned edits, and what names mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import FunctionType

from .ecosystem import ConfigClass
from .edits import Variant
from .importing import Import
from .lookup import Place
from .plannedclass import Followed, Original


@dataclass(frozen=True, slots=True)
class ClassDraft:
    """A variant, where its original stands, and what the names mean there."""

    variant: Variant
    original: Original
    names: Followed
    place: Place


@dataclass(frozen=True, slots=True)
class Draft:
    """A package.

    Names in planned text mean: a class of ``classes``, the config class, an object of the user's (``user``), else one
    of ``imports``. ``methods`` are the places of patched methods by their code, ``relays`` the functions of
    transformers to copy, ``values`` those of the live config. ``statements`` and ``definitions`` are the names of what
    stands above the classes, and in the file of the user's modules, in their order. ``postponed``: whether the
    annotations of the classes are not evaluated. ``vendor`` as the user asked; ``conversions`` are the statements that
    follow the classes.
    """

    name: str
    declared: type
    root: str
    classes: tuple[ClassDraft, ...]
    config: ConfigClass | None
    values: Mapping[str, object]
    user: Mapping[str, object]
    statements: tuple[str, ...]
    definitions: tuple[str, ...]
    imports: Mapping[str, Import]
    relays: Mapping[int, FunctionType]
    methods: Mapping[str, Place]
    postponed: bool
    vendor: str
    conversions: tuple[str, ...]

    @property
    def configs(self) -> tuple[ConfigClass, ...]:
        return () if self.config is None else self.config.all

    @property
    def exports(self) -> list[str]:
        return sorted(draft.variant.name for draft in self.classes if not draft.variant.name.startswith("_"))
