"""`required-version`: keeps a project's packages from being made by a version it was not meant for."""

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from .. import __version__
from ..errors import SpecError
from .spec import Spec


def check_required_version(spec: Spec) -> None:
    """Refuse to work on a spec that another version of archit_codegen has to be used for.

    Raises:
        SpecError: names both versions, and the command that installs a fitting one.
    """
    if spec.required_version is None:
        return
    try:
        wanted = SpecifierSet(spec.required_version)
    except InvalidSpecifier as error:
        raise SpecError(spec.file, f"'required-version' is {spec.required_version!a}, no version specifier") from error
    if not wanted.contains(__version__, prereleases=True):
        raise SpecError(
            spec.file,
            f"archit_codegen {__version__} is installed, and 'required-version' is {spec.required_version!r}: "
            f"pip install 'archit_codegen{spec.required_version}'",
        )
