"""Builds on `meta`: the declared class with the live config, and the modules of a surgery, from their calls."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from ..errors import ArchitError, InvalidDeclaration, UnknownArguments, UnsupportedChange
from .buffers import buffer_text, check_values
from .building import parameters_uninitialised, tied
from .distance import alike, distance
from .faces import Forms
from .inference import Candidate, candidates, holds_modules, over_declared, over_members
from .ir import ClassRef, CodeRef, Construction, Literal, Node, Parametrization
from .literal import write_literal
from .liveconfig import config_strings, copied_config
from .origins import config_of
from .parametrized import parametrize_like, plain_class
from .process import Process
from .record import Call, Recording, named_expression, recorded_call, recording
from .signature import constructor_parameters
from .tree import Reader, default_dtype, module_paths
from .values import Values, class_ref, config_paths
from .walking import all_modules, named_modules, way_to_the_model

FOUNDATION = {"torch", "builtins", "abc", "typing"}


class Workbench:
    """The live model and its reference, read into nodes; makes references for new modules on demand.

    ``objects`` keeps every class, function and config that a node or construction refers to by key.
    """

    def __init__(self, live: nn.Module, declared: type) -> None:
        self.live, self.declared = live, declared
        self.objects: dict[int, Any] = {}
        self.classes: dict[ClassRef, type] = {class_ref(declared): declared}
        self._live_config = config_of(live)
        self._config = copied_config(self._live_config)
        self.process = Process(frozenset(config_strings(self._live_config)))
        self._seen = Recording(keep=True)
        live_values = Values(config_paths(self._live_config, self.objects), self.objects)
        here, forms = named_modules(live), Forms()
        live_values.paths = module_paths(here)
        self._live_reader = Reader(live_values, recorded_call, default_dtype(here), self.classes, self.process, forms)
        reference = self._build_reference()
        there = named_modules(reference)
        check_values(here, there, self._seen.calls)
        self._values = Values(config_paths(self._config, self.objects), self.objects)
        self._values.paths = module_paths(there)
        calls, dtype = self._seen.calls, default_dtype(there)
        self._reader = Reader(self._values, lambda module: calls.get(id(module)), dtype, self.classes, None, forms)
        self.reference_node = self._reader.read(reference)
        self.live_node = self._live_reader.read(live)

    @property
    def live_config_paths(self) -> Mapping[int, str]:
        return self._live_reader.values.configs

    def config_at(self, path: str) -> Any:
        """The reference's copy of the config at a path from the root config."""
        current = self._config
        for name in path.split(".") if path else ():
            current = getattr(current, name)
        return current

    def live_module(self, key: int) -> nn.Module:
        return self._live_reader.modules[key]

    def construct(
        self, live: Node, reference: Node | None, path: str, like: Node | None = None
    ) -> tuple[Construction, Node]:
        """How a live module was made, and the node that the same call makes on `meta`; ``like`` is a declared module
        of its class whose call may have been the same.

        Raises:
            UnknownArguments: no candidate call builds.
        """
        module = self.live_module(live.key)
        if reference is not None and live.key == reference.key:
            raise AssertionError(path)
        best: tuple[int, Construction, Node] | None = None
        failures: list[str] = []
        for candidate in self._candidates(module, reference or like):
            try:
                construction, node = self._try(candidate, module, live, reference, path)
            except ArchitError:
                raise
            except Exception as error:  # a constructor is the user's code: whatever it raises, this call is not it
                failures.append(f"{type(error).__name__}: {error}")
                continue
            score = distance(node, live)
            if candidate.text is not None and score:
                raise UnsupportedChange(
                    path,
                    f"the expression given by `initialiser`, {candidate.text}, builds another module than stands here",
                    "Correct the expression, or build the module inside `archit_codegen.record()`.",
                )
            if best is None or score < best[0]:
                best = (score, construction, node)
            if score == 0 or candidate.certain:
                break
        if best is None:
            raise UnknownArguments(path, type(module).__name__, tuple(failures[:1]) or _required(module))
        return best[1], best[2]

    def parametrize(
        self, live: Node, reference: Node, path: str
    ) -> tuple[Mapping[str, tuple[Parametrization, ...]], Node]:
        """What registers the live module's parametrizations, and the declared module with them: no other one of the
        reference changes.

        Raises:
            UnsupportedChange: they cannot be registered on `meta`, where models are built before they are loaded.
        """
        module = self._reader.modules[reference.key]
        with recording(self._seen), on_meta():
            calls = parametrize_like(module, self.live_module(live.key), path, self._values.of, self._part)
        self._reader.forget(module)
        return calls, self._reader.read(module)

    def _part(self, part: nn.Module, path: str) -> tuple[Construction, nn.Module]:
        construction, built = self.construct(self._live_reader.read(part), None, path)
        return construction, self._reader.modules[built.key]

    def buffer_text(self, live: Node, reference: Node, name: str) -> str | None:
        """An expression for the values of a buffer that no checkpoint carries."""
        tensor = self.live_module(live.key)._buffers[name]
        call = self._call(reference)
        fact = dict(live.buffers)[name]
        if tensor is None or fact is None:
            return None
        return buffer_text(tensor, name, call, dtype=fact.dtype != "default")

    def _candidates(self, module: nn.Module, reference: Node | None) -> Iterator[Candidate]:
        yield from candidates(
            module,
            named_expression(module),
            recorded_call(module),
            None if reference is None else (reference.cls, self._call(reference)),
            self._live_config,
            self._config,
            None if reference is None else self._reader.modules.get(reference.key),
        )

    def _call(self, reference: Node | None) -> Call | None:
        """The call that built a declared module."""
        original = None if reference is None else self._reader.modules.get(reference.key)
        return None if original is None else self._seen.calls.get(id(original))

    def _try(
        self, candidate: Candidate, module: nn.Module, live: Node, reference: Node | None, path: str
    ) -> tuple[Construction, Node]:
        """Build from a candidate's arguments, with modules and configs exchanged for those of the reference."""
        nested: list[tuple[int, Construction]] = []
        cls = plain_class(module)

        def exchange(value: Any) -> Any:
            if isinstance(value, nn.Module):
                return self._exchange_module(value, module, reference, path, nested)
            if holds_modules(value):
                return over_members(value, exchange)
            at = self.live_config_paths.get(id(value))
            return value if at is None else self.config_at(at)

        args, kwargs = tuple(map(exchange, candidate.args)), {k: exchange(v) for k, v in candidate.kwargs.items()}
        with recording(self._seen), on_meta():
            if candidate.text is not None:
                built = candidate.evaluate(self._config)
            else:
                built = cls(*args, **kwargs)
        if type(built) is not cls:
            raise TypeError(f"the call builds a {type(built).__name__}")
        call = Call(cls, args, kwargs, None, None, None, 0, True, texts=candidate.texts)
        known = self._reader.arguments(call) or ()
        arguments = over_declared(known, call, self._call(reference), self._values.copy_of_given)
        construction = Construction(class_ref(cls), self.code(cls), arguments, candidate.text, tuple(nested))
        self._reader.forget(built)  # a constructor may have changed the modules that it was given
        return construction, self._reader.read(built)

    def _exchange_module(
        self,
        value: nn.Module,
        owner: nn.Module,
        reference: Node | None,
        path: str,
        nested: list[tuple[int, Construction]],
    ) -> nn.Module:
        if reference is not None and self._original_in(owner, reference) is value:
            return self._reader.modules[reference.key]
        node = self._live_reader.read(value)
        holds = reference is not None and self._original_in(value, reference) is not None
        construction, built = self.construct(node, reference if holds else None, path)
        nested.append((built.key, construction))
        return self._reader.modules[built.key]

    def _original_in(self, owner: nn.Module, reference: Node) -> nn.Module | None:
        """The module that stood in the slot before and is now held by ``owner``: the first of its class; of torch's
        classes only one of the same shapes, since a `Linear` is like any other."""
        for module in all_modules(owner):
            if module is owner or class_ref(plain_class(module)) != reference.cls:
                continue
            if reference.kind == "module" or alike(reference, self._live_reader.read(module)):
                return module
        return None

    def code(self, value: Any) -> CodeRef:
        return self._values.code(value)

    # --- what the plan asks

    @property
    def built_by_config(self) -> frozenset[ClassRef]:
        """Classes that an Auto class chose by the type of the root's config, which will be another."""
        return frozenset(
            class_ref(call.cls)
            for call in self._seen.calls.values()
            if not call.direct
            and issubclass(call.cls, PreTrainedModel)
            and any(value is self._config for value in (*(call.args or ()), *call.kwargs.values()))
        )

    def lineage(self, cls: ClassRef) -> tuple[CodeRef, ...]:
        """The class and its bases; of the bases, not those of torch and Python."""
        mro = self.classes[cls].__mro__
        for base in mro:
            self.classes.setdefault(class_ref(base), base)
        return tuple(
            self.code(base) for base in mro if base is mro[0] or base.__module__.partition(".")[0] not in FOUNDATION
        )

    def follows(self, cls: ClassRef) -> bool:
        """Whether a base class is emitted with its variants: the model classes, which name the config class."""
        live = self.classes.get(cls)
        return live is not None and issubclass(live, PreTrainedModel) and live.__module__ != PreTrainedModel.__module__

    def holds(self, expression: str, path: str, value: Literal) -> bool:
        """Whether an expression over ``config`` has a value, for the config at a path."""
        try:
            found = eval(expression, {"__builtins__": {}, "config": self.config_at(path)})
            return write_literal(found) == value.text
        except Exception:  # an expression that does not evaluate does not hold
            return False

    def _build_reference(self) -> nn.Module:
        try:
            with recording(self._seen), on_meta():
                return self._declared_instance()
        except ArchitError:
            raise
        except Exception as error:
            raise InvalidDeclaration(
                f"{self.declared.__name__} cannot be built from the live model's config on the meta device "
                f"({type(error).__name__}: {error}).{way_to_the_model(self.live)}"
            ) from error

    def _declared_instance(self) -> nn.Module:
        built = self.rebuild(self.declared)
        assert isinstance(built, nn.Module)
        return built

    def rebuild(self, cls: type) -> nn.Module:
        """The root class built as the live model was: from its config, else from its recorded or inferred call."""
        if isinstance(self._config, PreTrainedConfig):
            return tied(cls(self._config))
        for candidate in candidates(self.live, None, recorded_call(self.live), None, None, None):
            kwargs = {name: _rebuilt(value, name) for name, value in candidate.kwargs.items()}
            return cls(*[_rebuilt(value, "") for value in candidate.args], **kwargs)  # type: ignore[no-any-return]  # cls is one
        raise UnknownArguments("", cls.__name__, _required(self.live))


def _rebuilt(value: Any, path: str) -> Any:
    """An argument of a root; a module is built anew from its own call, since the live one may be modified."""
    if isinstance(value, list | tuple):
        return type(value)(_rebuilt(item, path) for item in value)
    if not isinstance(value, nn.Module):
        return value
    call = recorded_call(value)
    if call is None or call.args is None:
        raise UnknownArguments(path, type(value).__name__, _required(value))
    kwargs = {name: _rebuilt(inner, f"{path}.{name}") for name, inner in call.kwargs.items()}
    return call.cls(*[_rebuilt(inner, path) for inner in call.args], **kwargs)


@contextmanager
def on_meta() -> Iterator[None]:
    """Build without memory, and leave the state of the random generators as it was. Weights without memory are not
    drawn either: that takes torch as long as all the rest of a build."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"), parameters_uninitialised():
        yield


def _required(module: nn.Module) -> tuple[str, ...]:
    return tuple(p.name for p in constructor_parameters(type(module)) if not hasattr(module, p.name))
