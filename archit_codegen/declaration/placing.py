"""Puts changes of child modules at the sites that built them; what no site can express is left over. Pure."""

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from .changes import Arranged, Change, Inside, Replaced
from .declaredcalls import originals, rebuilt_text
from .edits import Alternative, Arguments, Callee, Constructs, Expression, LoopEdit, SiteEdit, SiteText, SourceEdit
from .expressions import Scope, argument_text, call_text
from .indexed import over_index
from .ir import ClassRef, Literal, Node, Site, Value

Sites = Callable[[Site], SiteText | None]
Placed = tuple[ClassRef | None, SourceEdit]
MOST = 32  # so many alternatives are one expression: each stands inside of the one before, which Python ends at 200


@dataclass(frozen=True, slots=True)
class Placement:
    """A change by its path from the owner; ``declared`` is the node that the reference has there (of members that are
    arranged: their list), ``variant`` the name of the class that stands for the module now. ``appended`` members of a
    list have none but such after them."""

    relative: str
    change: Change
    declared: Node | None
    variant: str | None
    held: str | None = None  # the class of the declared module, where the new one holds it
    appended: bool = False


def place(
    owner: Node, placements: Sequence[Placement], scope: Scope, sites: Sites, prefer: bool
) -> tuple[list[Placed], list[Placement]]:
    """Edits at sites, and the placements that are left; unless sites are preferred, only other classes go there."""
    if owner.kind == "native":
        return [], list(placements)  # nothing of torch's own text is copied: the variant is a subclass
    dropped = frozenset(_dropped(placements))
    built = _built_by(owner)
    wanted: dict[Site, dict[int, tuple[Placement, Alternative]]] = {}
    rest = [placement for placement in placements if not (prefer or isinstance(placement.change, Inside))]
    loops: list[Placed] = []
    for placement in placements:
        if placement in rest:
            continue
        loop = _loop_edit(owner, placement, sites, built)
        alone = prefer and _built_alone(placement.declared, built)
        alternative = None if loop is not None else _alternative(owner, placement, scope, sites, alone)
        node = placement.declared
        if loop is not None:
            loops.append(loop)
        elif alternative is None or node is None or node.built is None or node.built.site is None:
            rest.append(placement)
        elif (known := wanted.setdefault(node.built.site, {}).get(node.built.ordinal)) is not None:
            # A repeated member of a rearranged list: the site gives it the form that it gives the first.
            same = known[1] == alternative and known[0].declared is node
            rest += [] if same else [placement]
        else:
            wanted[node.built.site][node.built.ordinal] = (placement, alternative)
    placed = list(loops)
    for site, by_ordinal in wanted.items():
        edit = _site_edit(site, by_ordinal, built[site], sites, dropped)
        if edit is None:
            rest.extend(placement for placement, _ in by_ordinal.values())
        else:
            placed.append((built[site][0].built.site_class, edit))  # type: ignore[union-attr]  # built by a site
    placed.extend(_constructs(built, wanted, dropped))
    return placed, rest


def _constructs(
    built: Mapping[Site, list[Node]],
    wanted: Mapping[Site, Mapping[int, tuple[Placement, Alternative]]],
    dropped: Container[int],
) -> Iterator[Placed]:
    """For each class that the owner's code constructs: one variant, if that is what all of them became."""
    results: dict[tuple[ClassRef | None, ClassRef], set[str]] = {}
    for site, nodes in built.items():
        for node in nodes:
            assert node.built is not None
            if node.key in dropped:
                continue
            _, alternative = wanted.get(site, {}).get(node.built.ordinal, (None, None))
            new = alternative.name.removesuffix("._from_config") if isinstance(alternative, Callee) else node.cls.name
            results.setdefault((node.built.site_class, node.cls), set()).add(new)
    for (site_class, cls), names in results.items():
        (new,) = names if len(names) == 1 else (cls.name,)
        if wanted and cls.module.partition(".")[0] != "torch":
            yield site_class, Constructs(cls.name, new)


def _dropped(placements: Sequence[Placement]) -> Iterator[int]:
    """Members of lists that are dropped again: what their sites build of them is no matter."""
    for placement in placements:
        change = placement.change
        if isinstance(change, Arranged) and placement.declared is not None:
            for index, (_, child) in enumerate(placement.declared.children):
                if index not in change.order and child is not None:
                    yield child.key


def _built_by(owner: Node) -> Mapping[Site, list[Node]]:
    """What each site in the owner's own code built for this owner."""
    found: dict[Site, dict[int, Node]] = {}

    def visit(node: Node) -> None:
        for _, child in node.children:
            if child is not None:
                if child.built is not None and child.built.site is not None and child.built.owner == owner.key:
                    found.setdefault(child.built.site, {})[child.key] = child
                visit(child)

    visit(owner)
    return {site: list(nodes.values()) for site, nodes in found.items()}


def _built_alone(node: Node | None, built: Mapping[Site, list[Node]]) -> bool:
    """Whether an expression of the owner's `__init__` builds this module, and no other."""
    site = node.built.site if node is not None and node.built is not None else None
    return site is not None and site.function.endswith(".__init__") and len(built.get(site, ())) == 1


def _alternative(owner: Node, placement: Placement, scope: Scope, sites: Sites, alone: bool) -> Alternative | None:
    node, change = placement.declared, placement.change
    if node is None or node.built is None or node.built.site is None or node.built.owner != owner.key:
        return None
    if node.built.site_class is None or not _for_construction(node.built.site):
        return None
    text = sites(node.built.site)
    if text is None:
        return None
    if isinstance(change, Inside) and placement.variant is not None:
        callee = _other_callee(node, text, placement.variant)
        if callee is None and alone:
            # A helper builds it: what the code does to it after that has to meet the variant.
            return Expression(rebuilt_text(node, placement.variant, replace(scope, path=change.path)))
        return callee
    if isinstance(change, Replaced):
        return _other_call(node, text, change, placement, scope)
    return None


def _for_construction(site: Site) -> bool:
    """A public method that builds may be called again later, and must then do what it does on the live model."""
    return site.function.rpartition(".")[2].startswith("_")


def _other_callee(node: Node, text: SiteText, variant: str) -> Callee | None:
    assert node.built is not None
    if text.callee is None:
        return None
    if node.built.direct:
        return Callee(node.cls.name, variant)
    # `AutoModel.from_config(config.text_config)` and `CLIPTextModel._from_config(config)` build by class method.
    if text.callee.endswith("from_config"):
        return Callee(node.cls.name, f"{variant}._from_config")
    return None


def _other_call(
    node: Node, text: SiteText, change: Replaced, placement: Placement, scope: Scope
) -> Alternative | None:
    assert node.built is not None
    inner = replace(scope, originals=originals(node, text), path=change.path)
    if change.delta is not None and placement.variant is None:
        return None  # changed further, without a class to say so: statements follow
    if change.declared == change.construction.cls and change.delta is None and node.built.direct:
        return _other_arguments(node, text, change, inner)
    held = None if placement.held is None else _other_callee(node, text, placement.held)
    if placement.held is not None and held is None:
        return None
    return Expression(call_text(change.construction, inner, node.key, placement.variant), held)


def _other_arguments(node: Node, text: SiteText, change: Replaced, scope: Scope) -> Alternative:
    """The declared call with just those arguments exchanged whose values differ."""
    assert node.built is not None
    new = {argument.name: argument for argument in change.construction.arguments}
    old = {argument.name: argument for argument in node.built.arguments}
    keys = {a.name: (a.name if a.keyword else position) for position, a in enumerate(node.built.arguments)}
    changes: list[tuple[int | str, str | None]] = []
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            changes.append((keys[name], None))
        elif name not in old or not _same(old[name].value, new[name].value):
            changes.append((keys.get(name, name), argument_text(new[name], scope, node.key, {})))
    if any(isinstance(key, int) and value is None for key, value in changes):
        return Expression(call_text(change.construction, scope, node.key))
    return Arguments(tuple(changes))


def _same(old: Value, new: Value) -> bool:
    """`nn.LayerNorm(32)` and `nn.LayerNorm((32,))` say the same."""
    if isinstance(old, Literal) and isinstance(new, Literal):
        return old.text == new.text or f"({old.text},)" == new.text or old.text == f"({new.text},)"
    return old == new


def _site_edit(
    site: Site,
    by_ordinal: Mapping[int, tuple[Placement, Alternative]],
    nodes: Sequence[Node],
    sites: Sites,
    dropped: Container[int],
) -> SiteEdit | None:
    groups: dict[Alternative, list[int]] = {}
    for ordinal, (_, alternative) in sorted(by_ordinal.items()):
        groups.setdefault(alternative, []).append(ordinal)
    text = sites(site)
    count = None if text is None or not text.every or text.loops != 1 else _count(text, len(nodes))
    nodes = [node for node in nodes if node.key not in dropped]
    if len(groups) == 1 and len(by_ordinal) == len(nodes):
        return SiteEdit(site, (((), next(iter(groups))),), count=count)
    if text is None or text.loop is None or text.loops > 1:
        return None
    index = _iterations(site, nodes, text)
    if len(set(index.values())) < len(nodes):
        return None
    by_round = over_index({alternative: [index[o] for o in chosen] for alternative, chosen in groups.items()})
    if len(by_round) > MOST:
        return None
    choices = [(tuple(rounds), alternative) for alternative, rounds in by_round.items()]
    return SiteEdit(site, tuple(choices), tuple(sorted(index.values())), count=count)


def _count(text: SiteText, rounds: int) -> tuple[str, int] | None:
    """The number of rounds of the loop around a site: as text there, and as it was."""
    if text.loop is None:
        return None
    inner = re.fullmatch(r"(range|enumerate)\((.*)\)", text.loop.iterable, re.DOTALL)
    if text.loop.over_range and inner is not None:
        return inner[2], rounds
    return f"len({inner[2] if inner is not None and text.loop.index is not None else text.loop.iterable})", rounds


def _iterations(site: Site, nodes: Sequence[Node], text: SiteText) -> Mapping[int, int]:
    """The iteration of the loop in which each module was built, by its ordinal: the value of the loop's own index, or
    the ordinal itself where each iteration of one run builds one."""
    built = [node.built for node in nodes if node.built is not None]
    if text.loop is not None and text.loop.index is not None:
        values = {call.ordinal: dict(call.counters).get(text.loop.index) for call in built}
        return {ordinal: value for ordinal, value in values.items() if value is not None}
    once = site.function.endswith(".__init__") and text.every
    return {call.ordinal: call.ordinal for call in built} if once else {}


def _loop_edit(owner: Node, placement: Placement, sites: Sites, built: Mapping[Site, list[Node]]) -> Placed | None:
    """A rearranged list whose members come from one comprehension over a range."""
    change, container = placement.change, placement.declared
    if not isinstance(change, Arranged) or container is None:
        return None
    members = [child.built for _, child in container.children if child is not None]
    first = members[0] if members else None
    if first is None or first.site is None or first.owner != owner.key or first.site_class is None:
        return None
    if not _for_construction(first.site):
        return None
    text = sites(first.site)
    built_together = all(m is not None and m.site == first.site for m in members) and len(built[first.site]) == len(
        members
    )
    repeated = len(set(change.order)) < len(change.order)
    if not built_together or text is None or text.loop is None or text.loops > 1 or (change.shared and repeated):
        return None
    if not (text.loop.comprehension and text.loop.over_range) or [m.ordinal for m in members if m] != list(
        range(change.size)
    ):
        return None
    count = _count(text, change.size)
    counted = count[0] if count else ""
    return first.site_class, LoopEdit(first.site, change.order, change.size, change.test, counted)
