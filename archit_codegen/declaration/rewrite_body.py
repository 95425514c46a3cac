"""Edits of whole statements: assignments and additions in `__init__`, methods, class attributes."""

from collections.abc import Sequence

import libcst as cst

from .edits import SWITCH, Assign, ClassAttribute, InitWeights, Method, NewMethod, SourceEdit, Statement

INIT = "__init__"
INIT_WEIGHTS = "_init_weights"
NEW_INIT_WEIGHTS = """@torch.no_grad()
def _init_weights(self, module):
    super()._init_weights(module)
"""


def edit_initialiser(node: cst.ClassDef, edits: Sequence[SourceEdit]) -> cst.ClassDef:
    """Assignments where they stand, if that is one plain statement; everything else at the end of `__init__`."""
    mine = [edit for edit in edits if isinstance(edit, Assign | Statement)]
    if not mine:
        return node
    body = list(node.body.body)
    place = next(
        (i for i, item in enumerate(body) if isinstance(item, cst.FunctionDef) and item.name.value == INIT), None
    )
    if place is None:
        body.append(_new_initialiser(mine))
        return node.with_changes(body=node.body.with_changes(body=body))
    function = _blocked(body[place])
    at_end: list[str] = []
    for edit in mine:
        if isinstance(edit, Statement):
            at_end.append(edit.text)
        else:
            changed = _assigned(function, edit)
            if changed is None:
                at_end.append(f"self.{edit.name} = {edit.text}")
            function = changed or function
    body[place] = _with_end(function, at_end)
    return node.with_changes(body=node.body.with_changes(body=body))


def on_lines(node: cst.ClassDef) -> cst.ClassDef:
    """The class with its statements on lines of their own, also where it was written on one."""
    return node if isinstance(node.body, cst.IndentedBlock) else node.with_changes(body=_block(node.body))


def _blocked(function: cst.CSTNode) -> cst.FunctionDef:
    assert isinstance(function, cst.FunctionDef)
    return (
        function if isinstance(function.body, cst.IndentedBlock) else function.with_changes(body=_block(function.body))
    )


def _block(suite: cst.BaseSuite) -> cst.IndentedBlock:
    assert isinstance(suite, cst.SimpleStatementSuite)
    return cst.IndentedBlock(
        [cst.SimpleStatementLine([s.with_changes(semicolon=cst.MaybeSentinel.DEFAULT)]) for s in suite.body]
    )


def _assigned(function: cst.FunctionDef, edit: Assign) -> cst.FunctionDef | None:
    """The function with another right-hand side, if the attribute is assigned once, plainly, and not read in it."""
    uses = _Uses(edit.name)
    function.visit(uses)
    assert isinstance(function.body, cst.IndentedBlock)
    for index, line in enumerate(function.body.body):
        value = _plain_assignment(line, edit.name)
        if value is not None and uses.count == 1:
            assert isinstance(line, cst.SimpleStatementLine)
            assert isinstance(line.body[0], cst.Assign)
            statement = line.body[0].with_changes(value=cst.parse_expression(edit.text))
            body = list(function.body.body)
            body[index] = line.with_changes(body=[statement])
            return function.with_changes(body=function.body.with_changes(body=body))
    return None


def _plain_assignment(line: cst.BaseStatement, name: str) -> cst.BaseExpression | None:
    if not (
        isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1 and isinstance(line.body[0], cst.Assign)
    ):
        return None
    assignment = line.body[0]
    return assignment.value if len(assignment.targets) == 1 and _is_self(assignment.targets[0].target, name) else None


def _is_self(node: cst.CSTNode, name: str) -> bool:
    return (
        isinstance(node, cst.Attribute)
        and isinstance(node.value, cst.Name)
        and node.value.value == "self"
        and node.attr.value == name
    )


class _Uses(cst.CSTVisitor):
    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0

    def visit_Attribute(self, node: cst.Attribute) -> None:
        self.count += _is_self(node, self.name)


def _with_end(function: cst.FunctionDef, texts: Sequence[str]) -> cst.FunctionDef:
    if not texts:
        return function
    assert isinstance(function.body, cst.IndentedBlock)
    body = list(function.body.body)
    parsed = cst.parse_module("\n".join(texts) + "\n")
    new = list(parsed.body)
    post = next((i for i, line in enumerate(body) if _is_post_init(line)), len(body))
    if body[:post] and new:
        new[0] = new[0].with_changes(leading_lines=[cst.EmptyLine(indent=False), *parsed.header])
    after = body[post + 1 :]
    last = [line for line in new if after and SWITCH in cst.Module([]).code_for_node(line)]
    new = [line for line in new if line not in last]
    if any(map(_sets_slot, after)) and any(map(_sets_slot, new)):
        # What the class adds after `post_init()` comes before what is new, and `post_init()` is still to see that.
        lines = [*body[:post], *after, *new, body[post], *last]
    else:
        lines = [*body[:post], *new, *body[post:], *last]
    return function.with_changes(body=function.body.with_changes(body=lines))


def _sets_slot(line: cst.CSTNode) -> bool:
    statement = line.body[0] if isinstance(line, cst.SimpleStatementLine) else None
    targets = statement.targets if isinstance(statement, cst.Assign) else ()
    return any(isinstance(t.target, cst.Attribute) and _is_self(t.target, t.target.attr.value) for t in targets)


def _is_post_init(line: cst.CSTNode) -> bool:
    if isinstance(line, cst.SimpleStatementLine):
        line = line.with_changes(trailing_whitespace=cst.TrailingWhitespace())
    return cst.Module([]).code_for_node(line).strip().endswith("self.post_init()")


def _new_initialiser(edits: Sequence[Assign | Statement]) -> cst.FunctionDef:
    texts = [edit.text if isinstance(edit, Statement) else f"self.{edit.name} = {edit.text}" for edit in edits]
    takes = "config, *args, **kwargs" if any("config" in text for text in texts) else "*args, **kwargs"
    given = takes
    lines = [f"super().__init__({given})", *"\n".join(texts).split("\n")]
    text = f"def __init__(self, {takes}):\n" + "".join(f"    {line}\n" for line in lines)
    function = cst.parse_module(text).body[0]
    assert isinstance(function, cst.FunctionDef)
    return function.with_changes(leading_lines=[cst.EmptyLine(indent=False)])


def replace_method(node: cst.ClassDef, edit: Method) -> cst.ClassDef:
    """The class with the method's new text; under ``keep`` the declared one stays."""
    new = [cst.parse_module(method.text).body[0] for method in (*edit.helpers, edit)]
    body: list[cst.CSTNode] = []
    placed = False
    for item in node.body.body:
        if isinstance(item, cst.FunctionDef) and item.name.value == edit.name:
            if edit.keep is not None:
                body.append(item.with_changes(name=cst.Name(edit.keep)))
            first, *rest = new
            body += [_spaced(first, item, edit.keep is not None), *(_spaced(method, None, True) for method in rest)]
            placed = True
        elif not _is_pass(item):
            body.append(item)
    if not placed:
        body += [_spaced(method, None, True) for method in new]
    return node.with_changes(body=node.body.with_changes(body=body))


def add_method(node: cst.ClassDef, edit: NewMethod) -> cst.ClassDef:
    """The class with a method more, at its end."""
    new = _spaced(cst.parse_module(edit.text).body[0], None, True)
    return node.with_changes(body=node.body.with_changes(body=[*node.body.body, new]))


def extend_init_weights(node: cst.ClassDef, edit: InitWeights) -> cst.ClassDef:
    """The class with a statement at the end of its `_init_weights`."""
    new = cst.parse_module(edit.text + "\n").body
    body = list(node.body.body)
    for index, item in enumerate(body):
        if isinstance(item, cst.FunctionDef) and item.name.value == INIT_WEIGHTS:
            body[index] = item.with_changes(body=item.body.with_changes(body=[*item.body.body, *new]))
            return node.with_changes(body=node.body.with_changes(body=body))
    method = cst.parse_module(NEW_INIT_WEIGHTS).body[0].with_changes(leading_lines=[cst.EmptyLine(indent=False)])
    assert isinstance(method, cst.FunctionDef)
    method = method.with_changes(body=method.body.with_changes(body=[*method.body.body, *new]))
    return node.with_changes(body=node.body.with_changes(body=[*body, method]))


def _is_pass(item: cst.CSTNode) -> bool:
    if not isinstance(item, cst.SimpleStatementLine):
        return False
    only = item.body[0]
    return isinstance(only, cst.Pass) or (isinstance(only, cst.Expr) and isinstance(only.value, cst.Ellipsis))


def _spaced(new: cst.CSTNode, old: cst.FunctionDef | None, blank: bool) -> cst.CSTNode:
    lines = [cst.EmptyLine(indent=False)] if blank or old is None else old.leading_lines
    return new.with_changes(leading_lines=lines)


def set_class_attribute(node: cst.ClassDef, edit: ClassAttribute) -> cst.ClassDef:
    """``<name> = <text>`` in the class body: where it stands, else after the docstring. What the body says of the name
    besides, a property perhaps, is gone."""
    new = cst.parse_module(f"{edit.name} = {edit.text}\n").body[0]
    body: list[cst.CSTNode] = []
    placed = False
    for line in node.body.body:
        if not _defines(line, edit.name):
            body.append(line)
        elif not placed:
            assert isinstance(line, cst.SimpleStatementLine | cst.FunctionDef)
            said = _extended(line, new) if edit.extend and isinstance(line, cst.SimpleStatementLine) else new
            body.append(said.with_changes(leading_lines=line.leading_lines))
            placed = True
    if not placed:
        body.insert(1 if node.get_docstring() is not None else 0, new)
    return node.with_changes(body=node.body.with_changes(body=body))


def _defines(line: cst.CSTNode, name: str) -> bool:
    if isinstance(line, cst.FunctionDef):
        return line.name.value == name
    return isinstance(line, cst.SimpleStatementLine) and _assigns(line, name)


def _extended(line: cst.SimpleStatementLine, new: cst.BaseStatement) -> cst.BaseStatement:
    """The new assignment with the members of the old list first."""
    old = line.body[0]
    assert isinstance(old, cst.Assign | cst.AnnAssign) and isinstance(new, cst.SimpleStatementLine)
    added = new.body[0]
    assert isinstance(added, cst.Assign) and isinstance(added.value, cst.List)
    members = old.value.elements if isinstance(old.value, cst.List) else []
    value = added.value.with_changes(elements=[*members, *added.value.elements])
    return new.with_changes(body=[added.with_changes(value=value)])


def _assigns(line: cst.SimpleStatementLine, name: str) -> bool:
    statement = line.body[0]
    targets = [t.target for t in statement.targets] if isinstance(statement, cst.Assign) else []
    if isinstance(statement, cst.AnnAssign):
        targets = [statement.target]
    return any(isinstance(target, cst.Name) and target.value == name for target in targets)
