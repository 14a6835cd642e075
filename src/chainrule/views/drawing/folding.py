"""Folding: which nodes of a graph are drawn one by one, and which stand together in a box with the name of their scope."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from chainrule.errors import OptionError
from chainrule.graph import CONSTANT, INPUT, PARAMETER, Graph, Node
from chainrule.immutable import immutable
from chainrule.spelling import suggest

Kind: TypeAlias = Literal["input", "parameter", "constant", "op", "folded"]
KINDS: Mapping[object, Kind] = {INPUT: "input", PARAMETER: "parameter", CONSTANT: "constant"}


@immutable(eq=False)
class Box:
    """What is drawn as one thing: a node, with the constants that are written in it, or all nodes of a folded scope.

    `scope` is the name of the folded scope; `outputs` are the names under which nodes of it leave the graph.
    """

    kind: Kind
    nodes: tuple[Node, ...]
    scope: str = ""
    outputs: tuple[str, ...] = ()

    @property
    def node(self) -> Node:
        """The node that it shows; of a folded scope its last."""
        return self.nodes[-1]


@immutable
class Arrow:
    """A line from box to box (their numbers), and what it stands for: pairs (node, which of whose inputs) of its head."""

    tail: int
    head: int
    uses: tuple[tuple[Node, int], ...]


@immutable
class Folded:
    """Boxes in topological order of their last nodes, arrows, and the frames of scopes that are open: each box's innermost, or -1.

    `frames` are the scopes' names, `parents` the frame around each frame (-1: none).
    """

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    inside: tuple[int, ...]
    frames: tuple[str, ...]
    parents: tuple[int, ...]


def scopes(nodes: Iterable[Node]) -> list[str]:
    """Every scope of the nodes and every scope around one of them, in the order in which they occur."""
    found: dict[str, None] = {}
    for node in nodes:
        found.update(dict.fromkeys(_path(node.scope)))
    return list(found)


def fold(graph: Graph, unfold: str | Collection[str], *, constants: str, always: Collection[Node] = ()) -> Folded:
    """The boxes of a graph: scopes stay folded but those in `unfold` (and those around them); "all" opens every one.

    `constants` "drawn" makes each a box; "inside" writes a constant, however it is broadcast, into the ops that it feeds,
    unless it is one of those that are `always` drawn.

    Raises: OptionError for a scope that the graph does not have.
    """
    opened = _opened(scopes(graph.nodes), unfold)
    hidden = _hidden(graph, constants) - set(always)
    together = _together(graph.nodes, opened, hidden)
    outputs: dict[Node, list[str]] = {}
    for name, node in graph.outputs.items():
        outputs.setdefault(node, []).append(name)
    boxes: list[Box] = []
    for scope, nodes in together:
        names = tuple(name for node in nodes for name in outputs.get(node, ()))
        if len(nodes) == 1:
            written = tuple(_written(nodes[0], hidden))
            boxes.append(Box(KINDS.get(nodes[0].op, "op"), (*written, nodes[0]), "", names))
        else:
            boxes.append(Box("folded", (*_swallowed(nodes, hidden), *nodes), scope, names))
    around = [[scope for scope in _path(box.node.scope) if scope in opened and scope != box.scope] for box in boxes]
    frames = [scope for scope in opened if any(scope in path for path in around)]
    number = {scope: index for index, scope in enumerate(frames)}
    inside = tuple(number[path[-1]] if path else -1 for path in around)
    parents = tuple(number.get(scope.rpartition("/")[0], -1) for scope in frames)
    return Folded(tuple(boxes), tuple(_arrows(boxes, hidden)), inside, tuple(frames), parents)


def _path(scope: str) -> list[str]:
    """The scopes from the outermost to this one: "grad/dense1" gives "grad" and "grad/dense1"."""
    parts = scope.split("/") if scope else []
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _opened(known: Sequence[str], unfold: str | Collection[str]) -> list[str]:
    if unfold == "all":
        return list(known)
    wanted = [unfold] if isinstance(unfold, str) else list(unfold)
    unknown = [scope for scope in wanted if scope not in known]
    if unknown:
        raise OptionError(
            f"unfold={unknown[0]!r}",
            expected=f'"all" or some of: {", ".join(known) or "none, the graph has no scopes"}',
            remedy="name scopes that the graph has",
        )
    around = {part for scope in wanted for part in _path(scope)}
    return [scope for scope in known if scope in around]


def _hidden(graph: Graph, constants: str) -> set[Node]:
    """Constants, and broadcasts of constants, that are written where they are used; an output is always drawn."""
    if constants not in {"drawn", "inside"}:
        raise OptionError(
            f"constants={constants!r}", expected='"drawn" or "inside"', remedy=suggest(constants, ("drawn", "inside"))
        )
    kept = set(graph.outputs.values())
    hidden: set[Node] = set()
    if constants == "inside":
        for node in graph.nodes:
            is_constant = node.op is CONSTANT or (node.op.name == "broadcast_to" and node.inputs[0] in hidden)
            if is_constant and node not in kept and graph.users[node]:
                hidden.add(node)
    return hidden


def _together(nodes: Sequence[Node], opened: Collection[str], hidden: set[Node]) -> list[tuple[str, list[Node]]]:
    """Nodes that share a box, with the folded scope's name; in the order of their last nodes, so that inputs come first.

    A scope that something else stands between, computed from one part of it and needed by another, has a box to each part: arrows
    between boxes never go round in a ring.
    """
    groups: list[tuple[str, list[Node]]] = []
    home: dict[Node, int] = {}
    newest: dict[str, int] = {}
    sources: list[set[int]] = []
    for node in nodes:
        if node in hidden:
            continue
        folded = next((scope for scope in _path(node.scope) if scope not in opened), "")
        feeding = {home[source] for source in node.inputs if source in home}
        place = newest.get(folded, -1) if folded else -1
        if place < 0 or _reached(feeding - {place}, sources, place):
            place = len(groups)
            groups.append((folded, []))
            sources.append(set())
            newest[folded] = place
        groups[place][1].append(node)
        sources[place] |= feeding - {place}
        home[node] = place
    order = {node: index for index, node in enumerate(nodes)}
    return sorted(_numbered(groups), key=lambda group: order[group[1][-1]])


def _reached(starts: set[int], sources: Sequence[set[int]], wanted: int) -> bool:
    """Whether one of the boxes is computed from the wanted one."""
    seen, stack = set(starts), list(starts)
    while stack:
        box = stack.pop()
        if box == wanted:
            return True
        new = sources[box] - seen
        seen |= new
        stack.extend(new)
    return False


def _numbered(groups: Sequence[tuple[str, list[Node]]]) -> list[tuple[str, list[Node]]]:
    """The parts of a scope that has several, by their numbers."""
    count = Counter(scope for scope, _ in groups)
    met: Counter[str] = Counter()
    found: list[tuple[str, list[Node]]] = []
    for scope, nodes in groups:
        met[scope] += 1
        found.append((f"{scope} (part {met[scope]} of {count[scope]})" if scope and count[scope] > 1 else scope, nodes))
    return found


def _written(node: Node, hidden: set[Node]) -> list[Node]:
    """The hidden nodes that a node is computed from, each after its inputs."""
    found: dict[Node, None] = {}
    stack = [source for source in reversed(node.inputs) if source in hidden]
    while stack:
        source = stack.pop()
        if source not in found:
            found[source] = None
            stack.extend(source.inputs)
    return list(found)[::-1]


def _swallowed(nodes: Sequence[Node], hidden: set[Node]) -> list[Node]:
    return list(dict.fromkeys(source for node in nodes for source in _written(node, hidden)))


def _arrows(boxes: Sequence[Box], hidden: set[Node]) -> Iterable[Arrow]:
    """Between two nodes a line for each use; from or to a folded scope one line for all."""
    home = {node: index for index, box in enumerate(boxes) for node in box.nodes if node not in hidden}
    merged: dict[tuple[int, int], list[tuple[Node, int]]] = {}
    for head, box in enumerate(boxes):
        for node in box.nodes:
            if node in hidden:
                continue
            for slot, source in enumerate(node.inputs):
                tail = home.get(source, head)
                if tail == head:
                    continue
                if "folded" in {box.kind, boxes[tail].kind}:
                    merged.setdefault((tail, head), []).append((node, slot))
                else:
                    yield Arrow(tail, head, ((node, slot),))
    for (tail, head), uses in merged.items():
        yield Arrow(tail, head, tuple(uses))
