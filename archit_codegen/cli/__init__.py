"""The command line: arguments, printing, exit codes.

0: done. 1: stale, different, or edited by hand. 2: an `ArchitError` or a wrong call, told in one line; a bug shows
its traceback. What a command needs is imported when it is called, so that `archit --help` and `archit check` start at
once.
"""

from . import commands
from .app import main

__all__ = ["commands", "main"]
