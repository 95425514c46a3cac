"""What no formatter refuses, and yet must not stand in a file that is to be read by Python, by people and by Git."""

import re

from archit_codegen.errors import UnsupportedChange

# They end a line, a page or a file for one reader and not for another, or turn the text around as it is shown.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")
DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
SURROGATES = re.compile("[\ud800-\udfff]")
COOKIE = re.compile(r"^[ \t\f]*#.*?coding[:=][ \t]*[-\w.]+", re.ASCII)
# transformers searches remote code for these, line by line, and inside strings too.
RELATIVE = re.compile(r"^\s*(?:import\s+\.(\S+)\s*$|from\s+\.(\S+)\s+import)", re.MULTILINE)
FORBIDDEN = (
    (CONTROLS, "a control character"),
    (DIRECTIONS, "an invisible character that turns the text around"),
    (SURROGATES, "half of a surrogate pair"),
)
ESCAPE = r'In a string, write it as an escape (`"\x0c"`); in a comment, leave it out.'


def check_characters(path: str, text: str) -> None:
    """The text that came with the user's code, or with a class of a library, can be written to a file as it is.

    Raises:
        UnsupportedChange: it holds a character that would make it another text for some reader, or a coding cookie.
    """
    for pattern, what in FORBIDDEN:
        if found := pattern.search(text):
            raise UnsupportedChange(
                _place(path, text, found), f"{what} ({found.group()!a}) stands in the source", ESCAPE
            )
    for number, line in enumerate(text.split("\n")[:2], 1):
        if COOKIE.match(line):
            reason = "a comment there reads as a declaration of an encoding"
            raise UnsupportedChange(f"{path}, line {number}", reason, "Leave it out.")


def check_relative_imports(path: str, text: str, real: frozenset[str]) -> None:
    """No line of a string looks like a relative import; ``real`` are the modules that are imported so.

    Raises:
        UnsupportedChange: transformers would look for that file when it loads the package as remote code.
    """
    for found in RELATIVE.finditer(text):
        if (found.group(1) or found.group(2)) not in real:
            reason = f"transformers takes the line `{found.group().strip()}`, in a string, for an import of a file"
            raise UnsupportedChange(
                _place(path, text, found), reason, "Indent it behind `>>> `, or word it otherwise."
            )


def _place(path: str, text: str, found: re.Match[str]) -> str:
    start = found.start() + len(found.group()) - len(found.group().lstrip("\n"))
    return f"{path}, line {text.count(chr(10), 0, start) + 1}"
