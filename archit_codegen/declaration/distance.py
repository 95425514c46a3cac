"""How far two nodes are apart, and which member of a declared list a live member was built as. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from .ir import ClassRef, Literal, Node, Site

Path = tuple[str, ...]
Feature = tuple[Path, str]  # a path below a member, and what is told there


def distance(declared: Node, live: Node) -> int:
    """The number of slots, at any depth, in which two nodes differ; 0 for equal ones."""
    if declared.key == live.key:
        return 0
    count = int(declared.cls != live.cls)
    before, after = dict(declared.children), dict(live.children)
    count += len(before.keys() ^ after.keys()) + int(list(before) != list(after))
    for name in before.keys() & after.keys():
        left, right = before[name], after[name]
        if left is None or right is None:
            count += int(left is not right)
        else:
            count += distance(left, right)
    count += _differences(dict(declared.attributes), dict(live.attributes))
    count += _differences(_tensors(declared), _tensors(live))
    return count


def alike(declared: Node, live: Node) -> bool:
    """Whether two modules of one class take and give the same shapes, whatever is trained of them."""
    before, after = _shapes(declared), _shapes(live)
    return before == after and declared.attributes == live.attributes


def _shapes(node: Node) -> list[tuple[str, tuple[int, ...] | None]]:
    return [(name, None if fact is None else fact.shape) for name, fact in node.parameters]


def align(declared: Sequence[Node], live: Sequence[Node]) -> list[int | None]:
    """For each live member the index of the declared member that it was built as, None for one that is new.

    Members are recognised by what tells the declared ones apart (such as ``layer_idx`` anywhere below them), else by
    the recorded iteration that built them; where there is neither, they are matched in order, and a member of another
    class stands for the one it replaces. A wrapper is what it holds.
    """
    first_at = {node.key: index for index, node in reversed(list(enumerate(live)))}
    keys, classes = [node.key for node in live], {member.cls for member in declared}
    live = [_held(node, classes) for node in live]
    exact = _apart(_one_by_one(declared, live, list(_telling(declared, ()))), live, len(declared))
    matched = exact if all(_settled(m, node, declared) for m, node in zip(exact, live, strict=True)) else None
    result = _fill(matched, len(declared)) if matched else _in_order(declared, live)
    return [result[first_at[key]] for key in keys]


def _held(node: Node, classes: Collection[ClassRef]) -> Node:
    """The first module of these classes that one holds, itself included; itself where it holds none."""
    return next((part for part in parts(node) if part.cls in classes), node)


def parts(node: Node) -> Iterator[Node]:
    """A module and all below it, as often as they stand there."""
    yield node
    for _, child in node.children:
        if child is not None:
            yield from parts(child)


def _settled(match: int | None, node: Node, declared: Sequence[Node]) -> bool:
    """A member that no declared one is like is new where its class is, or where the user was seen to build it."""
    built_by_user = node.built is not None and node.built.owner is None
    return match is not None or built_by_user or all(member.cls != node.cls for member in declared)


def _by_build(declared: Sequence[Node]) -> dict[tuple[Site, int], int]:
    """Members by the iteration of the expression that built them, of several the first."""
    builds = [(member.built, index) for index, member in enumerate(declared)]
    return {(built.site, built.ordinal): index for built, index in reversed(builds) if built and built.site}


def _one_by_one(declared: Sequence[Node], live: Sequence[Node], telling: Sequence[Feature]) -> list[int | None]:
    """The declared member that each live one is for certain; of several the one in its place, where no members were
    dropped or added, else the next after that of its neighbour."""
    found: list[int | None] = []
    last = -1
    told: dict[tuple[object, ...], list[int]] = {}
    classes = _classes(declared, {path[:depth] for path, _ in telling for depth in range(1, len(path) + 1)})
    for index, member in enumerate(declared):
        told.setdefault(_told(member, telling, classes), []).append(index)
    by_build = _by_build(declared)
    for place, node in enumerate(live):
        if telling:
            fitting = told.get(_told(node, telling, classes), [])
        else:
            built = node.built and node.built.site and by_build.get((node.built.site, node.built.ordinal))
            fitting = [built] if isinstance(built, int) else []
        match = next((index for index in fitting if index > last), fitting[0] if fitting else None)
        match = place if len(live) == len(declared) and place in fitting else match
        last = last if match is None else match
        found.append(match)
    return found


def _apart(matched: list[int | None], live: Sequence[Node], size: int) -> list[int | None]:
    """Of members that have a module in common one alone is known by it; the others stand in their places, if those are
    free."""
    result = list(matched)
    for place, (match, node) in enumerate(zip(matched, live, strict=True)):
        alike = [other for other, found in enumerate(matched) if match is not None and found == match]
        known = match if match in alike else place if not alike else alike[0]
        if node.key != live[known].key and any(_in_common(node, live[other]) for other in alike if other != place):
            result[place] = place if len(live) == size and place not in matched else None
    return result


def _in_common(one: Node, other: Node) -> bool:
    return not {part.key for part in parts(one)}.isdisjoint(part.key for part in parts(other))


def _fill(matched: list[int | None], size: int) -> list[int | None]:
    """Members of other classes replace the declared member between those of their neighbours, if it is free."""
    result = list(matched)
    taken = {index for index in matched if index is not None}
    for place, match in enumerate(matched):
        if match is None:
            before = result[place - 1] if place else -1
            guess = place if len(matched) == size else (before + 1 if before is not None else size)
            if guess < size and guess not in taken:
                result[place] = guess
                taken.add(guess)
    return result


def _in_order(declared: Sequence[Node], live: Sequence[Node]) -> list[int | None]:
    """The cheapest order-preserving alignment; a gap costs as much as a member of another class."""
    if [node.cls for node in live] == [node.cls for node in declared]:
        return list(range(len(live)))
    rows, columns = len(live) + 1, len(declared) + 1
    cost = [[row + column for column in range(columns)] for row in range(rows)]
    for row in range(1, rows):
        for column in range(1, columns):
            other = int(live[row - 1].cls != declared[column - 1].cls)
            cost[row][column] = min(
                cost[row - 1][column - 1] + other, cost[row - 1][column] + 1, cost[row][column - 1] + 1
            )
    result: list[int | None] = [None] * len(live)
    row, column = len(live), len(declared)
    while row and column:
        # From the end, prefer gaps: what is missing or new is then taken to be at the end of the list.
        if cost[row][column] == cost[row - 1][column] + 1:
            row -= 1
        elif cost[row][column] == cost[row][column - 1] + 1:
            column -= 1
        else:
            row, column = row - 1, column - 1
            result[row] = column
    return result


def _telling(members: Sequence[Node | None], path: tuple[str, ...]) -> Iterator[Feature]:
    """The features in which members of one reader differ; what is the same in all, down to the leaves, is passed
    over."""
    members = list({member and member.form: member for member in members}.values())
    if len(members) < 2:
        return
    own = [_own(member) for member in members]
    yield from (
        (path, name) for name in sorted(set().union(*own)) if len({features.get(name) for features in own}) > 1
    )
    below = [dict(member.children) if member is not None else {} for member in members]
    for name in dict.fromkeys(name for children in below for name in children):
        yield from _telling([children.get(name) for children in below], (*path, name))


def _classes(members: Sequence[Node], paths: Collection[Path]) -> Mapping[Path, frozenset[ClassRef]]:
    """The classes that members have at paths below them."""
    found = {path: [_below(member, path, {}) for member in members] for path in paths}
    return {path: frozenset(node.cls for node in nodes if node is not None) for path, nodes in found.items()}


def _told(member: Node, telling: Sequence[Feature], classes: Mapping[Path, frozenset[ClassRef]]) -> tuple[object, ...]:
    known: dict[Path, Mapping[str, object]] = {}
    for path, _ in telling:
        if path not in known:
            known[path] = _own(_below(member, path, classes))
    return member.cls, *(known[path].get(name) for path, name in telling)


def _below(node: Node | None, path: Path, classes: Mapping[Path, frozenset[ClassRef]]) -> Node | None:
    """What stands at a path, or what a wrapper there holds of the classes that are declared there."""
    for depth, name in enumerate(path, 1):
        child = dict(node.children).get(name) if node is not None else None
        node = child if child is None else _held(child, classes.get(path[:depth], frozenset()))
    return node


def _own(node: Node | None) -> Mapping[str, object]:
    if node is None:
        return {}
    plain = {name: value.text for name, value in node.attributes if isinstance(value, Literal)}
    shapes = {f"{name} shape": fact and fact.shape for name, fact in node.parameters}
    return {"class": node.cls, **plain, **shapes}


def _tensors(node: Node) -> dict[str, object]:
    return {
        name: fact and (fact.shape, fact.dtype, fact.requires_grad, fact.persistent, fact.kind)
        for name, fact in (*node.parameters, *node.buffers)
    }


def _differences(before: dict[str, object], after: dict[str, object]) -> int:
    return sum(before.get(name, before) != after.get(name, after) for name in before | after)
