"""The drawing of a graph: the nodes that run, in layers, numbered in topological order; scopes fold into boxes and unfold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field

import numpy as np

from chainrule import display
from chainrule.graph import Array, Graph, Node
from chainrule.immutable import immutable
from chainrule.views.drawing.folding import Arrow, Folded, Kind, fold, scopes
from chainrule.views.drawing.layered import Layout, layered
from chainrule.views.drawing.layers import Frames
from chainrule.views.drawing.lettering import description, lines
from chainrule.views.drawing.marks import arrow_mark, box_mark, box_size, frame_mark, frame_name, group, heading, legend
from chainrule.views.plain import counted, spaced
from chainrule.views.saved import Savable
from chainrule.views.svg import drawing, text

MARGIN = 16.0
LEAST_WIDTH = 420.0
EASY = 60
"""How many boxes a notebook shows at once; a larger graph stays folded there."""
MOST = 400
"""More boxes than this are not drawn unasked."""


@immutable
class Drawing(Savable):
    """A drawn graph: what is drawn, where it stands, and the SVG of it. A notebook shows it.

    `folded`: boxes and arrows; `layout`: their places; `numbers`: each node's number, which its box in the SVG has as data-box;
    `stored`: arrows that are drawn faintly, with their routes; `adjoints`: in a drawing of both passes the node of each derivative.
    """

    title: str
    reading: str
    folded: Folded
    layout: Layout
    numbers: Mapping[Node, int]
    values: Mapping[Node, Array] | None = None
    stored: tuple[tuple[Arrow, Array], ...] = ()
    adjoints: Mapping[Node, Node] = field(default_factory=dict[Node, Node])

    def arrays(self) -> dict[str, Array]:
        """The numbers of the drawing.

        centres (boxes, 2) and rank (boxes,) of the boxes, edges (arrows, 2) from box to box, frames (frames, 4): left, top, right,
        bottom; node (nodes, 2): each node's number and its box.
        """
        homes = [(self.numbers[node], index) for index, box in enumerate(self.folded.boxes) for node in box.nodes]
        edges = [(arrow.tail, arrow.head) for arrow in self.folded.arrows]
        return {
            "centres": self.layout.centres,
            "rank": self.layout.rank,
            "edges": np.array(edges, dtype=np.int64).reshape(len(edges), 2),
            "frames": self.layout.boxes,
            "node": np.array(sorted(homes), dtype=np.int64).reshape(len(homes), 2),
        }

    def svg(self) -> str:
        """The drawing as SVG text: names in it are text, whatever they hold, and nothing in it runs."""
        width = max(self.layout.width, LEAST_WIDTH)
        top, above = heading(self.title, self.reading, width)
        body = group("".join(self._parts()), (width - self.layout.width) / 2, above + 8)
        foot, below = legend(self._kinds(), above + 8 + self.layout.height + 14, width, self._notes())
        height = above + 8 + self.layout.height + 14 + below
        return drawing(width + 2 * MARGIN, height + 2 * MARGIN, [group(top + body + foot, MARGIN, MARGIN)], name=self.title)

    def _parts(self) -> list[str]:
        folded, layout = self.folded, self.layout
        names = folded.frames
        frames = [[float(side) for side in box] for box in layout.boxes]
        parts: list[str] = []
        for index, (name, box) in enumerate(zip(names, frames, strict=True)):
            parts.append(frame_mark(box, f"{name}: {counted(self._held(index), 'node')}"))
        parts += [self._arrow(arrow, points, faint=True) for arrow, points in self.stored]
        parts += [self._arrow(arrow, points) for arrow, points in zip(folded.arrows, layout.routes, strict=True)]
        parts += [self._box(place) for place in range(len(folded.boxes))]
        parts += [frame_name(box, name) for name, box in zip(names, frames, strict=True)]
        return parts

    def _box(self, place: int) -> str:
        box = self.folded.boxes[place]
        written = lines(box, self.values)
        centre = [float(part) for part in self.layout.centres[place]]
        single = box.kind != "folded"
        return box_mark(
            box,
            centre,
            box_size(box, written),
            written,
            badge=str(self.numbers[box.node]) if single else "",
            words=description(box, self.numbers),
            place=" ".join(str(self.numbers[node]) for node in box.nodes) if single else f"folded {place}",
        )

    def _held(self, frame: int) -> int:
        """How many nodes stand in a frame."""
        around = Frames(self.folded.inside, self.folded.parents)
        pairs = zip(self.folded.boxes, self.folded.inside, strict=True)
        return sum(len(box.nodes) for box, inside in pairs if frame in around.path(inside))

    def _arrow(self, arrow: Arrow, points: Array, *, faint: bool = False) -> str:
        told = ", ".join(self._use(node, slot) for node, slot in arrow.uses[:12])
        more = f", … {len(arrow.uses)} uses" if len(arrow.uses) > 12 else ""
        ends = [f"{self.numbers[node.inputs[slot]]} {self.numbers[node]} {slot}" for node, slot in arrow.uses]
        return arrow_mark(points, told + more, uses=len(arrow.uses), faint=faint, place=", ".join(ends))

    def _use(self, node: Node, slot: int) -> str:
        source = node.inputs[slot]
        ends = [f"{self.numbers[end]} {end.name or end.op.name}" for end in (source, node)]
        return f"{ends[0]} → {ends[1]}" + (f" (input {slot + 1} of {len(node.inputs)})" if len(node.inputs) > 1 else "")

    def _kinds(self) -> list[Kind]:
        present = {box.kind for box in self.folded.boxes}
        order: tuple[Kind, ...] = ("input", "parameter", "constant", "op", "folded")
        return [kind for kind in order if kind in present]

    def _notes(self) -> list[str]:
        notes = ["number: place in the topological order", "green border: leaves the graph (→ name)"]
        if self.folded.frames:
            notes.append("dashed frame: an open scope")
        if self.stored:
            notes.append("dotted: a value that the forward pass stores for the backward pass")
        return notes


def draw_graph(
    graph: Graph,
    *,
    unfold: str | Collection[str] = (),
    numbers: Mapping[Node, int] | None = None,
    values: Mapping[Node, Array] | None = None,
    direction: str = "down",
    constants: str = "drawn",
) -> Drawing:
    """Draws the graph: what runs, and nothing else.

    Scopes (a layer, the loss, a part of the gradient) stand folded into one box each; `unfold=("dense1",)` opens some of them,
    `unfold="all"` every one. Nodes are numbered 1, 2, ... in topological order, or by `numbers`. `values`: arrays to be
    written on nodes. `direction`: "down" or "right". `constants`: "drawn", each as a small box, or "inside", written in
    the ops that they feed. An edge that is used twice is drawn twice.

    >>> from chainrule.graph import input_node
    >>> a = input_node("a")
    >>> b = a + a
    >>> drawn = draw_graph(Graph({"c": b + b}))
    >>> drawn.arrays()["edges"].tolist()
    [[0, 1], [0, 1], [1, 2], [1, 2]]

    Raises: OptionError for a scope that the graph does not have, or another direction.
    """
    folded = fold(graph, unfold, constants=constants)
    sizes = [box_size(box, lines(box, values)) for box in folded.boxes]
    edges = [(arrow.tail, arrow.head) for arrow in folded.arrows]
    layout = layered(sizes, edges, Frames(folded.inside, folded.parents), direction=direction)
    shown = f"Graph of {counted(len(graph.nodes), 'node')}"
    return Drawing(
        title=f"{shown}, {spaced(len(folded.boxes))} boxes" if len(folded.boxes) < len(graph.nodes) else shown,
        reading=_reading(direction, folded),
        folded=folded,
        layout=layout,
        numbers=dict(numbers) if numbers is not None else {node: place + 1 for place, node in enumerate(graph.nodes)},
        values=values,
    )


def _reading(direction: str, folded: Folded) -> str:
    where = "top to bottom" if direction == "down" else "left to right"
    words = f"Read from {where}: each box is computed directly from those whose arrows arrive at it"
    return (
        f"{words}; a stack of cards is a scope that is folded."
        if any(b.kind == "folded" for b in folded.boxes)
        else f"{words}."
    )


def open_enough(graph: Graph, most: int = EASY) -> Collection[str]:
    """The scopes to open so that about as much is seen as the eye takes in: whole levels, from the outermost."""
    opened: list[str] = []
    levels = sorted({scope.count("/") for scope in scopes(graph.nodes)})
    for level in levels:
        wider = [*opened, *(scope for scope in scopes(graph.nodes) if scope.count("/") == level)]
        if len(fold(graph, wider, constants="drawn").boxes) > most:
            break
        opened = wider
    return opened


@display.svg.register
def _(graph: Graph) -> str:
    opened = open_enough(graph)
    boxes = len(fold(graph, opened, constants="drawn").boxes)
    if boxes > MOST:
        words = (
            f"A graph of {counted(len(graph.nodes), 'node')}, {spaced(boxes)} boxes when folded: draw_graph(graph) draws it."
        )
        return drawing(640, 40, [text(12, 25, words, font_size=13)], name="A large graph")
    return draw_graph(graph, unfold=opened).svg()
