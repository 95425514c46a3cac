"""Which hooks of a module somebody registered to change what it does."""

from collections.abc import Iterator
from typing import Any

from torch import nn

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


def _installed_to_run(hook: Any) -> bool:
    module: str = getattr(hook, "__module__", None) or ""
    if module.startswith("transformers.utils.output_capturing"):
        return True
    return getattr(hook, "__name__", "") in FOR_GRADIENTS and module.partition(".")[0] in ("transformers", "peft")
