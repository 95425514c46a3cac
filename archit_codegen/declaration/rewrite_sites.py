"""Edits of expressions at construction sites, and of the loops around them."""

from collections.abc import Mapping, Sequence
from typing import Any

import libcst as cst

from .conditions import at_index, condition, free_index, worded
from .edits import ORIGINAL, Alternative, Arguments, Callee, Constructs, Expression, LoopEdit, SiteEdit, SourceEdit

# Where an expression that chooses has to stand in parentheses.
TIGHT: Mapping[type[cst.CSTNode], Sequence[str]] = {
    cst.IfExp: ("body", "test"),
    cst.BinaryOperation: ("left", "right"),
    cst.BooleanOperation: ("left", "right"),
    cst.UnaryOperation: ("expression",),
    cst.Attribute: ("value",),
    cst.Subscript: ("value",),
    cst.Call: ("func",),
}


class SiteRewriter(cst.CSTTransformer):
    """Exchanges the expressions at sites; a loop whose index is needed and has no name gets one."""

    def __init__(
        self,
        sites: Mapping[cst.CSTNode, Sequence[SiteEdit]],
        loops: Mapping[cst.CSTNode, Sequence[SiteEdit | LoopEdit]],
        edits: Sequence[SourceEdit],
    ) -> None:
        self._sites, self._loops = sites, loops
        self._constructs = {edit.old: edit.new for edit in edits if isinstance(edit, Constructs)}
        self._names: list[set[str]] = []
        self._indices: list[str] = []

    def on_leave(self, original_node: cst.CSTNode, updated_node: cst.CSTNode) -> Any:
        result = super().on_leave(original_node, updated_node)
        if not isinstance(result, cst.CSTNode):
            return result
        inner = {name: getattr(result, name) for name in TIGHT.get(type(result), ())}
        bare = {name: node for name, node in inner.items() if isinstance(node, cst.IfExp) and not node.lpar}
        return result.with_changes(**{name: _in_parentheses(node) for name, node in bare.items()}) if bare else result

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        collector = _Names()
        node.body.visit(collector)
        self._names.append(collector.names)

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        self._names.pop()
        return updated_node

    def visit_ListComp(self, node: cst.ListComp) -> None:
        self._enter(node, node.for_in)

    def visit_GeneratorExp(self, node: cst.GeneratorExp) -> None:
        self._enter(node, node.for_in)

    def visit_DictComp(self, node: cst.DictComp) -> None:
        self._enter(node, node.for_in)

    def visit_For(self, node: cst.For) -> None:
        self._enter(node, node)

    def leave_ListComp(self, original_node: cst.ListComp, updated_node: cst.ListComp) -> cst.BaseExpression:
        return updated_node.with_changes(for_in=self._leave(original_node, updated_node.for_in))

    def leave_GeneratorExp(
        self, original_node: cst.GeneratorExp, updated_node: cst.GeneratorExp
    ) -> cst.BaseExpression:
        return updated_node.with_changes(for_in=self._leave(original_node, updated_node.for_in))

    def leave_DictComp(self, original_node: cst.DictComp, updated_node: cst.DictComp) -> cst.BaseExpression:
        return updated_node.with_changes(for_in=self._leave(original_node, updated_node.for_in))

    def leave_For(self, original_node: cst.For, updated_node: cst.For) -> cst.For:
        result = self._leave(original_node, updated_node)
        assert isinstance(result, cst.For)
        return result

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        return self._exchange(original_node, updated_node)

    def leave_Subscript(self, original_node: cst.Subscript, updated_node: cst.Subscript) -> cst.BaseExpression:
        return self._exchange(original_node, updated_node)

    # --- loops

    def _enter(self, node: cst.CSTNode, clause: cst.CompFor | cst.For) -> None:
        name, collector = _index_name(clause), _Names()
        node.visit(collector)
        self._indices.append(name if name is not None and name != "_" else free_index(collector.names))

    def _leave(self, original: cst.CSTNode, clause: cst.CompFor | cst.For) -> cst.CompFor | cst.For:
        index = self._indices.pop()
        # The count is named before other rounds are, which have none.
        for edit in sorted(self._loops.get(original, ()), key=lambda edit: isinstance(edit, LoopEdit)):
            if isinstance(edit, LoopEdit):
                clause = _reordered(clause, edit, index)
            elif edit.choices[0][0]:
                clause = _indexed(clause, index)
        return clause

    # --- sites

    def _exchange(self, original: cst.CSTNode, updated: cst.BaseExpression) -> cst.BaseExpression:
        result = updated
        for edit in self._sites.get(original, ()):
            result = self._chosen(edit, updated)
        return result

    def _chosen(self, edit: SiteEdit, updated: cst.BaseExpression) -> cst.BaseExpression:
        (indices, alternative), *_ = edit.choices
        if not indices:
            return updated if self._renamed(alternative) else _apply(alternative, updated)
        if edit.tests:
            return self._tested(edit, updated)
        choices = [(indices, at_index(one, self._indices[-1])) for indices, one in edit.choices]
        result = updated
        if sum(len(indices) for indices, _ in choices) == len(edit.indices):
            result = _apply(choices.pop()[1], updated)
        for indices, alternative in reversed(choices):
            test = cst.parse_expression(condition(indices, edit.indices, self._indices[-1]))
            result = cst.IfExp(test=test, body=_apply(alternative, updated), orelse=result)
        return result

    def _tested(self, edit: SiteEdit, updated: cst.BaseExpression) -> cst.BaseExpression:
        result = updated
        for test, (_, alternative) in reversed(list(zip(edit.tests, edit.choices, strict=True))):
            made = _apply(at_index(alternative, self._indices[-1]), updated)
            words = worded(test, self._indices[-1], edit.count[0] if edit.count else "") if test else ""
            result = cst.IfExp(test=cst.parse_expression(words), body=made, orelse=result) if words else made
        return result

    def _renamed(self, alternative: Alternative) -> bool:
        """Whether following the name through the whole function does all there is to do, for example behind
        ``attention_class = A if cross else B``."""
        if not isinstance(alternative, Callee):
            return False
        name = alternative.name.removesuffix("._from_config")
        return self._constructs.get(alternative.old) == name and alternative.old in self._names[-1]


def _in_parentheses(node: cst.IfExp) -> cst.IfExp:
    return node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


class _Names(cst.CSTVisitor):
    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_Name(self, node: cst.Name) -> None:
        self.names.add(node.value)


def _apply(alternative: Alternative, expression: cst.BaseExpression) -> cst.BaseExpression:
    match alternative:
        case Callee(name=name):
            assert isinstance(expression, cst.Call)
            return expression.with_changes(func=cst.parse_expression(name))
        case Arguments(changes=changes):
            assert isinstance(expression, cst.Call)
            return _with_arguments(expression, dict(changes))
        case Expression(text=text, held=held):
            original = expression if held is None else _apply(held, expression)
            new = cst.parse_expression(text).visit(_Substitute(original))
            assert isinstance(new, cst.BaseExpression)
            return new


class _Substitute(cst.CSTTransformer):
    def __init__(self, original: cst.BaseExpression) -> None:
        self._original = original

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        return self._original.deep_clone() if original_node.value == ORIGINAL else updated_node


def _with_arguments(call: cst.Call, changes: dict[int | str, str | None]) -> cst.Call:
    arguments: list[cst.Arg] = []
    for position, argument in enumerate(call.args):
        key: int | str = argument.keyword.value if argument.keyword is not None else position
        text = changes.pop(key, "")
        if text:
            arguments.append(argument.with_changes(value=cst.parse_expression(text)))
        elif text is not None:
            arguments.append(argument)
    for key, text in changes.items():
        if text is not None:
            arguments.append(_keyword(str(key), text))
    # The commas between follow from the places; a comma at the end stays only where there was one.
    if arguments and len(arguments) != len(call.args):
        between = [argument.with_changes(comma=cst.MaybeSentinel.DEFAULT) for argument in arguments[:-1]]
        end = call.args[-1].comma if call.args else cst.MaybeSentinel.DEFAULT
        arguments = [*between, arguments[-1].with_changes(comma=end)]
    return call.with_changes(args=arguments)


def _keyword(name: str, text: str) -> cst.Arg:
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    return cst.Arg(cst.parse_expression(text), keyword=cst.Name(name), equal=equal)


def _index_name(clause: cst.CompFor | cst.For) -> str | None:
    target, iterable = clause.target, clause.iter
    if isinstance(target, cst.Name) and _calls(iterable, "range"):
        return target.value
    if isinstance(target, cst.Tuple) and _calls(iterable, "enumerate"):
        first = target.elements[0].value
        return first.value if isinstance(first, cst.Name) else None
    return None


def _calls(node: cst.BaseExpression, name: str) -> bool:
    named = isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == name
    return named and isinstance(node, cst.Call) and len(node.args) == 1


def _indexed(clause: cst.CompFor | cst.For, index: str) -> cst.CompFor | cst.For:
    """The loop with a name for its count."""
    name = _index_name(clause)
    if name == index:
        return clause
    if name is not None and isinstance(clause.target, cst.Name):
        return clause.with_changes(target=cst.Name(index))
    if name is not None and isinstance(clause.target, cst.Tuple):
        first = clause.target.elements[0].with_changes(value=cst.Name(index))
        return clause.with_changes(target=clause.target.with_changes(elements=[first, *clause.target.elements[1:]]))
    target, iterable = _one(clause.target), _one(clause.iter)
    pair = cst.Tuple([cst.Element(cst.Name(index)), cst.Element(target)], lpar=[], rpar=[])
    return clause.with_changes(target=pair, iter=cst.Call(cst.Name("enumerate"), [cst.Arg(iterable)]))


def _one(node: Any) -> Any:
    """A tuple without parentheses gets them where it becomes one of several."""
    bare = isinstance(node, cst.Tuple) and not node.lpar
    return node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()]) if bare else node


def _reordered(clause: cst.CompFor | cst.For, edit: LoopEdit, index: str) -> cst.CompFor | cst.For:
    clause = _indexed(clause, index)
    if edit.test is not None:
        words = cst.parse_expression(worded(edit.test, index, edit.count))
        return clause.with_changes(ifs=[cst.CompIf(words)]) if edit.in_order else clause.with_changes(iter=words)
    kept = sorted(set(edit.order))
    if list(edit.order) == kept and kept:
        test = cst.parse_expression(condition(kept, range(edit.size), index))
        gone = sorted(set(range(edit.size)) - set(kept))
        if len(gone) == 1:
            test = cst.parse_expression(f"{index} != {gone[0]}")
        elif len(gone) < len(kept) and not isinstance(test, cst.Comparison):
            test = cst.parse_expression(f"{index} not in {{{', '.join(map(str, gone))}}}")
        return clause.with_changes(ifs=[cst.CompIf(test)])
    comma = "," if len(edit.order) == 1 else ""
    return clause.with_changes(iter=cst.parse_expression(f"({', '.join(map(str, edit.order))}{comma})"))
