"""Every error that a user can cause: facts first, the sentence built from them."""


class ArchitError(Exception):
    """Root of the errors that a user can cause; anything else that is raised is a bug.

    The message is one printable line: names and paths may hold line ends, and codes that a terminal obeys.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(
            "".join(character if character.isprintable() else ascii(character)[1:-1] for character in message)
        )


class UnsupportedChange(ArchitError):
    """A change of the live model that no source can declare.

    Attributes: ``path`` (dotted, ``"<root>"`` for the model itself), ``reason`` and ``remedy`` (what the user can do).
    """

    def __init__(self, path: str, reason: str, remedy: str) -> None:
        super().__init__(f"{path or '<root>'}: {reason}. {remedy}")
        self.path, self.reason, self.remedy = path or "<root>", reason, remedy


class UnknownArguments(UnsupportedChange):
    """Nothing tells how a module was constructed: not recorded, and its arguments are not kept on the object."""

    def __init__(self, path: str, cls: str, parameters: tuple[str, ...]) -> None:
        missing = ", ".join(parameters) or "its arguments"
        super().__init__(
            path,
            f"cannot tell how {cls} was constructed ({missing})",
            "Build it inside `archit_codegen.record()`, name the expression with `archit_codegen.initialiser(module, "
            '"...")`, or keep each argument as an attribute of the module under the name of its parameter.',
        )
        self.cls, self.parameters = cls, parameters


class SourceUnavailable(ArchitError):
    """The source text of a class or function cannot be had, or is not the text of the code that is live."""

    def __init__(self, name: str, reason: str, remedy: str) -> None:
        super().__init__(f"{name}: {reason}. {remedy}")
        self.name, self.reason, self.remedy = name, reason, remedy


class InvalidName(ArchitError):
    """A name from the user that cannot stand in source text (package, suffix, class, attribute)."""

    def __init__(self, what: str, value: object, rule: str) -> None:
        super().__init__(f"{what} {value!a} is not usable: {rule}.")
        self.what, self.value, self.rule = what, value, rule


class UnwritableValue(ArchitError):
    """A value that has no literal in Python source."""

    def __init__(self, value: object, reason: str) -> None:
        super().__init__(f"a value of type {type(value).__name__} cannot be written as a literal: {reason}.")
        self.reason = reason


class InvalidDeclaration(ArchitError):
    """The declared class and the live model do not belong together, or the reference cannot be built."""


class ValidationFailed(ArchitError):
    """The emitted package does not rebuild the live model; nothing was written."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path or '<root>'}: the emitted package does not rebuild the live model ({reason}); nothing was written."
            " Please report this with the surgery: the compiler should have refused the change by name."
        )
        self.path, self.reason = path or "<root>", reason


class SpecError(ArchitError):
    """The spec (``archit.toml`` or ``[tool.archit]``) cannot be found, or does not say what it has to.

    Attributes: ``file``, ``line`` (0 where none is to blame) and ``reason``.
    """

    def __init__(self, file: object, reason: str, line: int = 0) -> None:
        super().__init__(f"{file}{f':{line}' if line else ''}: {reason}.")
        self.file, self.reason, self.line = str(file), reason, line


class SurgeryError(ArchitError):
    """The user's function that makes the modification cannot be found, fails, or returns no module."""

    def __init__(self, surgery: str, reason: str, what: str = "surgery") -> None:
        super().__init__(f"{what} {surgery!r}: {reason}.")
        self.surgery, self.reason = surgery, reason


class LockUnreadable(ArchitError):
    """The ``archit.lock`` of a package cannot be read, so nobody knows which files are archit's."""

    def __init__(self, file: object, reason: str) -> None:
        super().__init__(f"{file}: {reason}.")
        self.file, self.reason = str(file), reason


class WriteRefused(ArchitError):
    """Writing the package would lose something that archit did not write; nothing was touched.

    Attributes: ``package`` (its path) and ``files`` (what stands in the way, and why).
    """

    def __init__(self, package: object, files: dict[str, str], remedy: str) -> None:
        listed = ", ".join(f"{path} ({why})" for path, why in files.items())
        super().__init__(f"{package}: not written, nothing was touched: {listed}. {remedy}")
        self.package, self.files, self.remedy = str(package), files, remedy


class WriteFailed(ArchitError):
    """The disk refused; the old package or the new one stands there, complete with its lock."""

    def __init__(self, package: object, reason: str) -> None:
        super().__init__(f"{package}: could not be written ({reason}); no package was left half-written.")
        self.package, self.reason = str(package), reason


class NotInstalled(ArchitError):
    """A library that compiling needs is missing in the environment that archit runs in."""

    def __init__(self, library: str) -> None:
        super().__init__(
            f"{library} is not installed in the environment that archit runs in, and compiling needs it. "
            f"Run archit from the project's own environment, or `pip install {library}` there."
        )
        self.library = library


class GitError(ArchitError):
    """git could not be asked what it knows of the packages."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"git: {reason}.")
        self.reason = reason
