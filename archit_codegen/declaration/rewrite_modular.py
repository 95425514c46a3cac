"""Variants as small subclasses of what they were made from, in the style of transformers' modular files."""

import re
from collections.abc import Iterable, Mapping, Sequence

import libcst as cst

INIT, POST_INIT, SUPER_INIT = "__init__", "self.post_init()", "super().__init__("
RECORDED = "_can_record_outputs"  # a subclass is recorded where its base is
DOCUMENTED = "@auto_docstring"
PASS = cst.parse_statement("pass")


def subclass(original: str, new: str, origins: Mapping[str, str]) -> str:
    """A subclass of the class of ``original`` that is the class of ``new``.

    ``origins`` are the declared names of the variants that are subclasses, by their new ones: a test for a declared
    class holds for its subclasses, so that text which differs by that alone is inherited.
    """
    (old,), (changed,) = (_classes(text) for text in (original, new))
    known = {_key(item, origins) for item in old.body.body}
    items: list[cst.CSTNode] = []
    for item in changed.body.body:
        if isinstance(item, cst.FunctionDef) and item.name.value == INIT:
            initialiser = _initialiser(_method(old, INIT), item)
            items += [] if initialiser is None else [initialiser]
        elif not _inherited(item, known, origins):
            items.append(_without_super(item, old))
    removed = {_name(item) for item in old.body.body} - {_name(item) for item in changed.body.body} - {None}
    assert not removed, removed
    bases = [base for argument in changed.bases if (base := _code(argument.value)) in origins]
    arguments = [cst.Arg(cst.Name(base)) for base in (*bases, old.name.value)]
    items = [items[0].with_changes(leading_lines=_comments(items[0])), *items[1:]] if items else [PASS]
    body = changed.body.with_changes(body=items)
    decorators = [item for item in changed.decorators if _code(item).strip().startswith(DOCUMENTED)]
    return _code(changed.with_changes(bases=arguments, body=body, decorators=decorators, leading_lines=[]))


def _inherited(item: cst.CSTNode, known: set[str], origins: Mapping[str, str]) -> bool:
    """Whether a subclass does without a statement of the class body."""
    same = _key(item, origins) in known and not _names_itself(item, origins)
    return same or _assigns(item, RECORDED) or _is_docstring(item)


def _classes(text: str) -> list[cst.ClassDef]:
    return [node for node in cst.parse_module(text).body if isinstance(node, cst.ClassDef)]


def _code(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node)


def _method(node: cst.ClassDef, name: str) -> cst.FunctionDef | None:
    return next((m for m in node.body.body if isinstance(m, cst.FunctionDef) and m.name.value == name), None)


def _name(item: cst.CSTNode) -> str | None:
    return item.name.value if isinstance(item, cst.FunctionDef) else None


def _is_docstring(item: cst.CSTNode) -> bool:
    return isinstance(item, cst.SimpleStatementLine) and isinstance(item.body[0], cst.Expr)


def _assigns(item: cst.CSTNode, name: str) -> bool:
    return bool(re.match(rf"{name}\b\s*[:=]", _plain(item)))


def _plain(item: cst.CSTNode) -> str:
    """The code without comments and spacing."""
    lines = (re.sub(r"\s*#.*", "", line).strip() for line in _code(item).splitlines())
    return re.sub(r",(?=[)\]}])", "", re.sub(r"\s+", " ", " ".join(filter(None, lines))).replace("( ", "(")).strip()


def _key(item: cst.CSTNode, origins: Mapping[str, str]) -> str:
    """The code with declared names for new ones, each class once in a test for several."""
    text = _plain(item)
    # Names in strings (`_no_split_modules`) are compared as they are: no subclass stands for its base there.
    text = re.sub(r"""(?<!["'\w])[A-Za-z_]\w*(?!["'\w])""", lambda found: origins.get(found[0], found[0]), text)
    return re.sub(r"\((\w+)(?:, \1)+\)", r"\1", text)


def _names_itself(item: cst.CSTNode, variants: Iterable[str]) -> bool:
    """Whether code outside of `__init__` makes something of a new class, or is declared for a new config."""
    text = _plain(item)
    return any(re.search(rf"(?<!\w){name}\(", text) for name in variants) or text.startswith("config:")


def _without_super(item: cst.CSTNode, old: cst.ClassDef) -> cst.CSTNode:
    """A method that calls the base of its class: that is no longer the next one."""
    first = old.bases[0].value if old.bases else None
    if not isinstance(item, cst.FunctionDef) or first is None:
        return item
    return item.visit(_BaseCalls(_code(first), item.name.value))  # type: ignore[return-value]  # none is removed


class _BaseCalls(cst.CSTTransformer):
    """``super().method(x)`` becomes ``Base.method(self, x)``."""

    def __init__(self, base: str, method: str) -> None:
        self._base, self._method = base, method

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        if _code(original_node.func) != f"super().{self._method}":
            return updated_node
        function = cst.parse_expression(f"{self._base}.{self._method}")
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        own = cst.Arg(cst.Name("self"), comma=comma if updated_node.args else cst.MaybeSentinel.DEFAULT)
        return updated_node.with_changes(func=function, args=[own, *updated_node.args])


# --- __init__ -------------------------------------------------------------------------------------------------------


def _initialiser(old: cst.FunctionDef | None, new: cst.FunctionDef) -> cst.FunctionDef | None:
    """What the base class's `__init__` makes, then the statements that differ; None if nothing does."""
    before = [] if old is None else list(old.body.body)
    known = {_plain(statement) for statement in before}
    statements = [item for item in new.body.body if not _is_docstring_or_super(item)]
    changed = [item for item in statements if _plain(item) not in known]
    lost = sorted(_own_targets(before) - _own_targets(new.body.body))
    if not changed and not lost:
        return None
    wanted = _with_locals(statements, changed)
    if any(POST_INIT in _plain(item) for item in statements):
        wanted = [item for item in wanted if POST_INIT not in _plain(item)]
        wanted += [item for item in statements if POST_INIT in _plain(item)]
    head = cst.parse_statement(f"super().__init__({_passed(new)})")
    gone = [cst.parse_statement(f"del self.{name}") for name in lost]
    body = [head, *gone, *(item.with_changes(leading_lines=_comments(item)) for item in wanted)]
    return new.with_changes(body=new.body.with_changes(body=body))


def _is_docstring_or_super(item: cst.CSTNode) -> bool:
    return _plain(item).startswith(SUPER_INIT) or (_is_docstring(item) and _plain(item).startswith(('"', "'", 'r"')))


def _comments(item: cst.CSTNode) -> list[cst.EmptyLine]:
    return [line for line in getattr(item, "leading_lines", ()) if line.comment is not None]


def _own_targets(statements: Iterable[cst.CSTNode]) -> set[str]:
    """Attributes of ``self`` that plain statements assign."""
    text = "\n".join(_code(statement) for statement in statements)
    return set(re.findall(r"^\s*self\.(\w+)\s*(?::[^=\n]+)?=(?!=)", text, re.MULTILINE))


def _with_locals(statements: Sequence[cst.CSTNode], changed: Sequence[cst.CSTNode]) -> list[cst.CSTNode]:
    """The changed statements, with those that make what they need: local variables, and lists that they add to."""
    wanted = list(changed)
    for index in reversed(range(len(statements))):
        statement = statements[index]
        later = [item for item in wanted if statements.index(item) > index]
        if statement not in wanted and any(_needs(item, statement) for item in later):
            wanted.append(statement)
    return sorted(wanted, key=statements.index)


def _needs(later: cst.CSTNode, earlier: cst.CSTNode) -> bool:
    made = _locals_made(earlier)
    if any(re.search(rf"(?<![.\w]){name}\b", _plain(later)) for name in made):
        return True
    return bool(_added_to(later) & (_added_to(earlier) | _own_targets([earlier])))


def _added_to(statement: cst.CSTNode) -> set[str]:
    """Attributes of ``self`` to which a statement adds members."""
    return set(re.findall(r"\bself\.(\w+)(?:\.(?:append|extend|insert|add_module|update)\(|\[)", _code(statement)))


def _locals_made(statement: cst.CSTNode) -> set[str]:
    found = re.findall(r"^\s*(\w+)(?:\.\w+)*\s*(?::[^=\n]+)?=(?!=)", _code(statement), re.MULTILINE)
    return set(found) - {"self"}


def _passed(function: cst.FunctionDef) -> str:
    """The parameters of a function as arguments of a call."""
    parameters = function.params
    texts = [item.name.value for item in (*parameters.posonly_params, *parameters.params)][1:]
    if isinstance(parameters.star_arg, cst.Param):
        texts.append(f"*{parameters.star_arg.name.value}")
    texts += [f"{item.name.value}={item.name.value}" for item in parameters.kwonly_params]
    if parameters.star_kwarg is not None:
        texts.append(f"**{parameters.star_kwarg.name.value}")
    return ", ".join(texts)
