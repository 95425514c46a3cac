"""The emitted text against the originals and the plan: same trees with the planned edits, same meaning of every name.

Branches that are not taken never run, so building and running a package cannot prove them. Nothing of the package runs
here: names are looked up where the imports say, in the modules of this process.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from logging import Logger

from archit_codegen.errors import ValidationFailed

from .agreement import UNKNOWN
from .characters import check_characters, check_relative_imports
from .constants import assignments, evaluate, says
from .draft import Draft
from .emittedfile import Definition, EmittedFile, read_file
from .functiontext import renamed
from .literal import is_writable, write_literal
from .livesource import function_source, innermost
from .lookup import Place, literal_place
from .meanings import (
    Demand,
    copied_text,
    gives,
    homes,
    reading,
    registrations,
    renamed_target,
    through_modules,
    values_of,
)
from .plannedclass import method_of, planned_class
from .plannedconfig import check_values, config_statements, notice, values_of_config
from .plannedfiles import check_paths
from .plannedmodular import check_modular
from .plannedrounds import Unplanned
from .plannedsites import is_new
from .sametree import Differs, TreeComparison, shortened
from .usercode import user_function, written_class, written_function

OTHER = "the text is not its original's with the planned edits"
NAMES = "is not what the original's name means"


def check_files(files: Mapping[str, str], draft: Draft) -> None:
    """Raises:
    ValidationFailed: a file says something else than its originals and the plan.
    UnsupportedChange: a character in it cannot stand in a file.
    """
    for path, text in files.items():
        check_characters(path, text)
    read = {_stem(path): read_file(path, text) for path, text in files.items()}
    Check(draft, dict(read)).run(set(files))
    for file in read.values():
        check_relative_imports(file.path, files[file.path], file.siblings)


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".py")


@dataclass(slots=True)
class Check:
    """One package: what it defines has to be asked for, and be what was asked for."""

    draft: Draft
    files: dict[str, EmittedFile]
    pending: list[Demand] = field(default_factory=list)
    claims: dict[tuple[str, str], tuple[object, ...]] = field(default_factory=dict)
    postponed: set[str] = field(default_factory=set)

    def run(self, paths: set[str]) -> None:
        check_paths(paths, self.draft)
        modular, modeling = self.files.pop(f"modular_{self.draft.name}", None), self.file("modeling")
        for draft in self.draft.classes:
            statement = self.own_definition(modeling, draft.variant.name)
            try:
                expected = planned_class(draft.original, draft.variant, draft.names)
            except Unplanned as error:
                raise modeling.refuse(
                    statement, f"an edit of the plan has no place in the original: {error}"
                ) from None
            self.compare(expected, statement, draft.place, modeling)
        if self.draft.config is not None:
            self.check_config(self.file("configuration"))
        self.check_calls(modeling, *reading(self.draft))
        self.check_init(self.file("__init__"))
        self.check_definitions()
        self.check_whole()
        if modular is not None:
            check_modular(modular, modeling, self.draft)

    def check_definitions(self) -> None:
        """What texts asked for, and what else of the user's was to be copied: a variant may stand in its place."""
        nowhere = literal_place("")
        for name in self.draft.definitions:
            if name in self.draft.user:
                self.demand(self.file("modules"), name, self.draft.user[name], name, nowhere)
        while self.pending:
            self.check_definition(self.pending.pop(0))

    def file(self, kind: str) -> EmittedFile:
        return self.files[kind if kind == "__init__" else f"{kind}_{self.draft.name}"]

    def own_definition(self, file: EmittedFile, name: str) -> Definition:
        statement = file.definitions.get(name)
        if statement is None:
            raise file.refuse(None, f"it does not define {name}")
        file.used.add(name)
        return statement

    def check_whole(self) -> None:
        """Nothing is in a file for nothing, and what is there stands in the planned order."""
        classes = [draft.variant.name for draft in self.draft.classes]
        orders = {"modeling": [*self.draft.statements, *classes], "modules": [*self.draft.definitions]}
        exports = {"modeling": self.draft.exports, "modules": [], "__init__": self.exports()}
        exports["configuration"] = sorted(config.name for config in self.draft.configs)
        for stem, file in self.files.items():
            kind = "__init__" if stem == "__init__" else stem.partition("_")[0]
            file.check_used()
            if file.exports != exports[kind]:
                raise file.refuse(None, f"it exports {file.exports}, should be {exports[kind]}")
            if list(file.definitions) != orders.get(kind, list(file.definitions)):
                raise file.refuse(None, "its definitions do not stand in the planned order")
            if file.calls and kind not in ("__init__", "modeling"):
                raise file.refuse(file.calls[0], "nothing planned this statement")
            if (file.notice is None) is (kind == "configuration"):
                raise file.refuse(file.notice, "nothing planned this statement, or it is missing")
            if file.postponed is not (self.draft.postponed if kind == "modeling" else file.path in self.postponed):
                raise file.refuse(None, "its annotations are not evaluated when its originals' are")

    def exports(self) -> list[str]:
        return sorted([*self.draft.exports, *(config.name for config in self.draft.configs)])

    # --- the configuration, and `__init__`

    def check_config(self, file: EmittedFile) -> None:
        if file.notice is not None:
            expected, place = notice(self.draft)
            self.compare(expected, file.notice, place, file)
        for config, planned, place in config_statements(self.draft):
            statement = self.own_definition(file, config.name)
            self.compare(planned, statement, place, file)
            assert isinstance(statement, ast.ClassDef)
            check_values(file, statement, values_of_config(self.draft, config))

    def check_init(self, file: EmittedFile) -> None:
        self.check_calls(file, *registrations(self.draft))
        for name in self.exports():
            if not self.is_planned(name, name, file):
                raise file.refuse(None, f"it does not import {name}")

    def check_calls(self, file: EmittedFile, expected: list[ast.stmt], place: Place) -> None:
        if len(expected) != len(file.calls):
            raise file.refuse(None, f"it has {len(file.calls)} registrations, should have {len(expected)}")
        for one, other in zip(expected, file.calls, strict=True):
            self.compare(one, other, place, file)

    # --- definitions that some text asked for

    def check_definition(self, demand: Demand) -> None:
        statement, value = self.own_definition(demand.file, demand.definition), demand.value
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            self.check_constant(demand, statement)
        elif id(value) in self.draft.relays:
            text = function_source(innermost(self.draft.relays[id(value)])).text
            self.check_text(demand, renamed(text, demand.definition), demand.place, statement)
        elif isinstance(value, type) and isinstance(statement, ast.ClassDef):
            self.check_text(demand, *written_class(value), statement)
        elif user_function(value) is not None and isinstance(statement, ast.FunctionDef):
            self.check_text(demand, *written_function(value, demand.definition), statement)
        elif (found := copied_text(value, demand.definition)) is not None and isinstance(statement, ast.FunctionDef):
            self.check_text(demand, *found, statement)
        else:
            raise demand.file.refuse(statement, f"`{demand.definition}` {NAMES}")

    def check_text(self, demand: Demand, text: str, place: Place, statement: ast.stmt) -> None:
        (expected,) = ast.parse(text).body
        if isinstance(expected, ast.ClassDef):
            expected.name = demand.definition
        self.compare(expected, statement, place, demand.file)

    def check_constant(self, demand: Demand, statement: ast.Assign | ast.AnnAssign) -> None:
        """It is the user's own assignment, where that still says the live value, or a literal of the value."""
        for expected, place in self.forms(demand):
            waiting, claims, used = list(self.pending), dict(self.claims), set(demand.file.used)
            try:
                return self.compare(renamed_target(expected, demand.definition), statement, place, demand.file)
            except ValidationFailed:
                self.pending, self.claims, demand.file.used = waiting, claims, used
        raise demand.file.refuse(statement, f"`{demand.definition}` {NAMES}")

    def forms(self, demand: Demand) -> Iterator[tuple[ast.stmt, Place]]:
        for name, place in homes(demand.name, demand.value, demand.place):
            for file in place.files:
                for found in assignments(file.tree, name):
                    value = (
                        evaluate(found.value, values_of(found.value, place)) if found.value is not None else UNKNOWN
                    )
                    if says(value, demand.value):
                        yield ast.parse(ast.unparse(found)).body[0], place
        if is_writable(demand.value):
            yield ast.parse(f"x = {write_literal(demand.value)}").body[0], literal_place(demand.name)

    # --- names

    def compare(self, expected: ast.stmt, emitted: ast.stmt, place: Place, file: EmittedFile) -> None:
        places = [place]
        if place.postponed:
            self.postponed.add(file.path)

        def enter(node: ast.AST, inside: bool) -> None:
            code = method_of(node)
            if code is not None:
                places.append(self.draft.methods[code]) if inside else places.pop()

        comparison = TreeComparison(lambda one, other: self.same(one, other, places[-1], file), enter)
        try:
            comparison.compare(expected, emitted)
        except Differs as error:
            node = error.node if error.node is not None else emitted
            shown = f": `{shortened(node)}`" if isinstance(node, ast.expr) else ""
            raise file.refuse(node if hasattr(node, "lineno") else emitted, f"{OTHER}{shown}") from None

    def same(self, expected: ast.expr, emitted: ast.expr, place: Place, file: EmittedFile) -> bool:
        if isinstance(expected, ast.Constant) and isinstance(emitted, ast.Constant):
            return self.same_quoted(str(expected.value), str(emitted.value), place, file)
        assert isinstance(emitted, ast.Name)
        if isinstance(expected, ast.Attribute):
            found = through_modules(expected, place)
            return found is not None and self.stands(*found, emitted.id, file)
        assert isinstance(expected, ast.Name)
        start = (getattr(expected, "lineno", 0), getattr(expected, "col_offset", 0))
        value = place.overrides.get(start, place.value(expected.id))
        if is_new(expected) or value is UNKNOWN:
            if self.is_planned(expected.id, emitted.id, file):
                return True
            if expected.id in self.draft.user:
                value = self.draft.user[expected.id]
            elif expected.id in self.draft.imports:
                return self.stands(self.draft.imports[expected.id].value(), expected.id, place, emitted.id, file)
        if self.draft.vendor == "all" and isinstance(value, type):
            for config in self.draft.configs:  # what is copied is declared for the new config, too
                if config.base is value and self.is_planned(config.name, emitted.id, file):
                    return True
        return self.stands(value, expected.id, place, emitted.id, file)

    def same_quoted(self, expected: str, emitted: str, place: Place, file: EmittedFile) -> bool:
        try:
            one, other = (ast.parse(text.strip(), mode="eval").body for text in (expected, emitted))
            self.compare(ast.Expr(one), ast.Expr(other), place, file)
        except (SyntaxError, ValueError, ValidationFailed):
            return False
        return True

    def is_planned(self, name: str, emitted: str, file: EmittedFile) -> bool:
        """Whether it is a new class (a variant, the config class) under its own name."""
        config = any(config.name == name for config in self.draft.configs)
        if name != emitted or not (config or any(d.variant.name == name for d in self.draft.classes)):
            return False
        home = self.file("configuration" if config else "modeling")
        file.used.add(name)
        if home is file:
            return name in file.definitions
        return [(i.sibling, i.statement.name) for i in file.imports.get(name, [])] == [(_stem(home.path), name)]

    def stands(self, value: object, name: str, place: Place, emitted: str, file: EmittedFile) -> bool:
        """Whether an emitted name means the value that its original has in its place."""
        file.used.add(emitted)
        if not file.binds(emitted):
            return emitted == name and (value is UNKNOWN or place.is_builtin(name))
        imported = file.imports.get(emitted)
        if imported is None:
            return self.demand(file, emitted, value, name, place)
        if imported[0].sibling is not None:
            other = self.files.get(imported[0].sibling)
            inner = imported[0].statement.name
            return other is not None and inner is not None and self.demand(other, inner, value, name, place)
        return id(value) not in self.draft.relays and all(gives(item, value) for item in imported)

    def demand(self, file: EmittedFile, definition: str, value: object, name: str, place: Place) -> bool:
        """Whether a definition may stand for a value: it stands for one only."""
        statement = file.definitions.get(definition)
        if statement is None or value is UNKNOWN or any(d.variant.name == definition for d in self.draft.classes):
            return False
        key = (file.path, definition)
        plain = isinstance(statement, ast.Assign | ast.AnnAssign)
        claim: tuple[object, ...] = (
            ("constant", repr(write_literal(value)) if is_writable(value) else id(value)) if plain else (id(value),)
        )
        if isinstance(value, Logger):
            claim = ("logger",)  # each module has its own, by its name: the package is one module
        file.used.add(definition)
        if key not in self.claims:
            self.pending.append(Demand(file, definition, value, name, place))
        return self.claims.setdefault(key, claim) == claim
