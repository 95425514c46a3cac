"""From the difference to the text of a package: plan, rewrite, bind, render."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any

from torch import nn

from .ecosystem import auto_classes, version_of
from .buffers import restoring_statements
from .edits import InitWeights, Method, Plan, Variant
from .emission_config import ConfigClass
from .importing import Import, sort_imports
from .ir import ClassRef, CodeRef, Delta
from .markers import missing_markers
from .names import free_globals
from .ownership import is_user_code
from .patches import method_edit
from .plan import Facts, make_plan
from .forcing import forced
from .render import render
from .resolve import Bindings, module_scope
from .rewrite import rewrite_class
from .rewrite_names import Renames
from .source import ClassText, class_text, site_text
from .style import format_text
from .textcheck import check_text
from .uses import UsedNames, root_import
from .workbench import Workbench

# Names that new text (statements, tensors) may rely on.
GIVEN = {"init": Import("transformers", "initialization", "init"), "nn": root_import("nn"), "torch": root_import("torch"), "copy": Import("copy", None, "copy")}


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for."""

    name: str
    suffix: str
    copy_user_code: bool = True
    prefer_sites: bool = True
    flat: bool = False


@dataclass(frozen=True, slots=True)
class Emitted:
    """The text of the new classes and what each stands for (``origins``: emitted name -> ``module:qualname``)."""

    files: Mapping[str, str]
    root: str
    classes: tuple[str, ...]
    origins: Mapping[str, str]
    new_source: str


@dataclass(slots=True)
class Emitter:
    """Writes the package of one difference."""

    bench: Workbench
    delta: Delta
    options: Options
    config: ConfigClass | None
    forced: frozenset[ClassRef] = frozenset()
    method_scopes: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def emit(self) -> Emitted:
        names = UsedNames(self.bench.objects, self.delta, frozenset(), copy=self.options.copy_user_code)
        plan = make_plan(forced(self.delta, self.forced), self.options.suffix, self.facts(names))
        copy = self.options.copy_user_code
        bindings = Bindings(self._defined(plan, names), self.bench.process.relays, copy)
        ordered = self._ordered(plan)
        texts = [self._class(variant, plan, names, bindings) for variant in ordered]
        missing = missing_markers(self.bench.classes, "\n".join(texts)) - self.forced
        if missing:
            return replace(self, forced=missing, method_scopes={}).emit()
        license_text = next((source.license for variant in reversed(ordered) if (source := self._source(variant)).license), "")
        user = names.add_roots(bindings.roots) if self.options.copy_user_code else names.user
        files = dict(self._files(plan, texts, bindings, names, license_text))
        origins = {variant.name: str(variant.origin) for variant in plan.variants}
        origins |= {name: f"{obj.__module__}:{obj.__qualname__}" for obj, name in user.names.items()}  # type: ignore[attr-defined]
        own = [definition.text for definition in user.definitions]
        source = format_text("\n\n".join([*own, *texts]))
        return Emitted(files, plan.root, tuple(v.name for v in ordered), origins, source)

    # --- plan

    def facts(self, names: UsedNames) -> Facts:
        return Facts(
            site_text=site_text,
            lineage=self.bench.lineage,
            holds=self.bench.holds,
            name_of=names.name_of,
            method=self._method,
            follows=self.bench.follows,
            forced=self.forced,
            restores=self._restores(names),
            prefer_sites=self.options.prefer_sites,
            flat=self.options.flat,
        )

    def _restores(self, names: UsedNames) -> tuple[InitWeights, ...]:
        copied = {obj: (name,) for obj, name in names.user.names.items() if isinstance(obj, type)}
        return tuple(map(InitWeights, restoring_statements(self.bench.live, copied)))

    def _method(self, name: str, code: CodeRef, cls: ClassRef) -> Method:
        function = self.bench.objects[code.key]
        bound = not code.digest.startswith("free:")
        edit, scope = method_edit(name, function, self.bench.classes[cls], bound=bound, path=f"{cls.name}.{name}")
        self.method_scopes[edit.text] = scope
        return edit

    def _defined(self, plan: Plan, names: UsedNames) -> frozenset[str]:
        new = {variant.name for variant in plan.variants} | ({self.config.name} if self.config else set())
        return frozenset(new | set(names.user.names.values()) | set(names.imports))

    def _ordered(self, plan: Plan) -> Sequence[Variant]:
        """Classes of one file as they stand there, the file of the root last."""
        modules = list(dict.fromkeys(variant.origin.module for variant in plan.variants))
        root = next(variant.origin.module for variant in plan.variants if variant.name == plan.root)
        modules.sort(key=lambda module: module == root)
        index = {variant: place for place, variant in enumerate(plan.variants)}
        return sorted(
            plan.variants, key=lambda v: (modules.index(v.origin.module), self._source(v).line, index[v])
        )

    # --- classes

    def _source(self, variant: Variant) -> ClassText:
        return class_text(self.bench.objects[variant.code.key])

    def _class(self, variant: Variant, plan: Plan, names: UsedNames, bindings: Bindings) -> str:
        cls = self.bench.objects[variant.code.key]
        source = self._source(variant)
        native = cls.__module__.partition(".")[0] == "torch"
        scope = {"nn": nn} if native else {**module_scope(cls), **_closure_scope(cls)}
        variant = self._with_bound_methods(variant, scope, bindings)
        text = rewrite_class(source, variant, self._renames(plan, scope))
        originals = {name: ref.name for ref, new in plan.present.items() for name in new}
        if self.config is not None:
            originals[self.config.name] = self.config.base.__name__
        check_text(source.dedented, text, variant, originals)
        given = {**GIVEN, **names.imports, **bindings.imports}
        for name in names.imports:
            bindings.imports.setdefault(name, names.imports[name])
        return bindings.bind(text, scope, source.file, given)

    def _with_bound_methods(self, variant: Variant, scope: Mapping[str, Any], bindings: Bindings) -> Variant:
        """Patched methods come from another file: their names are bound where they were written."""
        edits = []
        for edit in variant.edits:
            if isinstance(edit, Method):
                own = self.method_scopes[edit.text]
                text = bindings.bind(edit.text, own, str(own.get("__file__", "")), GIVEN, avoid=scope)
                edits.append(Method(edit.name, text, edit.keep))
            else:
                edits.append(edit)
        return Variant(variant.name, variant.origin, variant.code, tuple(edits), variant.bases)

    def _renames(self, plan: Plan, scope: Mapping[str, Any]) -> Renames:
        present = {
            ref.name: names
            for ref, names in plan.present.items()
            if scope.get(ref.name) is self.bench.classes.get(ref, self)
        }
        single = {}
        if self.config is not None and scope.get(self.config.base.__name__) is self.config.base:
            single[self.config.base.__name__] = self.config.name
        return Renames(present, single)

    # --- files

    def _files(
        self, plan: Plan, texts: Sequence[str], bindings: Bindings, names: UsedNames, license_text: str
    ) -> Iterator[tuple[str, str]]:
        name = self.options.name
        own: list[str] = []
        if self.config is not None:
            yield f"{name}/configuration_{name}.py", format_text(self.config.text(name, self._header()))
            if any(self.config.name in text for text in texts):
                own.append(f"from .configuration_{name} import {self.config.name}")
        if names.user.definitions:
            yield f"{name}/modules_{name}.py", format_text(self._modules(names))
        own.extend(self._user_imports(texts, bindings, names))
        statements = [binding.statement(alias) for alias, binding in bindings.imports.items() if _used(alias, texts, bindings)]
        values = {
            "license": license_text,
            "header": self._header(),
            "imports": grouped(sort_imports(statements)),
            "own_imports": own,
            "statements": list(bindings.statements.values()),
            "classes": texts,
            "exports": sorted(variant.name for variant in plan.variants if _is_public(variant)),
        }
        yield f"{name}/modeling_{name}.py", format_text(render("modeling.py.jinja", values))
        yield f"{name}/__init__.py", format_text(self._init(plan))

    def _header(self) -> list[str]:
        base = self.bench.declared
        home = f"{base.__module__.partition('.')[0]}"
        return [
            f"{base.__name__} of {home}{version_of(home)}, modified.",
            f"Generated by archit_codegen; regenerate with `archit generate {self.options.name}`.",
        ]

    def _modules(self, names: UsedNames) -> str:
        values = {
            "header": self._header()[1:],
            "imports": grouped(names.user.imports),
            "definitions": [definition.text for definition in names.user.definitions],
        }
        return render("modules.py.jinja", values)

    def _user_imports(self, texts: Sequence[str], bindings: Bindings, names: UsedNames) -> Iterator[str]:
        wanted = {alias: names.user.names[obj] for alias, obj in bindings.user_names.items()}
        wanted |= {name: name for name in names.user.names.values()}
        used = sorted(
            name if name == alias else f"{name} as {alias}"
            for alias, name in wanted.items()
            if _used(alias, texts, bindings)
        )
        if used:
            yield f"from .modules_{self.options.name} import {', '.join(used)}"

    def _init(self, plan: Plan) -> str:
        name, root = self.options.name, plan.root
        models = sorted(variant.name for variant in plan.variants if _is_public(variant))
        own = [f"from .modeling_{name} import {', '.join(models)}"]
        registrations: list[str] = []
        imports: list[str] = []
        exports = list(models)
        if self.config is not None:
            own.insert(0, f"from .configuration_{name} import {self.config.name}")
            exports.append(self.config.name)
            autos = auto_classes(self.bench.declared.__name__)
            imports = [f"from transformers import {', '.join(['AutoConfig', *autos])}"]
            registrations = [f'AutoConfig.register("{name}", {self.config.name}, exist_ok=True)']
            registrations += [f"{auto}.register({self.config.name}, {root}, exist_ok=True)" for auto in autos]
            registrations += [f"{self.config.name}.register_for_auto_class()"]
            registrations += [f'{root}.register_for_auto_class("{auto}")' for auto in autos[:1]]
        values = {
            "header": self._header(),
            "imports": imports,
            "own_imports": own,
            "registrations": registrations,
            "exports": sorted(exports),
        }
        return render("__init__.py.jinja", values)


def grouped(statements: Sequence[str]) -> list[str]:
    """Import statements with a blank line between the standard library and the rest."""
    standard = [line for line in statements if line.split()[1].partition(".")[0] in sys.stdlib_module_names]
    others = [line for line in statements if line not in standard]
    return [*standard, *([""] if standard and others else []), *others]


def _is_public(variant: Variant) -> bool:
    return not variant.name.startswith("_")


def _used(alias: str, texts: Sequence[str], bindings: Bindings) -> bool:
    return any(alias in free_globals(text) for text in (*texts, *bindings.statements.values()))


def _closure_scope(cls: type) -> Mapping[str, Any]:
    """A class in a function body may close over names of that function."""
    if not is_user_code(cls):
        return {}
    scope: dict[str, Any] = {}
    for value in vars(cls).values():
        if isinstance(value, FunctionType) and value.__closure__:
            for name, cell in zip(value.__code__.co_freevars, value.__closure__, strict=True):
                if name != "__class__" and cell.cell_contents is not cls:
                    scope[name] = cell.cell_contents
    return scope
