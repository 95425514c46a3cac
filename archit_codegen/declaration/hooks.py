"""Which hooks of a module somebody registered to change what it does."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn
from torch.nn.parameter import UninitializedParameter

from ..errors import UnsupportedChange
from .ir import join
from .walking import named_modules

HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)
# For training with checkpointing, transformers and PEFT make what the embeddings give require gradients.
FOR_GRADIENTS = frozenset({"make_inputs_require_grads", "make_inputs_require_grad"})


def foreign_hooks(module: nn.Module) -> Iterator[str]:
    """The kind and the name of each hook but those that transformers and PEFT install to run or train a model."""
    for kind in HOOKS:
        for hook in getattr(module, kind).values():
            if not _installed_to_run(hook):
                yield f"{kind.strip('_')[:-1].replace('_', ' ')} {getattr(hook, '__qualname__', type(hook).__name__)}"


def check_parameters(live: nn.Module) -> None:
    """Raises ``UnsupportedChange`` for parameters that no class can declare: with hooks, or of a lazy module that has
    not run yet."""
    for path, module in named_modules(live):
        for name, parameter in module._parameters.items() if module._parameters else ():
            if parameter is None:
                continue
            if isinstance(parameter, UninitializedParameter):
                raise UnsupportedChange(join(path, name), "it has no shape yet", "Run the model once.")
            if any(not _installed_to_run(hook) for hooks in _hooks_of(parameter) for hook in hooks.values()):
                remedy = "Register it after the model is built."
                raise UnsupportedChange(join(path, name), "it has a hook, which no class declares", remedy)


def _hooks_of(parameter: nn.Parameter) -> Iterator[Mapping[int, Any]]:
    for hooks in (parameter._backward_hooks, parameter._post_accumulate_grad_hooks):
        if hooks:
            yield hooks


def _installed_to_run(hook: Any) -> bool:
    module: str = getattr(hook, "__module__", None) or ""
    if module.startswith("transformers.utils.output_capturing"):
        return True
    return getattr(hook, "__name__", "") in FOR_GRADIENTS and module.partition(".")[0] in ("transformers", "peft")
