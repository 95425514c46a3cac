"""Which files a package has to have, and what stands in its modular file."""

from collections.abc import Set as AbstractSet

from archit_codegen.errors import ValidationFailed

from .draft import Draft
from .emittedfile import EmittedFile


def check_paths(paths: AbstractSet[str], draft: Draft) -> None:
    """Raises `ValidationFailed` for a file too many, or one that is missing."""
    kinds = ["modeling", *(["configuration"] if draft.config is not None else [])]
    kinds += ["modules"] if draft.definitions else []
    kinds += ["modular"] if draft.vendor == "modular" else []
    wanted = {f"{draft.name}/__init__.py", *(f"{draft.name}/{kind}_{draft.name}.py" for kind in kinds)}
    if paths != wanted:
        raise ValidationFailed(min(paths ^ wanted), "the file was not planned, or is missing")


def check_modular(file: EmittedFile, draft: Draft) -> None:
    """Raises `ValidationFailed` for other classes, statements or exports than planned.

    Subclasses have no original whose text they could be compared with. That they make the same model is proved by
    running them in the place of the full classes (`compiler.rebuilt`): branches that do not run there are not judged.
    """
    classes = [each.variant.name for each in draft.classes]
    others = [name for name in draft.statements if name in file.definitions]
    if list(file.definitions) != [*others, *classes] or file.calls or file.notice is not None:
        raise file.refuse(file.notice, "it has other classes or statements than planned")
    if file.exports != draft.exports or file.postponed is not draft.postponed:
        raise file.refuse(None, f"it exports {file.exports}, should be {draft.exports}")
