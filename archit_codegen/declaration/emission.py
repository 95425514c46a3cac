"""From the difference to the text of a package: plan, rewrite, bind, render."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from ..errors import ArchitError
from .assembly import Parts, assemble
from .changes import Delta, method_key
from .checkpoints import conversion_statements, moves_of, with_moved_patterns
from .draft import ClassDraft, Draft
from .ecosystem import ConfigClass, documents_any_name, gathers_unsaved
from .edits import Method, Plan, SourceEdit, Variant
from .following import follow
from .forcing import forced
from .given import GIVEN, check_meanings, unmistakable
from .held import Patch
from .importing import Import
from .initialising import Initialised, initialised
from .ir import ClassRef, CodeRef
from .lookup import place_of_module
from .markers import explained, missing_markers, unlisted
from .options import Options
from .ordering import bases_first
from .patches import method_edit
from .plan import make_plan
from .plannedclass import Followed, Original
from .resolve import Bindings, closure_scope, module_scope, of_modelling_file
from .rewrite import rewrite_class
from .rewrite_modular import subclass
from .rewrite_names import Renames
from .source import ClassText, class_text, postpones, site_text
from .style import format_text
from .tree import is_indexed
from .uses import UsedNames
from .variants import Facts
from .workbench import Workbench


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
    method_scopes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    drafts: list[ClassDraft] = field(default_factory=list)
    others: tuple["Emitter", ...] = ()  # of the same surgery, done at other configs
    initialised: Initialised | None = None

    def emit(self) -> Emitted:
        names = UsedNames(self.bench.objects, self.delta, frozenset(GIVEN), copy=self.options.copy_user_code)
        moves = tuple(moves_of(self.delta))
        plan = follow(self.plan(names), tuple(self._plans_of_others()))
        plan = with_moved_patterns(plan, self.bench.live, moves)
        copy, vendor = self.options.copy_user_code, self.options.vendor == "all"
        configs = {} if self.config is None else self.config.by_base
        roots = [*self.options.roots]
        bindings = Bindings(self._defined(plan, names), self.bench.process.relays, copy, vendor, configs, roots=roots)
        ordered = self._ordered(plan)
        silent = unlisted(self.bench.live, plan)
        texts = [self._class(variant, plan, names, bindings, silent) for variant in ordered]
        sources = [self._source(variant) for variant in reversed(ordered)]
        changed = dict.fromkeys(
            v.origin.module for v in reversed(ordered) if v.origin.module.startswith("transformers.")
        )
        followed = {ref.name: found[-1] for ref, found in plan.present.items() if self.bench.follows(ref)}
        emitted = followed if self.config is not None else None
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
            license="\n\n".join(dict.fromkeys(source.license for source in sources if source.license)),
            changed=tuple(changed),
            remarks=explained(missing_markers(self.bench.classes, "\n".join(texts))),
            copy=copy,
            postponed=self._postponed(ordered),
            conversions=tuple(conversion_statements(self.bench.live, self.options.name, emitted, moves, self.delta)),
            modular=tuple(self._modular(ordered, texts, bindings)) if self.options.vendor == "modular" else (),
        )
        origins = {variant.name: str(variant.origin) for variant in plan.variants}
        methods = {v.name: {e.name: e.code for e in v.edits if isinstance(e, Method)} for v in plan.variants}
        for obj, name in user.names.items():
            origins[name] = f"{obj.__module__}:{obj.__qualname__}"  # type: ignore[attr-defined]  # class or function
        copied = {name: item.value for name, item in bindings.vendored.items() if isinstance(item.value, type)}
        origins |= {name: f"{cls.__module__}:{cls.__qualname__}" for name, cls in copied.items()}
        own = [definition.text for definition in user.definitions]
        draft = self._draft(parts, names.imports)
        return Emitted(dict(assemble(parts)), plan.root, parts.classes, origins, methods, (*own, *texts), draft, parts)

    def _draft(self, parts: Parts, imports: Mapping[str, Import]) -> Draft:
        live_config = getattr(self.bench.live, "config", None)
        return Draft(
            name=self.options.name,
            declared=self.bench.declared,
            root=parts.root,
            classes=tuple(self.drafts),
            config=self.config,
            values=live_config.to_dict() if self.config is not None and live_config is not None else {},
            user={name: value for value, name in parts.user.names.items()},
            statements=tuple(parts.statements),
            definitions=tuple(definition.name for definition in parts.user.definitions),
            imports={**GIVEN, **imports},
            relays=self.bench.process.relays,
            methods={
                code: place_of_module("a patched method", scope, None) for code, scope in self.method_scopes.items()
            },
            postponed=parts.postponed,
            vendor=self.options.vendor,
            conversions=parts.conversions,
        )

    def _postponed(self, ordered: Sequence[Variant]) -> bool:
        """Models of transformers never are: it reads the class in the annotation `config: XConfig`."""
        mine = not isinstance(self.bench.live, PreTrainedModel)
        return mine and any(postpones(self._source(variant).file) for variant in ordered)

    # --- plan

    def plan(self, names: UsedNames) -> Plan:
        if self.initialised is None:
            self.initialised = initialised(self.bench.live, self.delta, names.user.names)
        wanted = self.bench.built_by_config | self.initialised.passed_over
        return make_plan(forced(self.delta, wanted), self.options.suffix, self.facts(names, self.initialised, wanted))

    def _plans_of_others(self) -> Iterator[Plan]:
        for other in self.others:
            names = UsedNames(other.bench.objects, other.delta, frozenset(GIVEN), copy=self.options.copy_user_code)
            with suppress(ArchitError):  # what cannot be declared there says nothing about what is compiled here
                yield replace(other, options=self.options, method_scopes={}).plan(names)

    def facts(self, names: UsedNames, initialised: Initialised, wanted: frozenset[ClassRef]) -> Facts:
        return Facts(
            site_text=site_text,
            lineage=cache(self.bench.lineage),  # asked of every layer, and nothing is built while one plan is made
            holds=cache(self.bench.holds),
            name_of=names.name_of,
            method=self._method,
            follows=self.bench.follows,
            indexed=lambda cls: is_indexed(self.bench.classes[cls]),
            forced=wanted,
            restores=initialised.restores,
            guards=initialised.guards,
            prefer_sites=self.options.prefer_sites,
            flat=self.options.flat,
            gathers=gathers_unsaved(),
        )

    def _method(self, name: str, code: CodeRef, cls: ClassRef, others: frozenset[str]) -> Method:
        found = self.bench.objects[code.key]
        patch = found if isinstance(found, Patch) else Patch(found, None, bound=True)
        edit, scopes = method_edit(
            name, patch, self.bench.classes[cls], path=f"{cls.name}.{name}", code=method_key(code), others=others
        )
        self.method_scopes |= scopes
        return edit

    @property
    def _configs(self) -> tuple[ConfigClass, ...]:
        return () if self.config is None else self.config.all

    def _defined(self, plan: Plan, names: UsedNames) -> frozenset[str]:
        new = {variant.name for variant in plan.variants} | {config.name for config in self._configs}
        return frozenset(new | set(names.user.names.values()) | self._imported(names))

    def _imported(self, names: UsedNames) -> set[str]:
        """Names that the new text imports; under ``vendor="all"``, those that are not copied."""
        everything = self.options.vendor == "all"
        return {name for name, found in names.imports.items() if not (everything and of_modelling_file(found))}

    def _ordered(self, plan: Plan) -> Sequence[Variant]:
        """Classes of one file as they stand there, the file of the root last."""
        modules = list(dict.fromkeys(variant.origin.module for variant in plan.variants))
        root = next(variant.origin.module for variant in plan.variants if variant.name == plan.root)
        modules.sort(key=lambda module: module == root)
        index = {variant: place for place, variant in enumerate(plan.variants)}
        return bases_first(
            sorted(plan.variants, key=lambda v: (modules.index(v.origin.module), self._source(v).line, index[v]))
        )

    # --- classes

    def _source(self, variant: Variant) -> ClassText:
        return class_text(self.bench.objects[variant.code.key])

    def _class(
        self, variant: Variant, plan: Plan, names: UsedNames, bindings: Bindings, silent: frozenset[str]
    ) -> str:
        cls = self.bench.objects[variant.code.key]
        source = self._source(variant)
        native = cls.__module__.partition(".")[0] == "torch"
        scope = {"nn": nn} if native else {**module_scope(cls), **closure_scope(cls)}
        check_meanings(variant, scope)
        renames = replace(self._renames(plan, scope), unlisted=silent)
        self.drafts.append(
            ClassDraft(
                variant,
                Original(source.text, source.line, source.indent),
                Followed(
                    renames.present,
                    renames.single,
                    renames.package,
                    renames.documented,
                    renames.listed,
                    renames.unlisted,
                ),
                place_of_module(variant.name, scope, None),
            )
        )
        text = rewrite_class(source, self._with_bound_methods(variant, scope, bindings), renames)
        given = {**GIVEN, **names.imports, **bindings.imports}
        for name in self._imported(names):
            bindings.imports.setdefault(name, names.imports[name])
        return bindings.bind(text, scope, source.file, given)

    def _modular(self, ordered: Sequence[Variant], texts: Sequence[str], bindings: Bindings) -> Iterator[str]:
        """The variants as small subclasses, those of the user's classes in full."""
        small = {v for v in ordered if v.origin.module.startswith("transformers.")}
        origins = {variant.name: variant.origin.name for variant in ordered if variant in small}
        for variant, text in zip(ordered, texts, strict=True):
            if variant in small:
                source = self._source(variant)
                scope = module_scope(self.bench.objects[variant.code.key])
                yield bindings.bind(subclass(source.dedented, text, origins), scope, source.file, GIVEN)
            else:
                yield text

    def _with_bound_methods(self, variant: Variant, scope: Mapping[str, Any], bindings: Bindings) -> Variant:
        """Patched methods come from another file: their names are bound where they were written."""
        edits: list[SourceEdit] = []
        for edit in variant.edits:
            edits.append(self._bound(edit, scope, bindings) if isinstance(edit, Method) else edit)
        return Variant(variant.name, variant.origin, variant.code, tuple(edits), variant.bases)

    def _bound(self, edit: Method, scope: Mapping[str, Any], bindings: Bindings) -> Method:
        own = self.method_scopes[edit.code]
        text = bindings.bind(edit.text, own, str(own.get("__file__", "")), GIVEN, avoid=unmistakable(scope))
        helpers = tuple(self._bound(helper, scope, bindings) for helper in edit.helpers)
        return replace(edit, text=text, helpers=helpers)

    def _renames(self, plan: Plan, scope: Mapping[str, Any]) -> Renames:
        present = {
            ref.name: names
            for ref, names in plan.present.items()
            if scope.get(ref.name) is self.bench.classes.get(ref, self)
        }
        configs = {} if self.config is None else self.config.by_base
        single = {base.__name__: name for base, name in configs.items() if scope.get(base.__name__) is base}
        package = str(scope.get("__package__") or "")
        listed: dict[str, tuple[str, ...]] = {}
        for ref, names in plan.present.items():
            listed[ref.name] = listed.get(ref.name, ()) + names
        return Renames(present, single, package, documents_any_name(), listed)
