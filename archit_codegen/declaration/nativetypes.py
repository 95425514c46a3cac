"""Where transformers asks for a model type by its name, outside the files of the model: no new type is meant."""

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import transformers
from torch import nn

_HOME = Path(transformers.__file__).parent
_PLACES = ("generation", "pipelines")  # what is run with models that are there; the rest reads foreign files


def asked_for(live: nn.Module) -> Iterator[str]:
    """A warning for each module of transformers that does for the declared model type what it does for no other."""
    model_type = getattr(getattr(live, "config", None), "model_type", None)
    for module in _modules_asking(model_type) if isinstance(model_type, str) and model_type else ():
        yield f"{module} asks for the model type {model_type}: what it does for that, it does not do for the new one"


@lru_cache
def _modules_asking(model_type: str) -> tuple[str, ...]:
    found = []
    for path in sorted(path for place in _PLACES for path in (_HOME / place).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if f'"{model_type}"' in text and any(_asks(node, model_type) for node in ast.walk(ast.parse(text))):
            found.append(".".join(("transformers", *path.relative_to(_HOME).with_suffix("").parts)))
    return tuple(found)


def _asks(node: ast.AST, model_type: str) -> bool:
    """Whether this is `config.model_type == "..."`, or the like with several types."""
    if not (isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute) and node.left.attr == "model_type"):
        return False
    inside = (part for right in node.comparators for part in ast.walk(right))
    return any(isinstance(part, ast.Constant) and part.value == model_type for part in inside)
