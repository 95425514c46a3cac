"""What a live module tree declares, as flat facts: written apart from the compiler's own tree and diff, to judge them.

A fact is a plain value with a readable text. State that no source declares is no fact: device, training mode, values
of weights, a dtype that the whole model has, caches, the hooks of transformers. Neither are declarations about *paths*
(`_tied_weights_keys`, keys to ignore, parallel plans): what they do is seen in the ties and by saving and loading.
"""

import functools
import re
import types
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

import torch
from torch import nn
from transformers import GenerationConfig, PreTrainedConfig, PreTrainedModel

from archit_codegen.declaration.literal import is_writable, write_literal

from .walking import all_modules

Facts = dict[str, dict[str, object]]
ClassName = Callable[[nn.Module], str]
Configs = Mapping[int, PreTrainedConfig]

SHOW_DEVICES = (nn.ParameterDict, nn.ParameterList)  # in what they print of tensors, which are facts anyway
MANAGED = frozenset(nn.Module().__dict__) | {"_is_full_backward_hook", "_forward_hooks_with_kwargs"}
STATE = frozenset((
    "name_or_path", "generation_config", "kernel_config", "all_tied_weights_keys", "warnings_issued", "is_quantized",
    "quantization_method", "hf_quantizer", "hf_device_map", "gradient_checkpointing", "_gradient_checkpointing_func",
    "_require_grads_hook", "_require_grads_hooks",
    "_is_hf_initialized", "_hf_hook", "_old_forward", "_output_capturing_hooks_installed", "_hf_peft_config_loaded",
    "_keys_to_ignore_on_load_missing", "_keys_to_ignore_on_load_unexpected", "_keys_to_ignore_on_save",
    "_no_split_modules", "_keep_in_fp32_modules", "_keep_in_fp32_modules_strict", "_tp_plan", "_ep_plan", "_pp_plan",
    "_fsdp_plan", "_tp_size", "_device_mesh", "_use_kernels", "_compiled_call", "_compiled_call_impl",
    "_weight_conversions", "_tied_weights_keys",
))  # fmt: skip
UNDECLARED = MANAGED | STATE
HOOKS = {kind: kind.strip("_").replace("_", " ") for kind in (
    "_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks", "_state_dict_hooks",
    "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
)}  # fmt: skip
NO_CONFIG_FACT = frozenset((
    "model_type", "architectures", "transformers_version", "_name_or_path", "name_or_path", "dtype", "torch_dtype",
    "auto_map", "_commit_hash", "tie_word_embeddings",  # ties are told by the tensors
))  # fmt: skip
KEEP_IN_FLOAT32 = ("_keep_in_fp32_modules", "_keep_in_fp32_modules_strict")
DEFAULTS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
DEEPEST = 8
PLAIN = frozenset({type(None), bool, int, str})
CACHED = re.compile(r"_cached?$")


class ConfigFact(dict[str, object]):
    """The values of a config. Only these are compared: the emitted config may have more fields than the live one."""


class TensorFact(dict[str, object]):
    """What is declared of a tensor: texts, flags and a shape."""


def facts(root: nn.Module, class_name: ClassName, stand_ins: Configs = types.MappingProxyType({})) -> Facts:
    """The facts of each path below the root, in tree order; a path is met again where a module is shared. The values
    of a config, by identity, are those of its stand-in."""
    return Reader(root, class_name, stand_ins).read()


class Reader:
    """One walk over one tree; keeps what was met, so that identity can be told by first path."""

    def __init__(self, root: nn.Module, class_name: ClassName, stand_ins: Configs) -> None:
        self.root, self.class_name, self.stand_ins = root, class_name, stand_ins
        self.all = all_modules(root)
        self.modules: dict[int, str] = {}
        self.tensors: dict[int, str] = {}
        self.configs: dict[int, ConfigFact] = {}
        self.default = default_dtype(self.all)
        self.readers = self._readers()
        self.experts = any("_is_expert_parallel" in vars(module) for module in self.all)
        # Class names and patterns are compared by what they hit, since a variant has another name.
        self.unsplit = union(self.all, "_no_split_modules")
        self.in_float32 = [re.compile(text) for text in sorted(union(self.all, *KEEP_IN_FLOAT32))]

    def read(self) -> Facts:
        # Every module is named first, since an attribute may refer to a module that comes later.
        found = paths(self.root)
        for path, module in found:
            self.modules.setdefault(id(module), path)
        return {path: self.of_path(path, module) for path, module in found}

    def of_path(self, path: str, module: nn.Module) -> dict[str, object]:
        first = self.modules[id(module)]
        if first != path:
            return {"module": f"the module at {first or '<root>'}"}
        return self.of_module(path, module)

    def of_module(self, path: str, module: nn.Module) -> dict[str, object]:
        found: dict[str, object] = {
            "class": (name := self.class_name(module)),
            # `named_children()` hides None
            "list of children": tuple([n if m is not None else f"{n}=None" for n, m in module._modules.items()]),
            "list of parameters": tuple(module._parameters),
            "list of buffers": tuple(module._buffers),
            "in _no_split_modules": type(module).__name__ in self.unsplit,
        }
        for slot, parameter in module._parameters.items():
            found[f"parameter {slot}"] = self.tensor(f"{path}.{slot}", parameter)
        for slot, buffer in module._buffers.items():
            kept = {"persistent": slot not in module._non_persistent_buffers_set}
            described = self.tensor(f"{path}.{slot}", buffer)
            found[f"buffer {slot}"] = TensorFact(described | kept) if described is not None else None
        state = vars(module)
        for slot, value in state.items():
            if slot in UNDECLARED:  # most are: asked here, and not by calls
                continue
            if type(value) in PLAIN:
                if not is_cache(slot, value):
                    found[slot] = value
            elif is_declared(module, slot, value):
                found[slot] = self.value(value, ())
        if any(map(state.get, HOOKS)):
            found |= hook_facts(state)
        if name.startswith("torch.") and not isinstance(module, SHOW_DEVICES):
            found["representation"] = module.extra_repr()
        return found

    def tensor(self, path: str, tensor: torch.Tensor | None) -> TensorFact | None:
        if tensor is None:
            return None
        return TensorFact(
            {
                "object": self.tensors.setdefault(id(tensor), path.lstrip(".")),
                "type": type(tensor).__name__,
                "shape": tuple(tensor.shape),
                "dtype": self.dtype(tensor.dtype),
                "requires_grad": tensor.requires_grad,
                "kept in float32": bool(self.in_float32) and any(each.search(path) for each in self.in_float32),
            }
        )

    def dtype(self, dtype: torch.dtype) -> str:
        return "the model's" if dtype == self.default else str(dtype)

    def value(self, value: object, outer: tuple[int, ...]) -> object:
        """The fact of any value; containers recurse, and what contains itself is cut off there."""
        kind = type(value)
        if kind in PLAIN or (kind is tuple and PLAIN.issuperset(map(type, value))):  # type: ignore[call-overload]  # a tuple
            return value
        if (config := self.configs.get(id(value))) is not None:
            return config  # most modules hold one, and each question of its class goes through methods of transformers
        if isinstance(value, Enum):  # its class may be a copy
            return ("member", value.name, self.value(value.value, outer))
        if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
            return (type(value).__name__, repr(value)) if isinstance(value, float) and value != value else value
        if id(value) in outer or len(outer) > DEEPEST:
            return "itself" if id(value) in outer else type(value).__name__
        for kinds, read in self.readers:
            if isinstance(value, kinds):
                return read(value, (*outer, id(value)))
        inner = self.value(vars(value), (*outer, id(value))) if hasattr(value, "__dict__") else None
        return (type(value).__name__, inner)

    def _readers(self) -> tuple[tuple[Any, Callable[[Any, tuple[int, ...]], object]], ...]:
        return (
            (nn.Module, lambda value, _: ("module", self.modules.get(id(value), self.class_name(value)))),
            (PreTrainedConfig, lambda value, _: self.config(value)),
            (GenerationConfig, lambda value, _: "a generation config"),
            (torch.Tensor, lambda value, _: ("tensor", tuple(value.shape), self.dtype(value.dtype))),
            (torch.dtype, lambda value, _: ("dtype", self.dtype(value))),
            (torch.device, lambda value, _: "a device"),
            (type, lambda value, _: ("class", "module" if issubclass(value, nn.Module) else value.__name__)),
            (functools.partial, lambda value, o: ("partial", self.value((value.func, value.args, value.keywords), o))),
            (types.MethodType, lambda value, o: ("method", self.value(value.__func__, o))),
            (types.FunctionType, lambda value, _: function_fact(value)),
            (types.BuiltinFunctionType, lambda value, _: ("function", value.__name__)),
            (types.ModuleType, lambda value, _: ("import", value.__name__)),
            (Mapping, lambda value, o: {key_text(key): self.value(item, o) for key, item in value.items()}),
            ((set, frozenset), lambda value, o: ("set", *sorted(text_of(self.value(item, o)) for item in value))),
            (list, lambda value, o: [self.value(item, o) for item in value]),
            (tuple, lambda value, o: tuple(self.value(item, o) for item in value)),
        )

    def config(self, config: PreTrainedConfig) -> ConfigFact:
        if id(config) not in self.configs:
            implementations = {
                "attention implementation": config._attn_implementation,
                **({"experts implementation": config._experts_implementation} if self.experts else {}),
            }
            values = declared(self.stand_ins.get(id(config), config).to_dict())
            self.configs[id(config)] = ConfigFact({**values, **implementations})
        return self.configs[id(config)]


def paths(root: nn.Module) -> list[tuple[str, nn.Module]]:
    """Every path to every module: `named_modules()` hides the second path of a shared one."""
    found: list[tuple[str, nn.Module]] = []

    def visit(module: nn.Module, path: str, above: tuple[int, ...]) -> None:
        found.append((path, module))
        for name, child in module._modules.items():
            if child is not None and id(child) not in above:
                visit(child, f"{path}.{name}".lstrip("."), (*above, id(module)))

    visit(root, "", ())
    return found


def is_declared(module: nn.Module, name: str, value: object) -> bool:
    """Whether a plain attribute declares something; a method patched on the object is behaviour, which outputs
    compare."""
    return name not in UNDECLARED and not is_cache(name, value) and not is_method(module, name, value)


def is_cache(name: str, value: object) -> bool:
    return says_cached(name) and not isinstance(value, bool)


@functools.lru_cache(maxsize=4096)
def says_cached(name: str) -> bool:
    return CACHED.search(name) is not None


def is_method(module: nn.Module, name: str, value: object) -> bool:
    own = type(value) is types.MethodType and value.__self__ is module
    return own or (callable(value) and callable(getattr(type(module), name, None)))


def default_dtype(modules: Iterable[nn.Module]) -> torch.dtype:
    """The floating dtype most tensors of the modules have; torch's default where they have none."""
    slots = [slot for module in modules for slot in (module._parameters, module._buffers) if slot]
    tensors = {id(tensor): tensor for slot in slots for tensor in slot.values() if tensor is not None}
    counts = Counter([tensor.dtype for tensor in tensors.values()])
    return next((dtype for dtype, _ in counts.most_common() if dtype in DEFAULTS), torch.get_default_dtype())


def declared(values: Mapping[Any, Any]) -> ConfigFact:
    """The values of a config (and of the configs within it) which declare the model."""
    kept = {key_text(key): value for key, value in values.items() if key not in NO_CONFIG_FACT}
    configs = {key: value for key, value in kept.items() if isinstance(value, Mapping) and "model_type" in value}
    return ConfigFact(kept | {key: declared(value) for key, value in configs.items()})


def key_text(key: object) -> str:
    return key if isinstance(key, str) else f"[{text_of(key)}]"


def text_of(value: object) -> str:
    """What the class of a value says of it; the literal of a number that is too long for that."""
    try:
        return repr(value)
    except ValueError:
        return write_literal(value) if is_writable(value) else f"a {type(value).__name__}"


def function_fact(function: types.FunctionType) -> tuple[object, ...]:
    """What a function does; its name is the package's to choose, where it was a lambda."""
    return ("function", code_fact(function.__code__))


def code_fact(code: types.CodeType) -> tuple[object, ...]:
    """The code without where it stands, so that a copy in another file is equal."""
    constants = tuple(code_fact(item) if isinstance(item, types.CodeType) else repr(item) for item in code.co_consts)
    return (code.co_code, code.co_names, code.co_varnames, constants)


def hook_facts(state: Mapping[str, Any]) -> dict[str, object]:
    """The names of the hooks of a module, by what they are called for."""
    kept = {
        label: tuple(hook_name(hook) for hook in (state.get(kind) or {}).values() if not is_state(hook))
        for kind, label in HOOKS.items()
    }
    return {label: names for label, names in kept.items() if names}


def hook_name(hook: object) -> str:
    inner = getattr(hook, "hook", hook)
    return str(getattr(inner, "__name__", type(inner).__name__))


def is_state(hook: object) -> bool:
    """Whether transformers, or PEFT, registered it to run or to train the model."""
    home = str(getattr(hook, "__module__", "")).partition(".")[0]
    trains = home in ("transformers", "peft") and hook_name(hook).startswith("make_inputs_require_grad")
    return trains or captures_outputs(hook)


def captures_outputs(hook: object) -> bool:
    return getattr(hook, "__module__", "") == "transformers.utils.output_capturing"


def union(modules: Iterable[nn.Module], *names: str) -> set[str]:
    """What any model of transformers among the modules of a tree says under these names."""
    models = [module for module in modules if isinstance(module, PreTrainedModel)]
    return {text for model in models for name in names for text in getattr(model, name, None) or ()}
