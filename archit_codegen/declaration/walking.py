"""Modules and their paths in one pass: `nn.Module.named_modules` hands each of them through a generator a level."""

from torch import nn
from transformers import PreTrainedModel

NamedModule = tuple[str, nn.Module]


def named_modules(root: nn.Module) -> list[NamedModule]:
    """What ``root.named_modules()`` gives: each module once, at its first path."""
    found = {id(root): ("", root)}

    def visit(module: nn.Module, prefix: str) -> None:
        for name, child in module._modules.items():
            if child is not None and id(child) not in found:
                path = prefix + name
                found[id(child)] = path, child
                if child._modules:
                    visit(child, f"{path}.")

    visit(root, "")
    return list(found.values())


def all_modules(root: nn.Module) -> list[nn.Module]:
    """What ``root.modules()`` gives."""
    found = {id(root): root}

    def visit(module: nn.Module) -> None:
        for child in module._modules.values():
            if child is not None and id(child) not in found:
                found[id(child)] = child
                if child._modules:
                    visit(child)

    visit(root)
    return list(found.values())


def way_to_the_model(root: nn.Module) -> str:
    """What to say of something that was put around a model of transformers; nothing of other modules."""
    inside = [(path, type(module)) for path, module in named_modules(root) if isinstance(module, PreTrainedModel)]
    if not inside or isinstance(root, PreTrainedModel):
        return ""
    path, cls = inside[0]
    return f" It holds a {cls.__name__} as `{path}`: compile that."
