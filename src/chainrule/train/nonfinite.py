"""Finds where a NaN or an infinity came from: the first node that made one, and the example; and says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from chainrule.engines import ExecutionPlan
from chainrule.errors import NonFiniteError, NonFinitePlace
from chainrule.graph import Array, Graph, Node
from chainrule.immutable import immutable
from chainrule.ops import divide, log, sqrt, where


@immutable(eq=False)
class Found:
    """The node that made the first number that is not finite, its value, and `remedy`, where it is undefined for what it was given.

    The value has 0 in the place of what reaches no output: a choice may have thrown it away.
    """

    node: Node
    value: Array
    remedy: str = ""

    @property
    def words(self) -> str:
        """What was made where."""
        wrong = self.value[~np.isfinite(self.value)].flat[0]
        return f"{wrong} in {self.node.name or self.node.op.name} ({self.node.type!r}"


def first_nonfinite(graph: Graph, values: Mapping[str, Array]) -> Found | None:
    """The first node in topological order that made a number that is not finite, of those that reach an output of the graph."""
    plan = ExecutionPlan(graph, values)
    with np.errstate(all="ignore"):
        plan.run()
    wild = {node: ~np.isfinite(value) for node, value in plan.values.items() if value.dtype.kind == "f"}
    reaching = {node: wild[node] for node in graph.outputs.values() if node in wild and np.any(wild[node])}
    found: Found | None = None
    for node in reversed(graph.nodes):
        if node not in reaching:
            continue
        sources = [(source, wild[source] & part) for source, part in _read(node, reaching[node], plan.values) if source in wild]
        sources = [(source, part) for source, part in sources if np.any(part)]
        for source, part in sources:
            reaching[source] = reaching[source] | part if source in reaching else part
        if not sources:
            value = np.where(reaching[node], plan.values[node], 0)
            found = Found(node, value, _undefined(node, ~np.isfinite(value), plan.values))
    return found


def _undefined(node: Node, wild: Array, values: Mapping[Node, Array]) -> str:
    """What to do where a function has no value for what it was given, "" where its result is too large."""
    if node.op is divide:
        below = np.broadcast_to(values[node.inputs[1]], wild.shape)[wild]
        return "keep what is divided by away from 0: add a small number to it" if (below == 0).any() else ""
    if node.op not in {log, sqrt}:
        return ""
    given = values[node.inputs[0]][wild]
    outside = given[given <= 0 if node.op is log else given < 0]
    if not outside.size:
        return ""
    least = "above 0" if node.op is log else "at 0 or above"
    ends = 'end the network with "exp" or "softplus"' if node.op is log else 'end the network with "relu" or "softplus"'
    return f"keep what goes into {node.op.name} {least}, it was {outside[0]:g}: where that is an output, {ends}"


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
    node = found.node
    row = row_of(found.value, len(rows))
    example = f", example {rows[row]} of the training part (row {row} of the batch)" if row is not None else ""
    label = node.name or node.op.name
    slower = f"lower the learning rate (it was {moment.rate:g})"
    error = NonFiniteError(
        f"{found.words}, layer {node.scope or 'none'}) at step {moment.step} (batch {moment.batch + 1} of "
        f"epoch {moment.epoch + 1}), replica {moment.replica} (seed {moment.seed}){example}{saved}",
        expected="finite numbers",
        remedy=found.remedy + f"; or {slower}, if training led there" * (moment.step > 0)
        if found.remedy
        else f"{slower}, clip the gradient (clip=ClipNorm(1.0)), or scale the inputs",
    )
    place = None if row is None else int(rows[row])
    error.place = NonFinitePlace(label, moment.step, moment.batch, moment.epoch, moment.replica, place)
    return error


def row_of(value: Array, batch: int) -> int | None:
    """The row of the batch that the first number that is not finite stands in; None where the value has no row for each example."""
    if value.ndim == 0 or value.shape[0] != batch:
        return None
    return int(np.argwhere(~np.isfinite(value))[0][0])
