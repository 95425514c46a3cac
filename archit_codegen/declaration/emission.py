"""From the difference to the text of a package: plan, rewrite, bind, render."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from ..errors import ArchitError
from .assembly import Parts, assemble
from .buffers import restoring_statements
from .changes import Delta, method_key
from .draft import ClassDraft, Draft
from .ecosystem import ConfigClass
from .edits import InitWeights, Method, Plan, SourceEdit, Variant
from .following import follow
from .forcing import forced
from .importing import Import
from .ir import ClassRef, CodeRef
from .lookup import Place, place_of_module
from .markers import missing_markers
from .ownership import is_user_code
from .patches import method_edit
from .plan import Facts, make_plan
from .plannedclass import Followed, Original
from .resolve import Bindings, module_scope
from .rewrite import rewrite_class
from .rewrite_names import Renames
from .source import ClassText, class_text, postpones, site_text
from .style import format_text
from .usercode import UserCode
from .uses import UsedNames, root_import
from .workbench import Workbench

# Names that new text (statements, tensors) may rely on.
GIVEN = {
    "init": Import("transformers", "initialization", "init"),
    "nn": root_import("nn"),
    "torch": root_import("torch"),
    "copy": Import("copy", None, "copy"),
}


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for."""

    name: str
    suffix: str
    copy_user_code: bool = True
    prefer_sites: bool = True
    flat: bool = False
    roots: tuple[type, ...] = ()  # classes of the user's that are copied in any case


@dataclass(frozen=True, slots=True)
class Emitted:
    """The text of the new classes and what each stands for (``origins``: emitted name -> ``module:qualname``);
    ``methods`` are the patched methods of each, by what they do, ``draft`` what the text was to become."""

    files: Mapping[str, str]
    root: str
    classes: tuple[str, ...]
    origins: Mapping[str, str]
    methods: Mapping[str, Mapping[str, str]]
    texts: tuple[str, ...]
    draft: Draft
    parts: Parts

    @property
    def new_source(self) -> str:
        """The user's own definitions and the new classes, without the config class."""
        return format_text("\n\n".join(self.texts))


@dataclass(slots=True)
class Emitter:
    """Writes the package of one difference."""

    bench: Workbench
    delta: Delta
    options: Options
    config: ConfigClass | None
    forced: frozenset[ClassRef] = frozenset()
    method_scopes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    drafts: list[ClassDraft] = field(default_factory=list)
    others: tuple["Emitter", ...] = ()  # of the same surgery, done at other configs

    def emit(self) -> Emitted:
        names = UsedNames(self.bench.objects, self.delta, frozenset(), copy=self.options.copy_user_code)
        plan = follow(self.plan(names), tuple(self._plans_of_others()))
        copy = self.options.copy_user_code
        bindings = Bindings(self._defined(plan, names), self.bench.process.relays, copy, roots=[*self.options.roots])
        ordered = self._ordered(plan)
        texts = [self._class(variant, plan, names, bindings) for variant in ordered]
        missing = missing_markers(self.bench.classes, "\n".join(texts)) - self.forced
        if missing:
            return replace(self, forced=missing, method_scopes={}, drafts=[]).emit()
        license_text = next(
            (source.license for variant in reversed(ordered) if (source := self._source(variant)).license), ""
        )
        user = names.add_roots(bindings.roots) if self.options.copy_user_code else names.user
        parts = Parts(
            name=self.options.name,
            declared=self.bench.declared,
            root=plan.root,
            classes=tuple(variant.name for variant in ordered),
            texts=tuple(texts),
            bindings=bindings,
            user=user,
            config=self.config,
            license=license_text,
            copy=copy,
            postponed=self._postponed(ordered),
        )
        origins = {variant.name: str(variant.origin) for variant in plan.variants}
        methods = {v.name: {e.name: e.code for e in v.edits if isinstance(e, Method)} for v in plan.variants}
        origins |= {name: f"{obj.__module__}:{obj.__qualname__}" for obj, name in user.names.items()}  # type: ignore[attr-defined]
        own = [definition.text for definition in user.definitions]
        draft = self._draft(plan.root, user, bindings, names.imports, parts.postponed)
        return Emitted(dict(assemble(parts)), plan.root, parts.classes, origins, methods, (*own, *texts), draft, parts)

    def _draft(
        self, root: str, user: UserCode, bindings: Bindings, imports: Mapping[str, Import], postponed: bool
    ) -> Draft:
        live_config = getattr(self.bench.live, "config", None)
        return Draft(
            name=self.options.name,
            declared=self.bench.declared,
            root=root,
            classes=tuple(self.drafts),
            config=self.config,
            values=live_config.to_dict() if self.config is not None and live_config is not None else {},
            user={name: value for value, name in user.names.items()},
            statements=tuple(bindings.statements),
            definitions=tuple(definition.name for definition in user.definitions),
            imports={**GIVEN, **imports},
            relays=self.bench.process.relays,
            methods={code: _place("a patched method", scope) for code, scope in self.method_scopes.items()},
            postponed=postponed,
        )

    def _postponed(self, ordered: Sequence[Variant]) -> bool:
        """Models of transformers never are: it reads the class in the annotation `config: XConfig`."""
        mine = not isinstance(self.bench.live, PreTrainedModel)
        return mine and any(postpones(self._source(variant).file) for variant in ordered)

    # --- plan

    def plan(self, names: UsedNames) -> Plan:
        wanted = self.forced | self.bench.built_by_config
        return make_plan(forced(self.delta, wanted), self.options.suffix, self.facts(names))

    def _plans_of_others(self) -> Iterator[Plan]:
        for other in self.others:
            names = UsedNames(other.bench.objects, other.delta, frozenset(), copy=self.options.copy_user_code)
            with suppress(ArchitError):  # what cannot be declared there says nothing about what is compiled here
                yield replace(other, options=self.options, forced=self.forced, method_scopes={}).plan(names)

    def facts(self, names: UsedNames) -> Facts:
        return Facts(
            site_text=site_text,
            lineage=self.bench.lineage,
            holds=self.bench.holds,
            name_of=names.name_of,
            method=self._method,
            follows=self.bench.follows,
            forced=self.forced | self.bench.built_by_config,
            restores=self._restores(names),
            prefer_sites=self.options.prefer_sites,
            flat=self.options.flat,
        )

    def _restores(self, names: UsedNames) -> tuple[InitWeights, ...]:
        if not isinstance(self.bench.live, PreTrainedModel):
            return ()  # no `from_pretrained` leaves what no checkpoint carries uninitialised
        copied = {obj: (name,) for obj, name in names.user.names.items() if isinstance(obj, type)}
        return tuple(map(InitWeights, restoring_statements(self.bench.live, copied)))

    def _method(self, name: str, code: CodeRef, cls: ClassRef, others: frozenset[str]) -> Method:
        function = self.bench.objects[code.key]
        bound = not code.digest.startswith("free:")
        key, path = method_key(code), f"{cls.name}.{name}"
        edit, scope = method_edit(
            name, function, self.bench.classes[cls], bound=bound, path=path, code=key, others=others
        )
        self.method_scopes[edit.code] = scope
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
        return sorted(plan.variants, key=lambda v: (modules.index(v.origin.module), self._source(v).line, index[v]))

    # --- classes

    def _source(self, variant: Variant) -> ClassText:
        return class_text(self.bench.objects[variant.code.key])

    def _class(self, variant: Variant, plan: Plan, names: UsedNames, bindings: Bindings) -> str:
        cls = self.bench.objects[variant.code.key]
        source = self._source(variant)
        native = cls.__module__.partition(".")[0] == "torch"
        scope = {"nn": nn} if native else {**module_scope(cls), **_closure_scope(cls)}
        renames = self._renames(plan, scope)
        self.drafts.append(
            ClassDraft(
                variant,
                Original(source.text, source.line, source.indent),
                Followed(renames.present, renames.single, renames.package),
                _place(variant.name, scope),
            )
        )
        text = rewrite_class(source, self._with_bound_methods(variant, scope, bindings), renames)
        given = {**GIVEN, **names.imports, **bindings.imports}
        for name in names.imports:
            bindings.imports.setdefault(name, names.imports[name])
        return bindings.bind(text, scope, source.file, given)

    def _with_bound_methods(self, variant: Variant, scope: Mapping[str, Any], bindings: Bindings) -> Variant:
        """Patched methods come from another file: their names are bound where they were written."""
        edits: list[SourceEdit] = []
        for edit in variant.edits:
            if isinstance(edit, Method):
                own = self.method_scopes[edit.code]
                text = bindings.bind(edit.text, own, str(own.get("__file__", "")), GIVEN, avoid=scope)
                edits.append(replace(edit, text=text))
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
        return Renames(present, single, str(scope.get("__package__") or ""))


def _place(path: str, scope: Mapping[str, Any]) -> Place:
    return place_of_module(path, scope, None)


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
