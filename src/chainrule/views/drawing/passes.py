"""Forward and backward side by side: on the left the graph, on the right its gradient, read upwards, each adjoint facing its node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from chainrule.derivatives import grad
from chainrule.errors import GraphError, OptionError
from chainrule.graph import Array, Graph, Node, topological_order
from chainrule.graph.graph import descendants
from chainrule.immutable import immutable
from chainrule.spelling import suggest
from chainrule.views.drawing.across import columns_apart, mirrored, stored_routes
from chainrule.views.drawing.folding import Arrow, Folded, fold
from chainrule.views.drawing.graph_drawing import Drawing
from chainrule.views.drawing.layered import Layout, layered, without_gaps
from chainrule.views.drawing.layers import Frames
from chainrule.views.drawing.lettering import lines
from chainrule.views.drawing.marks import box_size
from chainrule.views.drawing.ranks import Link, assign_ranks
from chainrule.views.drawing.stacking import demands

FACING_WEIGHT = 16
"""What a rank between a node and its adjoint costs, beside a rank of an edge."""
COLUMNS = ("forward pass ↓", "backward pass ↑")
"""The frames of the two columns; no scope can be called so."""
GRADIENT = "grad"
"""The scope of all that a derivative adds; in the right column its frame would only repeat the column's."""
READING = (
    "Read the left column downwards and the right one upwards: each adjoint stands beside the quantity that it belongs to, as far as "
    "it can, and dotted lines bring what the backward pass needs of the forward pass."
)


@immutable
class _Passes:
    """The cost, what it is differentiated by, and for each node of the forward pass the node that is its adjoint."""

    cost: Node
    gradients: Mapping[str, Node]
    forward: tuple[Node, ...]
    adjoints: Mapping[Node, Node]


def draw_passes(
    graph: Graph,
    cost_name: str,
    wrt: Sequence[str] | None = None,
    *,
    values: Mapping[Node, Array] | None = None,
    constants: str = "inside",
) -> Drawing:
    """Draws the computation of the output `cost_name` and of its derivative by the leaves `wrt` (all parameters if None).

    What is drawn on the right is what `grad(cost, wrt)` gives, node by node; numbers go on from the forward pass. `values` and
    `constants` as in `draw_graph`.

    >>> from chainrule.graph import input_node
    >>> a = input_node("a")
    >>> drawn = draw_passes(Graph({"C": a * a}), "C", ["a"])
    >>> [box.node.op.name for box in drawn.folded.boxes], len(drawn.stored)
    (['input', 'multiply', 'constant', 'multiply', 'multiply', 'add'], 2)

    Raises: OptionError for an output or a leaf that the graph does not have, ShapeError if the cost is not a scalar, GraphError
    if the cost depends on none of the leaves.
    """
    passes = _passes(graph, cost_name, wrt)
    # Names of outputs may hold letters, digits, dots and strokes only: the signs follow in _columns.
    names = {f"gradient/{name}": f"∂{cost_name}/∂{name}" for name in passes.gradients}
    both = Graph({cost_name: passes.cost, **dict(zip(names, passes.gradients.values(), strict=True))})
    ahead = set(passes.forward)
    folded = _columns(fold(both, "all", constants=constants, always=passes.adjoints.values()), ahead, names)
    stored = [arrow for arrow in folded.arrows if _is_stored(arrow, folded, ahead)]
    folded = replace(folded, arrows=tuple(arrow for arrow in folded.arrows if arrow not in stored))
    layout, routes = _laid_out(folded, stored, ahead, passes.adjoints, values)
    order = (*passes.forward, *(node for node in both.nodes if node not in ahead))
    return Drawing(
        title=f"Forward and backward pass of {cost_name}",
        reading=READING,
        folded=folded,
        layout=layout,
        numbers={node: place + 1 for place, node in enumerate(order)},
        values=values,
        stored=tuple(zip(stored, routes, strict=True)),
        adjoints=passes.adjoints,
    )


def _laid_out(
    folded: Folded,
    stored: Sequence[Arrow],
    ahead: set[Node],
    adjoints: Mapping[Node, Node],
    values: Mapping[Node, Array] | None,
) -> tuple[Layout, list[Array]]:
    """Both columns side by side, and the routes of what is stored."""
    sizes = [box_size(box, lines(box, values)) for box in folded.boxes]
    edges, across = ([(arrow.tail, arrow.head) for arrow in arrows] for arrows in (folded.arrows, stored))
    frames = Frames(folded.inside, folded.parents)
    layout = layered(sizes, edges, frames, ranks=_facing_ranks(folded, ahead, adjoints))
    if layout.boxes[0, 0] > layout.boxes[1, 0]:
        layout = mirrored(layout)
    is_right = np.array([box.node not in ahead for box in folded.boxes], dtype=bool)
    layout, tracks = columns_apart(layout, is_right, edges, across, frames)
    return layout, stored_routes(layout, sizes, is_right, across, tracks)


def _passes(graph: Graph, cost_name: str, wrt: Sequence[str] | None) -> _Passes:
    if cost_name not in graph.outputs:
        raise OptionError(
            f"cost {cost_name!r}",
            expected=f"an output: {', '.join(graph.outputs) or 'none'}",
            remedy=suggest(cost_name, graph.outputs),
        )
    names = [node.name for node in graph.parameters] if wrt is None else list(wrt)
    unknown = [name for name in names if name not in graph.leaves]
    if unknown:
        raise OptionError(
            f"leaf {unknown[0]!r}", expected=f"some of {', '.join(graph.leaves)}", remedy=suggest(unknown[0], graph.leaves)
        )
    cost = graph.outputs[cost_name]
    forward = topological_order([cost])
    leaves = [graph.leaves[name] for name in names]
    reached = descendants(forward, leaves)
    between = [node for node in forward if node in reached and node.inputs]
    # Asking for what lies between as well adds no node: the adjoints of the leaves are computed from these.
    found = grad(cost, [*leaves, *between])
    gradients = {name: g for name, g in zip(names, found, strict=False) if g is not None}
    if not gradients:
        raise GraphError(
            f"{cost_name} depends on none of {', '.join(names) or 'no leaves'}",
            expected="a leaf that the cost depends on",
            remedy="name one: draw_passes(graph, cost, ['x'])",
        )
    adjoints = {x: g for x, g in zip([*leaves, *between], found, strict=True) if g is not None}
    return _Passes(cost, gradients, forward, adjoints)


def _columns(folded: Folded, ahead: set[Node], names: Mapping[str, str]) -> Folded:
    """The boxes in two outer frames, those of scopes inside them; outputs under the names that are shown."""
    paths = Frames(folded.inside, folded.parents)
    keys: dict[tuple[int, str], int] = {(0, ""): 0, (1, ""): 1}  # a scope may have nodes in both columns: a frame in each
    parents = [-1, -1]
    inside: list[int] = []
    for box, frame in zip(folded.boxes, folded.inside, strict=True):
        column = int(box.node not in ahead)
        around = column
        for scope in (folded.frames[part] for part in paths.path(frame)):
            if (column, scope) != (1, GRADIENT):
                if (column, scope) not in keys:
                    keys[column, scope] = len(parents)
                    parents.append(around)
                around = keys[column, scope]
        inside.append(around)
    boxes = tuple(replace(box, outputs=tuple(names.get(name, name) for name in box.outputs)) for box in folded.boxes)
    frames = (*COLUMNS, *(scope for _, scope in list(keys)[2:]))
    return Folded(boxes, folded.arrows, tuple(inside), frames, tuple(parents))


def _is_stored(arrow: Arrow, folded: Folded, ahead: set[Node]) -> bool:
    return folded.boxes[arrow.tail].node in ahead and folded.boxes[arrow.head].node not in ahead


def _facing_ranks(folded: Folded, ahead: set[Node], adjoints: Mapping[Node, Node]) -> list[int]:
    """Ranks of both columns at once: forward arrows go down, backward ones up, adjoints stand beside their nodes."""
    home = {box.node: place for place, box in enumerate(folded.boxes)}
    edges = [
        (arrow.tail, arrow.head) if folded.boxes[arrow.tail].node in ahead else (arrow.head, arrow.tail)
        for arrow in folded.arrows
    ]
    count, links = demands(len(folded.boxes), edges, Frames(folded.inside, folded.parents))
    for node, adjoint in adjoints.items():
        if adjoint in home and node in home and adjoint not in ahead:
            # The distance of two without a demand: both stand below a third, which follows the higher one.
            links += [Link(count, home[node], 0, FACING_WEIGHT), Link(count, home[adjoint], 0, FACING_WEIGHT)]
            count += 1
    return without_gaps(assign_ranks(count, links)[: len(folded.boxes)])
