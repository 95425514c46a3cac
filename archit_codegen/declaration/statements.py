"""Changes as statements at the end of `__init__`, where no construction site can express them. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..errors import UnsupportedChange
from .changes import (
    Added,
    Arranged,
    AttributeChanged,
    Cast,
    Change,
    Delta,
    FunctionPatched,
    Inside,
    MethodPatched,
    Parametrized,
    Removed,
    Replaced,
    SetToNone,
    Shared,
    TensorChanged,
    TiesChanged,
)
from .declaredcalls import originals, rebuilt_text
from .edits import COUNT, INDEX, ORIGINAL, Assign, HiddenBuffer, SourceEdit, Statement
from .expressions import Scope, argument_text, call_text, field_text, learnt_text, shortened, value_text
from .ir import Literal, TensorFact, Value
from .membernames import path_text
from .members import step
from .placing import Placement, Sites

ORDER: tuple[type[Change], ...] = (
    *(Arranged, Removed, SetToNone, Inside, Replaced, Added, Shared, Parametrized),
    *(TensorChanged, Cast, AttributeChanged),
)
INDEXED = frozenset({"ModuleList", "Sequential", "ParameterList"})


def statements(placements: Sequence[Placement], scope: Scope, sites: Sites) -> Iterator[SourceEdit]:
    """Statements in an order in which each finds what it names: what is put in comes before changes within it."""
    put_in = {placement.relative for placement in placements if isinstance(placement.change, Replaced)}

    def order(placement: Placement) -> tuple[int, int]:
        steps = placement.relative.split(".")
        above = [".".join(steps[:count]) for count in range(1, len(steps))]
        return len(put_in.intersection(above)), _rank(placement.change)

    for placement in sorted(placements, key=order):
        yield from _edits(placement, replace(scope, path=placement.change.path), sites)


def _rank(change: Change) -> int:
    return next((rank for rank, kind in enumerate(ORDER) if isinstance(change, kind)), len(ORDER))


def _edits(placement: Placement, scope: Scope, sites: Sites) -> Iterator[SourceEdit]:
    target, change = target_text(placement.relative), placement.change
    match change:
        case Inside():
            yield _set(placement.relative, rebuilt_text(placement.declared, placement.variant, scope))
        case Replaced() | Added():
            yield _module(placement, change, target, scope, sites)
            if change.delta is not None and placement.variant is None:
                yield from _further(change.delta, placement.relative, scope, sites)
        case SetToNone():
            # At the end, not in the place of the module: a slot that held one stays registered, as in the live model.
            yield Statement(f"{target} = None")
        case Removed():
            yield Statement(f"del {target}")
        case Arranged():
            yield Statement(_arranged(target, change))
        case Shared(target=other):
            steps = placement.relative.count(".") + 1
            owner = ".".join(change.path.split(".")[:-steps])
            yield Statement(f"{target} = {target_text(other.removeprefix(f'{owner}.'))}")
        case Parametrized():
            yield from _parametrized(placement.relative, change, scope)
        case TensorChanged():
            yield from _tensor(placement.relative, change, scope)
        case AttributeChanged():
            yield _set(placement.relative, _value(change, scope))
        case Cast():
            yield _cast(placement.relative, change)
        case MethodPatched() | TiesChanged() | FunctionPatched():
            raise UnsupportedChange(
                change.path,
                f"{change.describe()}, on a class of torch's own",
                "Put a subclass with that method in its place.",
            )
        case _:
            raise AssertionError(change)


def target_text(relative: str) -> str:
    """``self.layer[3].output`` for ``"layer.3.output"``."""
    return path_text("self", relative)


def _set(relative: str, text: str) -> SourceEdit:
    if not relative.isidentifier() or ORIGINAL in text:
        target = target_text(relative)
        return Statement(f"{target} = {text.replace(ORIGINAL, target)}")
    return Assign(relative, text)


def _with_originals(placement: Placement, scope: Scope, sites: Sites) -> Scope:
    """The declared call's arguments: their expressions as far as they hold here too, else the attributes of the
    declared module that keep them."""
    node = placement.declared
    if node is None or node.built is None:
        return scope
    held, kept = dict(node.attributes), dict[str, tuple[Value, str]]()
    if isinstance(placement.change, Replaced):
        given = {argument.name: argument.value for argument in node.built.arguments}
        kept = {name: (value, f"{ORIGINAL}.{name}") for name, value in given.items() if held.get(name) == value}
    if node.built.site is not None:
        found = originals(node, sites(node.built.site))
        kept |= {name: (value, text) for name, (value, text) in found.items() if _holds_here(value, text, scope)}
    return replace(scope, originals=kept)


def _holds_here(value: Value, text: str, scope: Scope) -> bool:
    names = [
        name for path, name in scope.configs.items() if isinstance(value, Literal) and scope.holds(text, path, value)
    ]
    return "config" in names


def _module(placement: Placement, change: Replaced | Added, target: str, scope: Scope, sites: Sites) -> SourceEdit:
    replaced = placement.declared.key if placement.declared is not None else None
    text = call_text(change.construction, _with_originals(placement, scope, sites), replaced, placement.variant)
    if placement.held is not None:
        text = text.replace(ORIGINAL, rebuilt_text(placement.declared, placement.held, scope))
    if isinstance(change, Added) and placement.relative.rpartition(".")[2].isdigit():
        owner, _, index = placement.relative.rpartition(".")
        added = f"append({text})" if placement.appended else f"insert({index}, {text})"
        return Statement(f"{target_text(owner)}.{added}")
    return _set(placement.relative, text)


def _further(delta: Delta, relative: str, scope: Scope, sites: Sites) -> Iterator[SourceEdit]:
    """Changes of a torch module after it was constructed."""
    for edit in delta.edits:
        slot = step(edit.slot, delta.live, delta.live.cls.name in INDEXED)
        here = f"{relative}.{slot}" if edit.path != scope.path else relative
        inner = Placement(here, edit, dict(delta.reference.children).get(edit.slot), None)
        yield from _edits(inner, replace(scope, path=edit.path), sites)


def _arranged(target: str, change: Arranged) -> str:
    kept = sorted(set(change.order))
    if change.test is not None and list(change.order) == kept:
        return _kept(target, change, change.test)
    if list(change.order) == kept:
        gone = sorted(set(range(change.size)) - set(kept))
        if gone == list(range(gone[0], change.size)) and len(gone) > 1:
            return f"del {target}[{gone[0]}:]"
        return "\n".join(f"del {target}[{index}]" for index in reversed(gone))
    repeated = len(kept) < len(change.order) and not change.shared
    member = f"copy.deepcopy({target}[i])" if repeated else f"{target}[i]"
    order = ", ".join(map(str, change.order))
    if len(kept) == 1 and change.shared:
        length = f"len({target})" if len(change.order) == change.size else str(len(change.order))
        return f"{target} = {_container(change, f'[{target}[{kept[0]}]] * {length}')}"
    comma = "," if len(change.order) == 1 else ""
    rounds = f"({order}{comma})" if change.test is None else change.test.replace(COUNT, f"len({target})")
    return f"{target} = {_container(change, f'[{member} for i in {rounds}]')}"


def _kept(target: str, change: Arranged, test: str) -> str:
    """The members that stay at any depth; those at the end counted from there."""
    last = re.fullmatch(rf"{INDEX} (!=|<) {COUNT} - (\d+)", test)
    if last is not None:
        return f"del {target}[-{last[2]}{'' if last[1] == '!=' else ':'}]"
    one = re.fullmatch(rf"{INDEX} != (\d+)", test)
    if one is not None:
        return f"del {target}[{one[1]}]"
    words = test.replace(INDEX, "i").replace(COUNT, f"len({target})")
    return f"{target} = {_container(change, f'[module for i, module in enumerate({target}) if {words}]')}"


def _container(change: Arranged, members: str) -> str:
    return f"nn.{change.container}({'*' if change.container == 'Sequential' else ''}{members})"


def _parametrized(relative: str, change: Parametrized, scope: Scope) -> Iterator[SourceEdit]:
    owner, _, name = relative.rpartition(".")
    target = target_text(owner)
    if not change.calls:
        yield Statement(f'nn.utils.parametrize.remove_parametrizations({target}, "{name}")')
    for call in change.calls:
        if call.construction is None:
            written = [f"{a.name}={argument_text(a, scope, None, {})}" for a in call.arguments]
            yield Statement(f"nn.utils.parametrizations.{call.function}({', '.join([target, *written])})")
        else:
            parts = [target, f'"{name}"', call_text(call.construction, scope, None)]
            parts += ["unsafe=True"] if call.unsafe else []
            yield Statement(f"nn.utils.parametrize.register_parametrization({', '.join(parts)})")


def _tensor(relative: str, change: TensorChanged, scope: Scope) -> Iterator[SourceEdit]:
    fact = change.live
    if fact is None:
        yield Statement(f"{target_text(relative)} = None")
        return
    if fact.kind not in ("Parameter", "Tensor", "Buffer"):
        raise UnsupportedChange(change.path, f"a {fact.kind} cannot be declared", "Use `nn.Parameter`.")
    dtype = "" if fact.dtype == "default" else f", dtype={fact.dtype}"
    filled = f"torch.zeros({_shape(fact, change, scope)}{dtype})"
    if change.what == "buffer":
        yield _buffer(relative, change, fact, filled)
    else:
        text = f"nn.Parameter({filled}{'' if fact.requires_grad else ', requires_grad=False'})"
        owner, _, name = relative.rpartition(".")
        appended = name.isdigit() and change.declared is None
        yield Statement(f"{target_text(owner)}.append({text})") if appended else _set(relative, text)


def _shape(fact: TensorFact, change: TensorChanged, scope: Scope) -> str:
    learnt = change.learnt or (None,) * len(fact.shape)
    sizes = [learnt_text(found or (), scope) or str(size) for size, found in zip(fact.shape, learnt, strict=True)]
    return ", ".join(sizes) or "()"


def _buffer(relative: str, change: TensorChanged, fact: TensorFact, filled: str) -> Statement:
    owner, _, name = relative.rpartition(".")
    old = change.declared
    same = old is not None and (old.shape, old.dtype) == (fact.shape, fact.dtype)
    target = f"{target_text(owner)}.{name}"
    register = f'{target_text(owner)}.register_buffer("{name}", {target if same else change.text or filled}'
    if fact.persistent:
        return Statement(f"{register})")
    if change.text is None or owner:
        raise UnsupportedChange(
            change.path,
            "a buffer that is not persistent was put in from outside, and "
            + ("it is in no class that could restore it" if owner else "its values have no short expression"),
            "Make it persistent (`register_buffer(..., persistent=True)`), compute it in the module's `__init__`, or "
            "give it plain values on a real device.",
        )
    return HiddenBuffer(f"{register}, persistent=False)", name, change.text)


def _cast(relative: str, change: Cast) -> Statement:
    target = target_text(relative)
    if change.tensor:
        return Statement(f"{target}.data = {target}.data.to({change.dtype})")
    return Statement(f"{target}.to({change.dtype})")


def _value(change: AttributeChanged, scope: Scope) -> str:
    # What was learnt says more than a name, also that the value follows nothing.
    field = field_text(change.slot, change.live, scope) if change.learnt is None else None
    text = learnt_text(change.learnt or (), scope) or field or value_text(change.live, scope)
    if text is None:
        raise UnsupportedChange(
            change.path,
            f"the attribute holds {shortened(change.describe().removeprefix('set to '))}, which has no literal",
            "Set it in the module's `__init__` from plain values, or keep it out of the module.",
        )
    return text
