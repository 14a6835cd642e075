"""Finds where a NaN or an infinity came from: the first node that made one, and the example; and says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from chainrule.engines import ExecutionPlan
from chainrule.errors import NonFiniteError, NonFinitePlace
from chainrule.graph import Array, Graph, Node
from chainrule.immutable import immutable
from chainrule.ops import where


def first_nonfinite(graph: Graph, values: Mapping[str, Array]) -> tuple[Node, Array] | None:
    """The first node in topological order that made a number that is not finite, of those that reach an output of the graph.

    Its value is given with 0 in the place of what reaches none: a choice may have thrown it away.
    """
    plan = ExecutionPlan(graph, values)
    with np.errstate(all="ignore"):
        plan.run()
    wild = {node: ~np.isfinite(value) for node, value in plan.values.items() if value.dtype.kind == "f"}
    reaching = {node: wild[node] for node in graph.outputs.values() if node in wild and np.any(wild[node])}
    found: tuple[Node, Array] | None = None
    for node in reversed(graph.nodes):
        if node not in reaching:
            continue
        sources = [(source, wild[source] & part) for source, part in _read(node, reaching[node], plan.values) if source in wild]
        sources = [(source, part) for source, part in sources if np.any(part)]
        for source, part in sources:
            reaching[source] = reaching[source] | part if source in reaching else part
        if not sources:
            found = node, np.where(reaching[node], plan.values[node], 0)
    return found


def _read(node: Node, entries: Array, values: Mapping[Node, Array]) -> Iterator[tuple[Node, Array]]:
    """The inputs of a node, each with which of its entries these entries of the node are computed from, at most."""
    if node.op is where:
        condition = values[node.inputs[0]]
        yield node.inputs[1], entries & condition
        yield node.inputs[2], entries & ~condition
    else:
        for source in node.inputs:
            yield source, entries if node.op.kind == "elementwise" else np.ones(source.shape, bool)


@immutable
class Moment:
    """A step of one replica: what an error says of when something happened."""

    step: int
    batch: int
    epoch: int
    replica: int
    seed: int
    rate: float


def error_of_step(graph: Graph, values: Mapping[str, Array], rows: Array, moment: Moment, saved: str) -> NonFiniteError | None:
    """The error that says what made the first number that is not finite, and of which of these rows; None if all are finite."""
    found = first_nonfinite(graph, values)
    if found is None:
        return None
    node, value = found
    row = row_of(value, len(rows))
    example = f", example {rows[row]} of the training part (row {row} of the batch)" if row is not None else ""
    wrong = value[~np.isfinite(value)].flat[0]
    label = node.name or node.op.name
    error = NonFiniteError(
        f"{wrong} in {label} ({node.type!r}, layer {node.scope or 'none'}) at step {moment.step} (batch {moment.batch + 1} of "
        f"epoch {moment.epoch + 1}), replica {moment.replica} (seed {moment.seed}){example}{saved}",
        expected="finite numbers",
        remedy=f"lower the learning rate (it was {moment.rate:g}), clip the gradient (clip=ClipNorm(1.0)), or scale the inputs",
    )
    place = None if row is None else int(rows[row])
    error.place = NonFinitePlace(label, moment.step, moment.batch, moment.epoch, moment.replica, place)
    return error


def row_of(value: Array, batch: int) -> int | None:
    """The row of the batch that the first number that is not finite stands in; None where the value has no row for each example."""
    if value.ndim == 0 or value.shape[0] != batch:
        return None
    return int(np.argwhere(~np.isfinite(value))[0][0])
