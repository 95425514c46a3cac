"""What several commands share: the spec, and the words in which the user is told what to run."""

import shlex
from collections.abc import Sequence
from os.path import relpath
from pathlib import Path

from ..errors import ArchitError
from ..regeneration.spec import Spec, find_spec, read_spec
from .app import late


def read(spec_file: Path | None) -> Spec:
    """The spec that was named, or that is found from here."""
    spec = read_spec(find_spec(Path.cwd()) if spec_file is None else spec_file)
    if spec.required_version is not None:
        late("regeneration.required").check_required_version(spec)
    return spec


def command(spec: Spec, *words: str) -> str:
    """A command for the user to run from here: "archit generate roberta_hel"."""
    try:
        found = find_spec(Path.cwd()).resolve() == spec.file
    except ArchitError:
        found = False
    named = [] if found else ["--spec", shown(spec.file)]
    return shlex.join(["archit", words[0], *named, *words[1:]])


def git_add(paths: Sequence[Path]) -> str:
    """The command that stages these paths."""
    return shlex.join(["git", "add", "--", *map(shown, paths)])


def shown(path: Path) -> str:
    """A path as one would type it here."""
    return relpath(path)
