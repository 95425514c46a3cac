"""Follows renamed classes through a class: bases, `isinstance`, recorded outputs, modules that may not be split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import libcst as cst

from .edits import Constructs, Variant

RECORDED, UNSPLIT = "_can_record_outputs", "_no_split_modules"

TABLES = frozenset({RECORDED, UNSPLIT})


@dataclass(frozen=True, slots=True)
class Renames:
    """For a name in the original module: the classes that stand in its place, the new names first used first.

    ``single`` are names that are simply exchanged (the config class); ``package`` is the original's, from which its
    relative imports start. ``documented`` tells that `@auto_docstring` documents a class of any name. ``listed`` is
    ``present`` for the lists that mean classes of any file by their names, ``unlisted`` are names of modules that may
    not be split for which models of transformers' own answer.
    """

    present: Mapping[str, tuple[str, ...]]
    single: Mapping[str, str]
    package: str = ""
    documented: bool = True
    listed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unlisted: frozenset[str] = frozenset()


def followed_names(variant: Variant, renames: Renames) -> frozenset[str]:
    """A statement of a method that uses none of these, and has no relative import, stays as it is."""
    constructs = {edit.old for edit in variant.edits if isinstance(edit, Constructs) and edit.new != edit.old}
    return frozenset({*renames.present, *renames.single, *constructs, variant.origin.name})


def follow_names(node: cst.ClassDef, variant: Variant, renames: Renames) -> cst.ClassDef:
    """The class under its variant's name, with every reference to a renamed class following."""
    bases = dict(variant.bases)
    constructs = {edit.old: edit.new for edit in variant.edits if isinstance(edit, Constructs)}
    own = {variant.origin.name: (variant.name,)}
    known = replace(renames, present={**renames.present, **own}, listed={**renames.listed, **own})
    follower = _Follower(known, constructs)
    body = node.body.visit(follower)
    written = node.decorators
    if not renames.documented:
        written = [_introduced(decorator, variant.origin.name) for decorator in written]
    decorators = [decorator.visit(follower) for decorator in written]
    arguments = [_base(argument, bases, renames) for argument in node.bases]
    return node.with_changes(name=cst.Name(variant.name), bases=arguments, body=body, decorators=decorators)


def _introduced(decorator: cst.Decorator, name: str) -> cst.Decorator:
    """Before 5.16 the decorator has to be told what to say of a class whose name does not end as one of its own."""
    if not (isinstance(decorator.decorator, cst.Name) and decorator.decorator.value == "auto_docstring"):
        return decorator
    return decorator.with_changes(decorator=cst.parse_expression(f'auto_docstring(custom_intro="{name}, modified.")'))


def _base(argument: cst.Arg, bases: Mapping[str, str], renames: Renames) -> cst.Arg:
    name = argument.value.value if isinstance(argument.value, cst.Name) else None
    new = bases.get(name, renames.single.get(name)) if name is not None else None
    return argument if new is None else argument.with_changes(value=cst.Name(new))


class _Follower(cst.CSTTransformer):
    """Names stand for one class where something is constructed, and for all that are present where it is tested."""

    def __init__(self, renames: Renames, constructs: Mapping[str, str]) -> None:
        self._renames, self._constructs = renames, constructs

    # Attribute names, keywords and parameters are no references.
    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        return updated_node.with_changes(attr=original_node.attr)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        return updated_node.with_changes(keyword=original_node.keyword)

    def leave_Param(self, original_node: cst.Param, updated_node: cst.Param) -> cst.Param:
        return updated_node.with_changes(name=original_node.name)

    def leave_AnnAssign(self, original_node: cst.AnnAssign, updated_node: cst.AnnAssign) -> cst.AnnAssign:
        return updated_node.with_changes(target=original_node.target)

    def leave_ImportFrom(self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom) -> cst.ImportFrom:
        if not original_node.relative or not self._renames.package:
            return original_node
        parts = self._renames.package.split(".")
        base = ".".join(parts[: len(parts) - len(original_node.relative) + 1])
        tail = f".{cst.Module([]).code_for_node(original_node.module)}" if original_node.module else ""
        name = cst.parse_expression(base + tail)
        assert isinstance(name, cst.Name | cst.Attribute)
        return original_node.with_changes(relative=[], module=name)

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        name = original_node.value
        if name in self._renames.single:
            return updated_node.with_changes(value=self._renames.single[name])
        if name in self._constructs:
            return updated_node.with_changes(value=self._constructs[name])
        present = self._renames.present.get(name, ())
        return updated_node.with_changes(value=present[0]) if len(present) == 1 else updated_node

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        function = original_node.func.value if isinstance(original_node.func, cst.Name) else None
        if function in ("isinstance", "issubclass") and len(original_node.args) == 2:
            tested = self._tested(original_node.args[1].value)
            if tested is not None:
                second = updated_node.args[1].with_changes(value=tested)
                return updated_node.with_changes(args=[updated_node.args[0], second])
        return updated_node

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> cst.Assign:
        target = original_node.targets[0].target
        name = target.value if isinstance(target, cst.Name) else None
        if name == RECORDED and isinstance(original_node.value, cst.Dict):
            return updated_node.with_changes(value=self._recorded(original_node.value))
        if name == UNSPLIT and isinstance(original_node.value, cst.List):
            return updated_node.with_changes(value=self._unsplit(original_node.value))
        return updated_node

    # --- tables

    def _names(self, expression: cst.BaseExpression) -> tuple[str, ...] | None:
        if not isinstance(expression, cst.Name):
            return None
        return self._renames.present.get(expression.value)

    def _tested(self, expression: cst.BaseExpression) -> cst.BaseExpression | None:
        """The second argument of ``isinstance`` with all that stands for each class."""
        members = (
            [element.value for element in expression.elements] if isinstance(expression, cst.Tuple) else [expression]
        )
        if not any(self._names(member) for member in members):
            return None
        expanded = [new for member in members for new in self._expanded(member)]
        if len(expanded) == 1:
            return expanded[0]
        return cst.Tuple([cst.Element(member) for member in expanded])

    def _expanded(self, expression: cst.BaseExpression) -> list[cst.BaseExpression]:
        names = self._names(expression)
        return [expression] if not names else [cst.Name(name) for name in names]

    def _recorded(self, table: cst.Dict) -> cst.Dict:
        elements = [
            element.with_changes(value=self._recorder(element.value))
            if isinstance(element, cst.DictElement)
            else element
            for element in table.elements
        ]
        return table.with_changes(elements=elements)

    def _recorder(self, value: cst.BaseExpression) -> cst.BaseExpression:
        members = [element.value for element in value.elements] if isinstance(value, cst.List) else [value]
        expanded = [new for member in members for new in self._recorders(member)]
        if len(expanded) == 1 and not isinstance(value, cst.List):
            return expanded[0]
        return cst.List([cst.Element(member) for member in expanded])

    def _recorders(self, value: cst.BaseExpression) -> Sequence[cst.BaseExpression]:
        if not isinstance(value, cst.Call):
            return self._expanded(value)
        for place, argument in enumerate(value.args):
            positional = place == 0 and argument.keyword is None
            if positional or (argument.keyword is not None and argument.keyword.value == "target_class"):
                return [
                    value.with_deep_changes(argument, value=name).deep_clone()
                    for name in self._expanded(argument.value)
                ]
        return [value]

    def _unsplit(self, value: cst.List) -> cst.List:
        names: list[str] = []
        for element in value.elements:
            text = element.value.evaluated_value if isinstance(element.value, cst.SimpleString) else None
            if not isinstance(text, str):
                return value
            present = self._renames.listed.get(text, (text,))
            names.extend(name for name in present if name not in self._renames.unlisted)
        return value.with_changes(elements=[cst.Element(cst.SimpleString(f'"{name}"')) for name in names])
