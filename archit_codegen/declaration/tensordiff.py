"""Compares the parameters and buffers of two modules: shape, dtype, persistence, gradients. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from .changes import Cast, Change, Frozen, Removed, TensorChanged
from .ir import Node, TensorFact, join

TextOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Above:
    """What a module further up was given as a whole, gradients switched off or another dtype: no change of what lies
    below it."""

    frozen: bool = False
    dtype: str | None = None


def as_a_whole(reference: Node, live: Node, above: Above) -> Above:
    """What all tensors below a module have in common that those of the declared one have not."""
    dtype = None if above.dtype else _new_dtype(reference, live)
    return Above(not above.frozen and _newly_frozen(reference, live), dtype)


def together(above: Above, own: Above) -> Above:
    """What holds below a module, by what holds above it and what it was given itself."""
    return Above(above.frozen or own.frozen, above.dtype or own.dtype)


def whole_changes(path: str, own: Above) -> Iterator[Change]:
    """The changes of the module as a whole."""
    if own.dtype is not None:
        yield Cast(path, own.dtype, False)
    if own.frozen:
        yield Frozen(path, False)


def tensor_changes(reference: Node, live: Node, path: str, above: Above, text_of: TextOf) -> Iterator[Change]:
    """The changes of a module's own tensors; ``text_of`` gives the expression for a buffer that is not saved."""
    compare = _Comparison(path, above, text_of)
    yield from compare.facts(dict(reference.parameters), dict(live.parameters), "parameter")
    yield from compare.facts(dict(reference.buffers), dict(live.buffers), "buffer")


@dataclass(frozen=True, slots=True)
class _Comparison:
    path: str
    above: Above
    text_of: TextOf

    def facts(
        self, before: Mapping[str, TensorFact | None], after: Mapping[str, TensorFact | None], what: str
    ) -> Iterator[Change]:
        for name in before:
            if name not in after:
                yield Removed(join(self.path, name), what)
        for name, fact in after.items():
            old = before.get(name)
            if name not in before or (old is None) != (fact is None):
                yield self.changed(name, what, old, fact)
            elif old is not None and fact is not None:
                yield from self.fact(name, what, old, fact)

    def fact(self, name: str, what: str, old: TensorFact, new: TensorFact) -> Iterator[Change]:
        declared = replace(old, dtype=self.above.dtype) if self.above.dtype and _is_float(old) else old
        if _kept(declared) != _kept(new):
            if what == "parameter" and _kept(replace(declared, dtype=new.dtype)) == _kept(new):
                yield Cast(join(self.path, name), new.dtype, True)
            else:
                yield self.changed(name, what, old, new)
        if old.requires_grad != new.requires_grad and not self.above.frozen and what == "parameter":
            yield Frozen(join(self.path, name), new.requires_grad)

    def changed(self, name: str, what: str, old: TensorFact | None, new: TensorFact | None) -> TensorChanged:
        hidden = what == "buffer" and new is not None and not new.persistent
        return TensorChanged(join(self.path, name), what, old, new, self.text_of(name) if hidden else None)


def _kept(fact: TensorFact) -> TensorFact:
    return replace(fact, key=0, requires_grad=True)


def _newly_frozen(reference: Node, live: Node) -> bool:
    after, before = list(_parameters(live)), list(_parameters(reference))
    return bool(after) and not any(f.requires_grad for f in after) and any(f.requires_grad for f in before)


def _new_dtype(reference: Node, live: Node) -> str | None:
    before = {fact.dtype for fact in _tensors(reference) if _is_float(fact)}
    after = {fact.dtype for fact in _tensors(live) if _is_float(fact)}
    (dtype,) = after if len(after) == 1 else (None,)
    return dtype if dtype != "default" and before == {"default"} else None


def _is_float(fact: TensorFact) -> bool:
    return fact.dtype == "default" or "float" in fact.dtype


def _parameters(node: Node) -> Iterator[TensorFact]:
    yield from (fact for _, fact in node.parameters if fact is not None)
    for _, child in node.children:
        if child is not None:
            yield from _parameters(child)


def _tensors(node: Node) -> Iterator[TensorFact]:
    yield from (fact for _, fact in (*node.parameters, *node.buffers) if fact is not None)
    for _, child in node.children:
        if child is not None:
            yield from _tensors(child)
