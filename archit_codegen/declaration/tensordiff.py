"""Compares the parameters and buffers of two modules: shape, dtype, persistence. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from .changes import Cast, Change, Removed, TensorChanged
from .ir import Node, TensorFact, join

TextOf = Callable[[str], str | None]


def whole_dtype(reference: Node, live: Node) -> str | None:
    """The dtype of all floating tensors below a module, where the declared module has the model's."""
    floats = (fact.dtype for fact in _tensors(live) if _is_float(fact))
    dtype = next(floats, "default")
    if dtype == "default" or any(other != dtype for other in floats):
        return None
    return dtype if {fact.dtype for fact in _tensors(reference) if _is_float(fact)} == {"default"} else None


def tensor_changes(reference: Node, live: Node, path: str, above: str | None, text_of: TextOf) -> Iterator[Change]:
    """The changes of a module's own tensors; ``above`` is the dtype that they were given as a whole, ``text_of`` gives
    the expression for a buffer that is not saved."""
    compare = _Comparison(path, above, text_of)
    yield from compare.facts(dict(reference.parameters), dict(live.parameters), "parameter")
    yield from compare.facts(dict(reference.buffers), dict(live.buffers), "buffer")


@dataclass(frozen=True, slots=True)
class _Comparison:
    path: str
    above: str | None
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
        declared = replace(old, dtype=self.above) if self.above and _is_float(old) else old
        if _kept(declared) != _kept(new):
            if what == "parameter" and _kept(replace(declared, dtype=new.dtype)) == _kept(new):
                yield Cast(join(self.path, name), new.dtype, True)
            else:
                yield self.changed(name, what, old, new)

    def changed(self, name: str, what: str, old: TensorFact | None, new: TensorFact | None) -> TensorChanged:
        hidden = what == "buffer" and new is not None and not new.persistent
        return TensorChanged(join(self.path, name), what, old, new, self.text_of(name) if hidden else None)


def _kept(fact: TensorFact) -> TensorFact:
    return replace(fact, key=0, requires_grad=True)


def _is_float(fact: TensorFact) -> bool:
    return fact.dtype == "default" or "float" in fact.dtype


def _tensors(node: Node) -> Iterator[TensorFact]:
    yield from (fact for _, fact in (*node.parameters, *node.buffers) if fact is not None)
    for _, child in node.children:
        if child is not None:
            yield from _tensors(child)
