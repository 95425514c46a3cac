"""What may stand in the text of a user's file, between the quotes of a docstring or behind a `#`."""

from tests.hostile.canary import CALL

DOCUMENTS = (
    "Plain.",
    "With \\\\ and \\' and \\\".",
    'Three \\"\\"\\" quotes.',
    "''' others",
    'Ends in a quote \\"',
    "Ends in \\\\",
    "\\x00 as an escape",
    "\\N{BULLET}",
    "\\ud800",
    "# -*- coding: utf-7 -*-",
    f"{CALL}",
    f"\n    {CALL}\n    ",
    "{{ x }} {% y %} {# z #}",
    "%s %(x)s {x}",
    "Tab\there",
    "Emoji \U0001f600",
    "\u65e5\u672c",
    "e\u0301",
    "\xa0nbsp",
    "\xadshy",
    "\u200bzwsp",
    "\n    >>> from .nowhere import thing\n    ",
    "Args:\n        x: y\n\n    ",
    "trailing   \n    blanks   \n    ",
    "# fmt: off",
    "# type: ignore",
    "Copied from x",
    "\\\n    continued",
    "from here on",
    "import nothing",
)
"""What may stand between the quotes of a docstring, as source text."""

DANGEROUS_SOURCE = (
    "\n    from .nowhere import thing\n    ",
    "\n    import .nowhere\n    ",
    "\n from .a.b import c",
    "a \x0c b",
    "a \x0b b",
    "\u202e turned",
    "\u2066 isolated \u2069",
    "a\x1bb",
    "a\x7fb",
    "\x85",
    "\u2028",
    "\u2029",
)
"""What cannot stand in a file as it is, for some reader of it."""
