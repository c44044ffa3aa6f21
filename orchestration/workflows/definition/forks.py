"""Where the branches of a parallel node meet, and which nodes more than one of them may visit.

Branches meet at the nearest node that all of them must pass (an edge whose condition ends a branch early aside); when
there is no such node, at the nearest that all can reach. Branches that meet among themselves before that are one inner
fork.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

DEEPEST = 20
_EXIT = ""  # no node has an empty id
Ways = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch: it begins at a node, or with an inner fork. Steps of `shared` nodes get the prefix in their names."""

    start: str = ""
    fork: "Fork | None" = None
    prefix: str = ""
    shared: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Fork:
    """Branches that run at once, and the node that runs once after the last of them, if there is one."""

    branches: tuple[Branch, ...]
    meeting: str


class Layout:
    """The shape of one graph. `ways` are where nodes lead when nothing fails, `all_ways` also after a failure."""

    def __init__(self, ways: Ways, all_ways: Ways) -> None:
        self.ways, self.all_ways = ways, all_ways

    def fork(self, name: str, targets: Sequence[str], stops: frozenset[str]) -> Fork:
        """The fork of the node with this step name into these targets; `stops` are where forks around it meet."""
        meeting = self._common_dominator(targets) or self._nearest_common(targets, stops)
        return self._plan(name, targets, stops, meeting, DEEPEST)

    def _plan(self, name: str, targets: Sequence[str], stops: frozenset[str], meeting: str, levels: int) -> Fork:
        inside = stops | {meeting} if meeting else stops
        regions = {target: self._region(target, inside) for target in targets}
        branches: list[Branch] = []
        for group in _overlapping(regions):
            inner = self._inner_meeting(group, inside) if levels and len(group) > 1 else ""
            if len(group) == 1:
                branches.append(Branch(group[0]))
            elif inner:
                branches.append(Branch(fork=self._plan(name, group, inside, inner, levels - 1)))
            else:
                shared = _in_several([regions[target] for target in group])
                branches += [Branch(at, prefix=f"{name}/{targets.index(at)}/", shared=shared) for at in group]
        return Fork(tuple(branches), meeting)

    def _inner_meeting(self, targets: Sequence[str], stops: frozenset[str]) -> str:
        """Where these branches meet before any of the stops, an empty text when they do not."""
        dominator = self._common_dominator(targets)
        return dominator if dominator and dominator not in stops else self._nearest_common(targets, stops)

    def _common_dominator(self, targets: Sequence[str]) -> str:
        chains = [self._chain(target) for target in targets]
        others = [set(chain) for chain in chains[1:]]
        return next((node for node in chains[0] if all(node in chain for chain in others)), "")

    def _chain(self, node: str) -> list[str]:
        """The node and all that every way from it passes, in order; empty when no way from it ends."""
        chain = []
        while node != _EXIT and node in self._dominators:
            chain.append(node)
            node = self._dominators[node]
        return chain

    def _nearest_common(self, targets: Sequence[str], stops: frozenset[str]) -> str:
        distances = [_distances(target, self.ways, stops) for target in targets]
        common = [node for node in distances[0] if all(node in reachable for reachable in distances)]
        reach = {node: [reachable[node] for reachable in distances] for node in common}
        return min(common, key=lambda node: (max(reach[node]), sum(reach[node]), node), default="")

    def _region(self, start: str, stops: frozenset[str]) -> set[str]:
        return set(_distances(start, self.all_ways, stops))

    @cached_property
    def _dominators(self) -> dict[str, str]:
        """Each node's immediate post-dominator (Cooper, Harvey, Kennedy), for the nodes that reach an end."""
        back: Ways = defaultdict(list)
        for node, targets in self.ways.items():
            for target in targets or [_EXIT]:
                back[target].append(node)
        order = _postorder(_EXIT, back)
        rank = {node: at for at, node in enumerate(order)}
        dominators = {_EXIT: _EXIT}
        has_change = True
        while has_change:
            has_change = False
            for node in reversed(order[:-1]):
                candidates = [target for target in self.ways[node] or [_EXIT] if target in dominators]
                best = candidates[0]
                for other in candidates[1:]:
                    best = _where_chains_join(best, other, dominators, rank)
                has_change |= dominators.get(node) != best
                dominators[node] = best
        return dominators


def _where_chains_join(one: str, other: str, dominators: dict[str, str], rank: dict[str, int]) -> str:
    while one != other:
        while rank[one] < rank[other]:
            one = dominators[one]
        while rank[other] < rank[one]:
            other = dominators[other]
    return one


def _postorder(start: str, ways: Ways) -> list[str]:
    """The nodes reachable from `start`, each after those that it leads to; without recursion."""
    order, reachable, waiting = [], {start}, [(start, iter(ways[start]))]
    while waiting:
        node, rest = waiting[-1]
        following = next((target for target in rest if target not in reachable), None)
        if following is None:
            order.append(node)
            waiting.pop()
        else:
            reachable.add(following)
            waiting.append((following, iter(ways[following])))
    return order


def _distances(start: str, ways: Ways, stops: frozenset[str]) -> dict[str, int]:
    """Steps from `start` to each node that it reaches without passing a stop; the stops are not among them."""
    if start in stops:
        return {}
    distances, waiting = {start: 0}, deque([start])
    while waiting:
        node = waiting.popleft()
        for target in ways[node]:
            if target not in distances and target not in stops:
                distances[target] = distances[node] + 1
                waiting.append(target)
    return distances


def _overlapping(regions: dict[str, set[str]]) -> list[list[str]]:
    """The branches in groups whose regions have nodes in common, in order."""
    leader = {target: target for target in regions}

    def lead(target: str) -> str:
        while leader[target] != target:
            leader[target] = target = leader[leader[target]]
        return target

    first: dict[str, str] = {}
    for target, region in regions.items():
        for node in region:
            leader[lead(target)] = lead(first.setdefault(node, target))
    groups: dict[str, list[str]] = defaultdict(list)
    for target in regions:
        groups[lead(target)].append(target)
    return list(groups.values())


def _in_several(regions: Iterable[set[str]]) -> frozenset[str]:
    earlier: set[str] = set()
    duplicates: set[str] = set()
    for region in regions:
        duplicates |= earlier & region
        earlier |= region
    return frozenset(duplicates)
