"""Where the templates lie, and what they say together; whoever fills them in is elsewhere."""

import hashlib
from functools import cache
from pathlib import Path

KNOWN = "modeling.py.jinja"


@cache
def template_directory() -> Path:
    """``templates`` inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    for path in (package / "templates", package.parent / "templates"):
        if (path / KNOWN).is_file():
            return path
    raise FileNotFoundError(f"the templates of archit_codegen are not installed beside {package.name}")


@cache
def templates_digest() -> str:
    """One hash of all templates and their names, whatever line ends the checkout has."""
    root = template_directory()
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.jinja")):
        text = path.read_bytes().replace(b"\r\n", b"\n")
        total.update(f"{path.relative_to(root).as_posix()} {len(text)}\n".encode() + text)
    return f"sha256:{total.hexdigest()}"
