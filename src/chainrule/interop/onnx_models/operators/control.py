"""Graphs inside a model: branches and loops; sequences of values; what optimizers do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from chainrule import ops
from chainrule.graph import Body, Graph, Node, constant, input_node, topological_order
from chainrule.graph.node import normal_axis
from chainrule.interop.any_batch import cleaned
from chainrule.interop.onnx_models.call import Call, operator
from chainrule.interop.onnx_models.operators.reductions import dropped
from chainrule.interop.onnx_models.operators.shapes import pieces
from chainrule.interop.onnx_models.package import GraphProto
from chainrule.ops import scan

MOST_TURNS = 4096
"""How many turns of a loop are written out, one behind the other."""


@operator("If")
def branch(call: Call, condition: Node, *, then_branch: GraphProto, else_branch: GraphProto) -> Any:
    """The outputs of one of two graphs; where the condition is data both are computed, and chosen from."""
    if call.source.is_known(condition):
        chosen = then_branch if call.number(condition, "the condition") else else_branch
        return tuple(call.source.turn(chosen, {}))
    found: list[Node] = []
    for one, other in zip(call.source.turn(then_branch, {}), call.source.turn(else_branch, {}), strict=True):
        if not isinstance(one, Node) or not isinstance(other, Node) or one.type != other.type:
            raise call.unsupported("branches with results of different shapes, chosen by data")
        found.append(ops.where(condition, one, other))
    return tuple(found)


@operator("Loop")
def loop(call: Call, most: Any = None, go_on: Any = None, *states: Any, body: GraphProto) -> Any:
    """A loop, written out turn by turn: as many as are known, and while a known condition holds."""
    turns = int(call.number(most, "the number of turns")) if most is not None else MOST_TURNS + 1
    carried, rows = list(states), list[list[Any]]()
    names = [item.name for item in body.input]
    goes_on = go_on is None or bool(call.number(go_on, "the condition"))
    turn = 0
    while goes_on and turn < turns:
        if turn >= MOST_TURNS:
            raise call.unsupported(f"a loop of more than {MOST_TURNS} turns")
        given = dict(zip(names, [constant(turn, "int64"), constant(True), *carried], strict=True))
        condition, *after = call.source.turn(body, given)
        carried, taken = after[: len(states)], after[len(states) :]
        rows.append(taken)
        turn += 1
        if not isinstance(condition, Node):
            raise call.wrong("no condition", "a truth value")
        goes_on = turn < turns and bool(call.number(condition, "the condition"))
    count = len(body.output) - 1 - len(states)
    return *carried, *(_stacked(call, [row[place] for row in rows]) for place in range(count))


def _stacked(call: Call, rows: Sequence[Any], axis: int = 0) -> Node:
    if not rows or not all(isinstance(row, Node) for row in rows):
        raise call.unsupported("a loop without turns, or of what is no tensor")
    return ops.concatenate(*(ops.reshape(row, shape=(*row.shape[:axis], 1, *row.shape[axis:])) for row in rows), axis=axis)


@operator("Scan")
def scanned(
    call: Call, *inputs: Any, body: GraphProto, num_scan_inputs: int, scan_input_directions: Any = None, scan_output_directions: Any = None,
    scan_input_axes: Any = None, scan_output_axes: Any = None, directions: Any = None,
) -> Any:  # fmt: skip
    """A loop over an axis of arrays, as a loop of ours: one turn is a graph."""
    if call.version < 9:
        return _scanned_batch(call, inputs, body, num_scan_inputs, directions)
    count = len(inputs) - num_scan_inputs
    states, rows = list(inputs[:count]), list(inputs[count:])
    axes = scan_input_axes or (0,) * len(rows)
    rows = [_front(row, normal_axis(call.label, axis, row.type.ndim)) for row, axis in zip(rows, axes, strict=True)]
    rows = [
        ops.flip(row, axes=(0,)) if back else row
        for row, back in zip(rows, scan_input_directions or (0,) * len(rows), strict=True)
    ]
    finals, taken = turns(call, body, states, rows)
    backs = scan_output_directions or (0,) * len(taken)
    taken = [ops.flip(row, axes=(0,)) if back else row for row, back in zip(taken, backs, strict=True)]
    ends = scan_output_axes or (0,) * len(taken)
    return *finals, *(_behind(row, normal_axis(call.label, axis, row.type.ndim)) for row, axis in zip(taken, ends, strict=True))


def _scanned_batch(call: Call, inputs: Sequence[Any], body: GraphProto, num_scan_inputs: int, directions: Any) -> Any:
    """The first version: every example by itself."""
    lengths, *values = inputs
    if lengths is not None or any(directions or ()):
        raise call.unsupported("Scan of version 8 with lengths or directions")
    count = len(values) - num_scan_inputs
    each = []
    for number in range(values[0].shape[0]):
        one = [dropped(ops.slice_axis(value, 0, number, number + 1), (0,)) for value in values]
        finals, taken = turns(call, body, one[:count], one[count:])
        each.append([*finals, *taken])
    return tuple(_stacked(call, rows) for rows in zip(*each, strict=True))


def _front(x: Node, axis: int) -> Node:
    return x if not axis else ops.transpose(x, axes=(axis, *(place for place in range(x.type.ndim) if place != axis)))


def _behind(x: Node, axis: int) -> Node:
    order = list(range(1, x.type.ndim))
    order.insert(axis, 0)
    return x if not axis else ops.transpose(x, axes=tuple(order))


def turns(call: Call, body: GraphProto, states: list[Node], rows: list[Node]) -> tuple[list[Node], list[Node]]:
    """The last states of a loop over the first axis of rows, and what is taken from every turn."""
    length = {row.shape[0] for row in rows}
    if len(length) != 1 or len(body.input) != len(states) + len(rows):
        raise call.wrong(
            f"rows of {sorted(length)} turns, {len(body.input)} inputs of a turn", "rows of one length, an input to each value"
        )
    names = _own_names([item.name for item in body.input], "now")
    own, seen = names[: len(states)], names[len(states) :]
    leaves = [
        *(input_node(name, node.shape, node.dtype) for name, node in zip(own, states, strict=True)),
        *(input_node(name, node.shape[1:], node.dtype) for name, node in zip(seen, rows, strict=True)),
    ]
    found = call.source.turn(body, dict(zip((item.name for item in body.input), leaves, strict=True)))
    ends = [node for node in found if isinstance(node, Node)]
    if len(ends) < len(found):
        raise call.unsupported("a loop that carries sequences")
    after, taken = ends[: len(states)], ends[len(states) :]
    wishes = _own_names([item.name for item in body.output][len(states) :], "next", "before")
    outputs, chosen = dict(zip(own, after, strict=True)), list[tuple[str, bool]]()
    for node, wish in zip(taken, wishes, strict=True):
        if node in leaves[: len(states)]:
            chosen.append((own[leaves.index(node)], True))
            continue
        if outputs.setdefault(wish, node) is not node:
            wish = f"{wish}.{len(outputs)}"
            outputs[wish] = node
        chosen.append((wish, False))
    graph, outside = closed(Graph(outputs), leaves)
    loop_body = Body(graph, tuple(own), tuple(seen), tuple(outside))
    values, count = (*states, *rows, *outside.values()), length.pop()

    def every(name: str, before: bool = False) -> Node:
        if before:
            return scan(*values, body=loop_body, output=name, length=count, before_step=True)
        return scan(*values, body=loop_body, output=name, length=count)

    last = [dropped(ops.slice_axis(every(name), 0, count - 1, count), (0,)) for name in own]
    return last, [every(*one) for one in chosen]


def _own_names(names: Sequence[str], *suffixes: str) -> list[str]:
    """Names for the leaves and outputs of a turn: those of the file, without what our writer puts around them."""
    found: list[str] = []
    for name in names:
        clean = cleaned(name.rpartition("/")[2])
        for suffix in suffixes:
            clean = re.sub(rf"\.{suffix}(_\d+)?$", "", clean)
        found.append(clean if clean and clean not in found else f"v{len(found)}.{clean}".rstrip("."))
    return found


def closed(graph: Graph, leaves: Sequence[Node]) -> tuple[Graph, dict[str, Node]]:
    """The graph of a turn with what it reads from around it as constants: leaves of their own, and the nodes that they stand for."""
    inside, outside, made = set(leaves), dict[str, Node](), dict[Node, Node]()
    depends = dict.fromkeys(graph.nodes, False)
    for node in graph.nodes:
        depends[node] = node in inside or any(depends[source] for source in node.inputs)
    for node in topological_order(graph.outputs.values()):
        if node in inside or (node.is_leaf and not node.name):
            made[node] = node
        elif depends[node]:
            made[node] = node.with_inputs(tuple(_taken(source, depends, made, outside) for source in node.inputs))
    ends = {name: _taken(node, depends, made, outside) for name, node in graph.outputs.items()}
    return Graph(ends), outside


def _taken(node: Node, depends: dict[Node, bool], made: dict[Node, Node], outside: dict[str, Node]) -> Node:
    if node in made:
        return made[node]
    if node.op is ops.broadcast_to:  # what is stretched is what stands outside
        return made.setdefault(node, node.with_inputs((_taken(node.inputs[0], depends, made, outside),)))
    if not any(source.op.kind == "leaf" and source.name for source in topological_order([node])):
        return made.setdefault(node, node)
    name = node.name if node.is_leaf else f"outside{len(outside)}"
    outside[name] = node
    return made.setdefault(node, input_node(name, node.shape, node.dtype))


# ---- sequences of values, which are lists here


@operator("SequenceConstruct")
def sequence(call: Call, *inputs: Any) -> Any:
    """A sequence of values."""
    return list(inputs)


@operator("SequenceEmpty")
def empty(call: Call, *, dtype: int = 1) -> Any:
    """A sequence of nothing."""
    return []


def _place(call: Call, items: list[Any], position: Any, extra: int = 0) -> int:
    if position is None:
        return len(items) - 1 + extra
    place = int(call.number(position, "the position"))
    return normal_axis(call.label, place, len(items) + extra)


@operator("SequenceAt")
def at(call: Call, items: Any, position: Node) -> Any:
    """One of a sequence."""
    return items[_place(call, items, position)]


@operator("SequenceInsert")
def inserted(call: Call, items: Any, value: Any, position: Any = None) -> Any:
    """A sequence with one more."""
    place = _place(call, items, position, 1)
    return [*items[:place], value, *items[place:]]


@operator("SequenceErase")
def erased(call: Call, items: Any, position: Any = None) -> Any:
    """A sequence with one less."""
    place = _place(call, items, position)
    return [*items[:place], *items[place + 1 :]]


@operator("SequenceLength")
def length_of(call: Call, items: Any) -> Node:
    """How many there are."""
    return constant(len(items), "int64")


@operator("ConcatFromSequence")
def joined_sequence(call: Call, items: Any, *, axis: int, new_axis: int = 0) -> Node:
    """A sequence as one array."""
    if new_axis:
        return _stacked(call, items, normal_axis(call.label, axis, items[0].type.ndim + 1))
    return ops.concatenate(*items, axis=axis)


@operator("SplitToSequence")
def split_sequence(call: Call, x: Node, split: Node | None = None, *, axis: int = 0, keepdims: int = 1) -> Any:
    """An array as a sequence of pieces."""
    place = normal_axis(call.label, axis, x.type.ndim)
    extent = x.shape[place]
    if split is None:
        found = pieces(call, x, place, [1] * extent)
        return found if keepdims else [dropped(piece, (place,)) for piece in found]
    sizes = list(call.whole(split, "split"))
    if not split.type.ndim:
        each = sizes[0]
        sizes = [min(each, extent - start) for start in range(0, extent, each)]
    return pieces(call, x, place, sizes)


@operator("Optional")
def optional(call: Call, value: Any = None, *, type: Any = None) -> Any:  # noqa: A002  (ONNX's name)
    """The value, or nothing."""
    return value


@operator("OptionalHasElement")
def has_element(call: Call, value: Any = None) -> Node:
    """Whether there is a value."""
    return constant(value is not None, "bool")


@operator("OptionalGetElement")
def element(call: Call, value: Any) -> Any:
    """The value."""
    return value


# ---- optimizers

_TRAINING = "ai.onnx.preview.training"


def _groups(inputs: Sequence[Node], count: int) -> list[tuple[Node, ...]]:
    rate, turn, *rest = inputs
    each = len(rest) // count
    return [(rate, turn, *(rest[part * each + place] for part in range(count))) for place in range(each)]


def _grouped(found: list[tuple[Node, ...]]) -> tuple[Node, ...]:
    return tuple(node for part in zip(*found, strict=True) for node in part)


@operator("Momentum", domain=_TRAINING)
def momentum(call: Call, *inputs: Node, alpha: float, beta: float, mode: str, norm_coefficient: float) -> Any:
    """Gradient descent with momentum, or Nesterov's."""
    found: list[tuple[Node, ...]] = []
    for rate, turn, x, g, v in _groups(inputs, 3):
        g = g + x * norm_coefficient
        share = ops.where(ops.greater(turn, 0), constant(beta, x.dtype), constant(1.0, x.dtype))
        v = v * alpha + g * share
        found.append((x - (g + v * alpha if mode == "nesterov" else v) * rate, v))
    return _grouped(found)


@operator("Adagrad", domain=_TRAINING)
def adagrad(call: Call, *inputs: Node, decay_factor: float = 0.0, epsilon: float = 1e-6, norm_coefficient: float = 0.0) -> Any:
    """Steps over the root of the sum of squares."""
    found: list[tuple[Node, ...]] = []
    for rate, turn, x, g, h in _groups(inputs, 3):
        g = g + x * norm_coefficient
        h = h + g * g
        slow = rate / (ops.cast(turn, dtype=x.dtype) * decay_factor + 1.0)
        found.append((x - g * slow / (ops.sqrt(h) + epsilon), h))
    return _grouped(found)


@operator("Adam", domain=_TRAINING)
def adam(
    call: Call, *inputs: Node, alpha: float = 0.9, beta: float = 0.999, epsilon: float = 1e-6, norm_coefficient: float = 0.0,
    norm_coefficient_post: float = 0.0,
) -> Any:  # fmt: skip
    """Steps by running means of the gradient and of its square."""
    found: list[tuple[Node, ...]] = []
    for rate, turn, x, g, v, h in _groups(inputs, 4):
        g = g + x * norm_coefficient
        v, h = v * alpha + g * (1 - alpha), h * beta + g * g * (1 - beta)
        count = ops.cast(turn, dtype=x.dtype)
        one, bases = constant(1.0, x.dtype), [ops.power(constant(base, x.dtype), count) for base in (alpha, beta)]
        adjusted = rate * ops.sqrt(one - bases[1]) / (one - bases[0])
        begun = ops.where(ops.greater(turn, 0), adjusted, rate)
        x = (x - v * begun / (ops.sqrt(h) + epsilon)) * (1 - norm_coefficient_post)
        found.append((x, v, h))
    return _grouped(found)
