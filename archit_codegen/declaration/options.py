"""What the user asked for."""

from dataclasses import dataclass

from ..errors import InvalidName
from .literal import check_identifier


@dataclass(frozen=True, slots=True)
class Options:
    """How a model is compiled; ``prefer_sites`` and ``flat`` are the compiler's own, tried one after another."""

    name: str
    suffix: str
    copy_user_code: bool = True
    prefer_sites: bool = True
    flat: bool = False
    roots: tuple[type, ...] = ()  # classes of the user's that are copied in any case
    vendor: str = "changed"
    validation: bool = True


def options_of(name: str, suffix: str, user_code: str, vendor: str) -> Options:
    """Raises `InvalidName` for what cannot be one."""
    return Options(_package_name(name), suffix_of(suffix), _copies(user_code), vendor=_vendor(vendor))


def _package_name(name: str) -> str:
    check_identifier("The package name", name)
    if name != name.lower():
        raise InvalidName("The package name", name, "it must be in lower case, as module names are")
    return name


def suffix_of(suffix: str) -> str:
    check_identifier("The suffix", f"X{suffix}" if type(suffix) is str else suffix)
    if not suffix:
        raise InvalidName("The suffix", suffix, "it must not be empty, or new classes would have the old names")
    return suffix


def _copies(user_code: str) -> bool:
    if user_code not in ("copy", "import"):
        raise InvalidName("user_code", user_code, 'it must be "copy" or "import"')
    return user_code == "copy"


def _vendor(vendor: str) -> str:
    if vendor not in ("changed", "all", "modular"):
        raise InvalidName("vendor", vendor, 'it must be "changed", "all" or "modular"')
    return vendor
