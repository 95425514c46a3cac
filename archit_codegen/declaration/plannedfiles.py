"""Which files a package has to have."""

from collections.abc import Set as AbstractSet

from archit_codegen.errors import ValidationFailed

from .draft import Draft


def check_paths(paths: AbstractSet[str], draft: Draft) -> None:
    """Raises `ValidationFailed` for a file too many, or one that is missing."""
    kinds = ["modeling", *(["configuration"] if draft.config is not None else [])]
    kinds += ["modules"] if draft.definitions else []
    kinds += ["modular"] if draft.vendor == "modular" else []
    wanted = {f"{draft.name}/__init__.py", *(f"{draft.name}/{kind}_{draft.name}.py" for kind in kinds)}
    if paths != wanted:
        raise ValidationFailed(min(paths ^ wanted), "the file was not planned, or is missing")
