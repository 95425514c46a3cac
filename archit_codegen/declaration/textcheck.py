"""The emitted text against the original: functions that no edit touches have the very same syntax tree.

Branches that are not taken never run, so building and running a package cannot prove them.
"""

import ast
from collections.abc import Iterable, Mapping

from ..errors import ValidationFailed
from .edits import Assign, InitWeights, LoopEdit, Method, SiteEdit, Statement, Variant

Function = ast.FunctionDef | ast.AsyncFunctionDef


def check_text(original: str, emitted: str, variant: Variant, names: Mapping[str, str], package: str) -> None:
    """``names`` maps every emitted name (variants, config class, aliases) to the original one; ``package`` is where
    the original's relative imports start.

    Raises:
        ValidationFailed: a function differs that the plan leaves alone.
    """
    before, after = _functions(original), _functions(emitted)
    touched = set(_touched(variant.edits))
    for name, function in before.items():
        if name in touched:
            continue
        if name not in after or _shape(after[name], names, package) != _shape(function, {}, package):
            raise ValidationFailed(
                f"{variant.name}.{name}", "the text differs from the original where nothing was planned"
            )
    added = after.keys() - before.keys() - touched
    if added:
        raise ValidationFailed(f"{variant.name}.{min(added)}", "the text has a method that nobody planned")


def _touched(edits: Iterable[object]) -> Iterable[str]:
    for edit in edits:
        match edit:
            case SiteEdit(site=site) | LoopEdit(site=site):
                yield site.function.rpartition(".")[2]
            case Assign() | Statement():
                yield "__init__"
            case InitWeights():
                yield "_init_weights"
            case Method(name=name, keep=keep):
                yield from (name, keep or name)


def _functions(text: str) -> dict[str, Function]:
    """Methods by name; of several with one name (a property and its setter) each under a name of its own."""
    (cls,) = ast.parse(text).body
    assert isinstance(cls, ast.ClassDef)
    found: dict[str, Function] = {}
    for node in cls.body:
        if isinstance(node, Function):
            found[node.name if node.name not in found else f"{node.name}@{len(found)}"] = node
    return found


def _shape(function: Function, names: Mapping[str, str], package: str) -> str:
    return ast.dump(_Original(names, package).visit(function))


class _Original(ast.NodeTransformer):
    """Emitted names become the original ones, and a tuple of one class's variants that class."""

    def __init__(self, names: Mapping[str, str], package: str) -> None:
        self._names, self._package = names, package.split(".")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if not node.level:
            return node
        base = self._package[: len(self._package) - node.level + 1]
        return ast.ImportFrom(".".join([*base, *([node.module] if node.module else [])]), node.names, 0)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Name(self._names.get(node.id, node.id), node.ctx)

    def visit_Tuple(self, node: ast.Tuple) -> ast.expr:
        renamed = any(isinstance(element, ast.Name) and element.id in self._names for element in node.elts)
        self.generic_visit(node)
        if not renamed:
            return node
        unique = list({ast.dump(element): element for element in node.elts}.values())
        return unique[0] if len(unique) == 1 < len(node.elts) else ast.Tuple(unique, node.ctx)
