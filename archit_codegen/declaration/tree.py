"""Reads a module tree into nodes. With `values` and `record` the only reader of torch objects."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..errors import UnsupportedChange
from .faces import Face, Forms, TensorKind, plain_call, plain_state
from .hooks import HOOKS, foreign_hooks
from .ir import Argument, Built, ClassRef, CodeRef, Node, Value
from .parametrized import parametrized_names, plain_class
from .process import Process
from .record import Call
from .signature import bound_arguments
from .values import Values, class_ref
from .walking import NamedModule, all_modules, named_modules

# A plain `nn.Module()` holds what was put into it, as the lists do.
CONTAINERS = (nn.ModuleList, nn.Sequential, nn.ModuleDict, nn.Module)
# State that no class declares: set by loading, by training set-up, or derived by `post_init` from what is declared.
NO_DECLARATION = frozenset(nn.Module().__dict__) | {
    "_is_hf_initialized",
    "name_or_path",
    "generation_config",
    "_output_capturing_hooks_installed",
    "warnings_issued",
    "_hf_peft_config_loaded",
    "hf_device_map",
    "_hf_hook",
    "hf_quantizer",
    "all_tied_weights_keys",
    "_keep_in_fp32_modules",
    "_keep_in_fp32_modules_strict",
    "_no_split_modules",
    "_skip_keys_device_placement",
    "_keys_to_ignore_on_load_unexpected",
    "_keys_to_ignore_on_load_missing",
    "_keys_to_ignore_on_save",
    "_tp_plan",
    "_ep_plan",
    "_pp_plan",
    "_tp_size",
    "_device_mesh",
    "kernel_config",
    "gradient_checkpointing",
    "_gradient_checkpointing_func",
    "_require_grads_hook",
    "_require_grads_hooks",
    "loss_type",
    "_loss_function",
    "_auto_class",
    "_compiled_call",
    "_flat_weights",
    "_flat_weight_refs",
}
TIES = "all_tied_weights_keys"  # models of transformers have it
TOLD = frozenset(HOOKS)  # of these, what a hook is says whether it counts


@dataclass(frozen=True, slots=True)
class _Class:
    """What the modules of a class have from it."""

    ref: ClassRef
    kind: str
    methods: tuple[tuple[str, CodeRef], ...]
    functions: tuple[tuple[str, CodeRef], ...]


class Reader:
    """Reads the modules of one model; ``calls`` are the recorded constructions, by identity of the module. Nodes of
    readers that have the same ``forms`` can be compared by them."""

    def __init__(
        self,
        values: Values,
        calls: Callable[[nn.Module], Call | None],
        default_dtype: torch.dtype,
        classes: dict[ClassRef, type],
        process: Process | None = None,
        forms: Forms | None = None,
    ) -> None:
        self._process = process
        self.values = values
        self.classes = classes
        self.modules: dict[int, nn.Module] = {}
        self._calls = calls
        self._default_dtype = default_dtype
        self._nodes: dict[int, Node] = {}
        self._faces: dict[tuple[object, ...], tuple[Face, int, nn.Module]] = {}
        self._classes: dict[type, _Class] = {}
        self._forms = Forms() if forms is None else forms
        self._arguments: dict[tuple[object, ...], tuple[tuple[Argument, ...], Call]] = {}
        self._site_classes: dict[tuple[type, str], ClassRef | None] = {}
        self._refs: dict[type, ClassRef] = {}
        self._tying: dict[type, bool] = {}

    def read(self, module: nn.Module) -> Node:
        """The node of a module; the same node again for a module that is shared."""
        known = self._nodes.get(id(module))
        if known is None:
            self.modules[id(module)] = module
            known = self._nodes[id(module)] = self._node(module)
        return known

    def _declared_ties(self, module: nn.Module) -> tuple[tuple[str, str], ...] | None:
        # Asked of every module, and `hasattr` of a module that has no such attribute raises and catches an error.
        cls = type(module)
        if cls not in self._tying:
            self._tying[cls] = hasattr(cls, TIES)
        if not self._tying[cls] and TIES not in vars(module):
            return None
        return tuple((getattr(module, "_tied_weights_keys", None) or {}).items())

    def forget(self, module: nn.Module) -> None:
        """Read this module and those below it anew next time."""
        for part in all_modules(module):
            self._nodes.pop(id(part), None)

    def _node(self, module: nn.Module) -> Node:
        # named_children() hides None and the second path of a shared module; a diff must see both.
        children = tuple(
            [(name, None if child is None else self.read(child)) for name, child in module._modules.items()]
        )
        face, number = self._face(module)
        ties = self._declared_ties(module)
        call = self._calls(module)
        built = None if call is None else self._built(call)
        if ties is None:
            return face.node(module, children, built, self._forms.of(number, children))
        # Which tensors are tied is a matter of their identity.
        return face.node(module, children, built, self._forms.own(), ties, _ties_words(module))

    def _face(self, module: nn.Module) -> tuple[Face, int]:
        key = plain_state(module, NO_DECLARATION, TOLD)
        known = None if key is None else self._faces.get(key)
        if known is None:
            face = self._described(module)
            known = face, self._forms.number(face), module
            if key is not None:
                self._faces[key] = known
        return known[:2]

    def _described(self, module: nn.Module) -> Face:
        cls = self._class(plain_class(module))
        methods, attributes = self._plain(module)
        return Face(
            cls=cls.ref,
            kind=cls.kind,
            parameters=tuple((name, self.tensor(value)) for name, value in module._parameters.items()),
            buffers=tuple(
                (name, self.tensor(value, name not in module._non_persistent_buffers_set))
                for name, value in module._buffers.items()
            ),
            attributes=tuple(attributes),
            methods=(*cls.methods, *methods),
            functions=cls.functions,
            hooks=tuple(foreign_hooks(module)),
            parametrized=parametrized_names(module),
        )

    def _class(self, cls: type) -> _Class:
        if cls not in self._classes:
            ref = class_ref(cls)
            self.classes[ref] = cls
            self._classes[cls] = _Class(ref, kind_of(cls), tuple(self._patches(cls)), tuple(self._functions(cls)))
        return self._classes[cls]

    def tensor(self, tensor: torch.Tensor | None, persistent: bool = True) -> TensorKind | None:
        if tensor is None:
            return None
        kind = type(tensor).__name__
        return tuple(tensor.shape), self._dtype(tensor.dtype, kind), tensor.requires_grad, persistent, kind

    def _dtype(self, dtype: torch.dtype, kind: str) -> str:
        # `.to(bfloat16)` casts float32 buffers as well, `from_pretrained(dtype=...)` does not: no change of source.
        whole = dtype == self._default_dtype or (kind != "Parameter" and dtype == torch.float32)
        return "default" if whole else str(dtype)

    def _functions(self, cls: type) -> Iterator[tuple[str, CodeRef]]:
        if self._process is not None:
            for name, function in self._process.functions(cls).items():
                yield name, self.values.code(function)

    def _patches(self, cls: type) -> Iterator[tuple[str, CodeRef]]:
        if self._process is not None:
            for name, layer in self._process.methods(cls).items():
                yield name, self.values.layer(layer)

    def _plain(self, module: nn.Module) -> tuple[list[tuple[str, CodeRef]], list[tuple[str, Value]]]:
        methods: list[tuple[str, CodeRef]] = []
        attributes: list[tuple[str, Value]] = []
        counted = isinstance(module, nn.ParameterList) and len(module) == len(module._parameters)
        for name, value in vars(module).items():
            if name in NO_DECLARATION or (counted and name == "_size"):  # which is told by the parameters
                continue
            declared = callable(value) and callable(getattr(type(module), name, None))
            if declared or getattr(value, "__self__", None) is module:
                methods.append((name, self.values.method(name, value, module)))
            else:
                attributes.append((name, self.values.of(value)))
        return methods, attributes

    def _built(self, call: Call) -> Built:
        if call.cls not in self._refs:
            self._refs[call.cls] = class_ref(call.cls)
        return Built(
            cls=self._refs[call.cls],
            site=call.site,
            site_class=self._site_class(call),
            owner=call.owner,
            ordinal=call.ordinal,
            direct=call.direct,
            counters=tuple(call.counters.items()),
            given=lambda: self.arguments(call) or (),
        )

    def _site_class(self, call: Call) -> ClassRef | None:
        if call.site is None or call.owner_class is None:
            return None
        key = call.owner_class, call.site.function
        if key not in self._site_classes:
            name = call.site.function.rpartition(".")[0]
            owner = next((base for base in call.owner_class.__mro__ if base.__qualname__ == name), None)
            self._site_classes[key] = None if owner is None else class_ref(owner)
        return self._site_classes[key]

    def arguments(self, call: Call) -> tuple[Argument, ...] | None:
        """The recorded arguments, bound to the parameters of the constructor."""
        if call.args is None:
            return None
        key = plain_call(call)
        if key is None:
            return self._bound(call, call.args)
        if key not in self._arguments:
            self._arguments[key] = self._bound(call, call.args), call
        return self._arguments[key][0]

    def _bound(self, call: Call, args: tuple[Any, ...]) -> tuple[Argument, ...]:
        return tuple(
            Argument(
                name, self.values.argument(value), kind, isinstance(key, str), call.texts.get(key, call.texts.get("*"))
            )
            for name, kind, key, value in bound_arguments(call.cls, args, call.kwargs)
        )


def kind_of(cls: type) -> str:
    """ "container" for torch's lists and dicts of modules, "native" for its other modules, else "module"."""
    if cls in CONTAINERS:
        return "container"
    return "native" if cls.__module__.partition(".")[0] == "torch" else "module"


def is_indexed(cls: type) -> bool:
    """Whether the children of a module that are named by numbers are had by an index."""
    return hasattr(cls, "__getitem__") and not issubclass(cls, nn.ModuleDict)


def default_dtype(modules: Sequence[NamedModule]) -> torch.dtype:
    """The most common floating dtype of the parameters: the dtype of the whole model."""
    slots = [module._parameters.values() for _, module in modules if module._parameters]
    parameters = {id(tensor): tensor for tensors in slots for tensor in tensors if tensor is not None}
    counts = Counter([parameter.dtype for parameter in parameters.values()])
    return next((dtype for dtype, _ in counts.most_common() if dtype.is_floating_point), torch.float32)


def module_paths(modules: Sequence[NamedModule]) -> Mapping[int, str]:
    """The first path of each module, by identity."""
    return {id(module): path or "<root>" for path, module in modules}


def _ties_words(module: nn.Module) -> bool:
    return bool(getattr(getattr(module, "config", None), "tie_word_embeddings", False))


def check_uncompiled(live: nn.Module) -> None:
    """Refuse what `torch.compile` made: it stands around what a class declares, and its kernels round otherwise."""
    for path, module in named_modules(live):
        if type(module).__module__.startswith("torch._dynamo") and "_orig_mod" in module._modules:
            remedy = "Put its `_orig_mod` there instead." if path else "Give `model._orig_mod` instead."
            raise UnsupportedChange(path or "<root>", "it is what `torch.compile` returned", remedy)
        if module._compiled_call_impl is not None:
            remedy = "Set its `_compiled_call_impl` to None; it can be compiled again afterwards."
            raise UnsupportedChange(path or "<root>", "it was compiled in place, by `module.compile()`", remedy)
