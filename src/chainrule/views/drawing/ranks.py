"""Ranks of a layered drawing: each edge goes down, and all edges together are as short as they can be (network simplex)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from chainrule.errors import GraphError


class Link(NamedTuple):
    """A demand: `head` stands at least `length` ranks below `tail`; each rank of distance costs `weight`."""

    tail: int
    head: int
    length: int = 1
    weight: int = 1


def downward(count: int, edges: Sequence[tuple[int, int]]) -> list[bool]:
    """For each edge whether it keeps its direction when rings are opened; a search from the first vertex on decides."""
    out: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for place, (tail, head) in enumerate(edges):
        out[tail].append((head, place))
    kept = [True] * len(edges)
    state = [0] * count  # 0 not seen, 1 on the path from the start, 2 done
    for start in range(count):
        stack = [(start, iter(out[start]))] if state[start] == 0 else []
        state[start] = max(state[start], 1)
        while stack:
            vertex, rest = stack[-1]
            head, place = next(rest, (-1, -1))
            if head < 0:
                state[vertex] = 2
                stack.pop()
            elif state[head] == 1:
                kept[place] = False
            elif state[head] == 0:
                state[head] = 1
                stack.append((head, iter(out[head])))
    return kept


def longest_path(count: int, links: Sequence[Link]) -> list[int] | None:
    """The least rank of each vertex that meets all demands; None if they go round in a ring."""
    out: list[list[Link]] = [[] for _ in range(count)]
    waiting = [0] * count
    for link in links:
        out[link.tail].append(link)
        waiting[link.head] += 1
    ready = [vertex for vertex in range(count) if not waiting[vertex]]
    rank = [0] * count
    for vertex in ready:  # it grows while it is walked through
        for link in out[vertex]:
            rank[link.head] = max(rank[link.head], rank[vertex] + link.length)
            waiting[link.head] -= 1
            if not waiting[link.head]:
                ready.append(link.head)
    return rank if len(ready) == count else None


def assign_ranks(count: int, links: Iterable[Link]) -> list[int]:
    """A rank for each vertex, such that Σ weight·(rank of head − rank of tail) is least; each connected part begins at 0.

    Raises: GraphError if the demands go round in a ring.
    Source: E. R. Gansner, E. Koutsofios, S. C. North, K.-P. Vo, A Technique for Drawing Directed Graphs, IEEE Transactions on
    Software Engineering 19, 214 (1993).

    >>> assign_ranks(4, [Link(0, 1), Link(1, 2), Link(0, 2), Link(3, 2)])
    [0, 1, 2, 1]
    """
    links = list(links)
    start = longest_path(count, links)
    if start is None:
        raise GraphError("a cycle of edges", expected="no cycle", remedy="reverse one of its edges with downward()")
    simplex = _Simplex(start, links)
    simplex.improve()
    return _from_zero(simplex.rank, links)


def _from_zero(rank: list[int], links: Sequence[Link]) -> list[int]:
    part = list(range(len(rank)))

    def find(vertex: int) -> int:
        while part[vertex] != vertex:
            part[vertex] = vertex = part[part[vertex]]
        return vertex

    for link in links:
        part[find(link.tail)] = find(link.head)
    least: dict[int, int] = {}
    for vertex, value in enumerate(rank):
        least[find(vertex)] = min(value, least.get(find(vertex), value))
    return [value - least[find(vertex)] for vertex, value in enumerate(rank)]


_NO_LINK = (1 << 60, -1)


class _Simplex:
    """Ranks, and a spanning tree of links that are as short as they may be; links of the tree are exchanged while that helps."""

    def __init__(self, rank: list[int], links: list[Link]) -> None:
        self.rank, self.links = rank, links
        self.touching: list[list[int]] = [[] for _ in rank]
        self.pull = [0] * len(rank)  # weight of what leaves minus weight of what arrives
        for place, link in enumerate(links):
            self._enlist(place, link)
        self.tree: list[set[int]] = [set() for _ in rank]
        self._grow_tree()

    def _enlist(self, place: int, link: Link) -> None:
        self.touching[link.tail].append(place)
        self.touching[link.head].append(place)
        self.pull[link.tail] += link.weight
        self.pull[link.head] -= link.weight

    def slack(self, place: int) -> int:
        link = self.links[place]
        return self.rank[link.head] - self.rank[link.tail] - link.length

    # ---- the first tree

    def _grow_tree(self) -> None:
        """From vertex 0, always by the link that needs the least shift of all that is in the tree already."""
        joined = [False] * len(self.rank)
        for vertex in range(len(self.rank)):
            if not joined[vertex]:
                if vertex:
                    self._bridge(vertex)
                self._grow_from(vertex, joined)

    def _bridge(self, vertex: int) -> None:
        """A link without weight between parts that nothing connects; it never moves anything."""
        link = Link(0, vertex, self.rank[vertex] - self.rank[0], 0)
        self.links.append(link)
        place = len(self.links) - 1
        self.tree[0].add(place)
        self.tree[vertex].add(place)

    def _grow_from(self, start: int, joined: list[bool]) -> None:
        shift, members = 0, [start]
        heaps: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])  # links that leave the tree, that arrive
        base = self.rank  # of members: their rank without the shift, which is added at the end

        def admit(vertex: int) -> None:
            joined[vertex] = True
            base[vertex] -= shift
            for place in self.touching[vertex]:
                link = self.links[place]
                arrives = link.head == vertex
                other = link.tail if arrives else link.head
                if not joined[other]:
                    key = base[link.head] - base[link.tail] - link.length
                    heappush(heaps[arrives], (key, place))

        admit(start)
        while True:
            leaving, arriving = (_first_open(heap, self.links, joined) for heap in heaps)
            if leaving is _NO_LINK and arriving is _NO_LINK:
                break
            if leaving[0] - shift <= arriving[0] + shift:
                shift, place = leaving
                other = self.links[place].head
            else:
                shift, place = -arriving[0], arriving[1]
                other = self.links[place].tail
            for end in (self.links[place].tail, self.links[place].head):
                self.tree[end].add(place)
            admit(other)
            members.append(other)
        for vertex in members:
            base[vertex] += shift

    # ---- exchanges

    def improve(self) -> None:
        """Exchanges until no link of the tree pulls the wrong way; the number is bounded in case that exchanges go in a circle."""
        for _ in range(20 * len(self.rank) + 100):
            if not self._exchange():
                return

    def _exchange(self) -> bool:
        order, parent, size = self._walk()
        total = self.pull.copy()
        worst, leaving_at = 0, -1
        for vertex in order:  # children before parents
            place = parent[vertex]
            if place >= 0:
                link = self.links[place]
                cut = total[vertex] if link.tail == vertex else -total[vertex]
                if cut < worst:
                    worst, leaving_at = cut, vertex
                total[link.head if link.tail == vertex else link.tail] += total[vertex]
        if leaving_at < 0:
            return False
        index = order.index(leaving_at)
        below = set(order[index - size[leaving_at] + 1 : index + 1])
        self._swap(parent[leaving_at], leaving_at, below)
        return True

    def _walk(self) -> tuple[list[int], list[int], list[int]]:
        """The tree from vertex 0: children before parents, each one's link to its parent (-1: none), sizes of the subtrees."""
        parent, size = [-1] * len(self.rank), [1] * len(self.rank)
        order: list[int] = []
        stack = [(0, -1)] if self.rank else []
        while stack:
            vertex, above = stack.pop()
            order.append(vertex)
            parent[vertex] = above
            for place in self.tree[vertex]:
                if place != above:
                    link = self.links[place]
                    stack.append((link.head if link.tail == vertex else link.tail, place))
        order.reverse()
        for vertex in order:
            if parent[vertex] >= 0:
                link = self.links[parent[vertex]]
                size[link.head if link.tail == vertex else link.tail] += size[vertex]
        return order, parent, size

    def _swap(self, leaving: int, vertex: int, below: set[int]) -> None:
        """The tightest link that goes the other way across the cut takes the place of the leaving one."""
        tail_below = self.links[leaving].tail == vertex
        entering, least = -1, 0
        for member in below:
            for place in self.touching[member]:
                link = self.links[place]
                inner, outer = (link.head, link.tail) if tail_below else (link.tail, link.head)
                if inner == member and outer not in below:
                    slack = self.slack(place)
                    if entering < 0 or (slack, place) < (least, entering):
                        entering, least = place, slack
        shift = -least if tail_below else least
        for member in below:
            self.rank[member] += shift
        for place, change in ((leaving, set[int].discard), (entering, set[int].add)):
            change(self.tree[self.links[place].tail], place)
            change(self.tree[self.links[place].head], place)


def _first_open(heap: list[tuple[int, int]], links: Sequence[Link], joined: Sequence[bool]) -> tuple[int, int]:
    """The first link of a heap that still has one end outside the tree."""
    while heap and joined[links[heap[0][1]].tail] and joined[links[heap[0][1]].head]:
        heappop(heap)
    return heap[0] if heap else _NO_LINK
