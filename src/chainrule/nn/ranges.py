"""Ranges: which numbers a node can reach, whatever its network's inputs and parameters are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

import numpy as np

from chainrule import ops
from chainrule.display import Shown
from chainrule.graph import Array, Body, Node, Op, topological_order
from chainrule.immutable import immutable
from chainrule.nn.activations import softmax_input

LARGE = 1e8
"""A function of one number that grows beyond this is taken to have no bound on that side."""
TURNS = 8
"""How often a loop over time is gone through until its states' ranges no longer widen."""


@immutable
class OutputRange(Shown):
    """The least and the largest number of each entry, both of the node's shape, or () where all entries have the same.

    The bounds may be approached only, and a node may reach less: what is outside, it cannot reach.
    """

    low: Array
    high: Array

    @property
    def is_unbounded(self) -> bool:
        """Whether every entry can be any number."""
        return bool(np.all(np.isneginf(self.low)) and np.all(np.isposinf(self.high)))

    def widened(self, other: OutputRange) -> OutputRange:
        """The range of what lies in either."""
        return OutputRange(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def narrowed(self, other: OutputRange) -> OutputRange:
        """The range of what lies in both."""
        return OutputRange(np.maximum(self.low, other.low), np.minimum(self.high, other.high))


def _between(low: Any, high: Any) -> OutputRange:
    return OutputRange(np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64))


ANYTHING = _between(-math.inf, math.inf)
Rule: TypeAlias = Callable[[Node, tuple[OutputRange, ...]], OutputRange]


def output_range(node: Node) -> OutputRange:
    """Which numbers the entries of a node can reach: by interval arithmetic, op by op, from parameters and inputs that can be anything.

    A function of a single number, such as z·σ(z), is moreover tried at many places: its range is then known where intervals, which
    take z and σ(z) for independent, know none. What no rule is known for can be anything.

    >>> from chainrule.graph import input_node
    >>> from chainrule.nn.activations import ACTIVATIONS
    >>> z = input_node("z", (1, 2))
    >>> [float(np.round(output_range(ACTIVATIONS[name](z)).low.min(), 4)) for name in ("relu", "tanh", "silu", "elu", "linear")]
    [0.0, -1.0, -0.2785, -1.0, -inf]

    Source: R. E. Moore, Interval Analysis (1966), for the arithmetic.
    """
    with np.errstate(all="ignore"):
        return _known(node, {})


def _known(node: Node, given: Mapping[Node, OutputRange]) -> OutputRange:
    """The range of a node where those of some others are given; what is only moved is followed to where it was computed."""
    cone = _cone(node, given)
    found: dict[Node, OutputRange] = dict(given)
    for item in cone:
        if item not in found:
            found[item] = _one(item, found)
    return found[node]


def _cone(node: Node, given: Mapping[Node, OutputRange]) -> list[Node]:
    """The nodes that the range of a node follows from, in topological order; where nothing is known of an op, it ends."""
    needed, waiting = set[Node](), [node]
    while waiting:
        item = waiting.pop()
        if item in needed or item in given:
            continue
        needed.add(item)
        if rule_of(item.op) is not None and softmax_input(item) is None:
            waiting += item.inputs
    return [item for item in topological_order([node]) if item in needed]


def _one(node: Node, found: Mapping[Node, OutputRange]) -> OutputRange:
    if node.op.name == "constant":
        value = np.asarray(node.attributes["value"], dtype=np.float64)
        return OutputRange(value, value)
    if softmax_input(node) is not None:
        return _between(0.0, 1.0)
    rule = rule_of(node.op)
    if rule is None:
        return ANYTHING
    known = rule(node, tuple(found[item] for item in node.inputs))
    between = _between_two(node)
    if between is not None:
        known = known.narrowed(found[between[0]].widened(found[between[1]]))
    if rule is _moved or (np.isfinite(known.low).all() and np.isfinite(known.high).all()):
        return known
    tried = _tried(node, found)
    return known if tried is None else known.narrowed(tried)


def _between_two(node: Node) -> tuple[Node, Node] | None:
    """The nodes g and h of g + σ(z)·(h − g), which lies between them; None for any other node."""
    if node.op is not ops.add:
        return None
    for g, rest in (node.inputs, node.inputs[::-1]):
        for share, step in (rest.inputs, rest.inputs[::-1]) if rest.op is ops.multiply else ():
            gates = share
            while gates.op.kind == "view":
                gates = gates.inputs[0]
            if gates.op is ops.sigmoid and step.op is ops.subtract and step.inputs[1] is g:
                return g, step.inputs[0]
    return None


# ---- rules: from the ranges of the inputs to that of the node


def _full(bound: Array, node: Node) -> Array:
    return np.broadcast_to(bound, node.shape)


def _clean(low: Array, high: Array) -> OutputRange:
    """Where arithmetic with infinities says nothing, anything can be."""
    return _between(np.where(np.isnan(low), -math.inf, low), np.where(np.isnan(high), math.inf, high))


def _rising(node: Node, given: tuple[OutputRange, ...]) -> OutputRange:
    """An entrywise op that never falls in any of its inputs."""
    meaning = node.op.meaning
    return _clean(meaning(*(item.low for item in given)), meaning(*(item.high for item in given)))


def _moved(node: Node, given: tuple[OutputRange, ...]) -> OutputRange:
    """An op that puts entries elsewhere, or adds or compares them along axes."""
    # Of entries that all have the same range, these make entries that have it too.
    if (node.op.kind == "view" or node.op is ops.reduce_max) and given[0].low.shape == given[0].high.shape == ():
        return given[0]
    lows, highs = zip(
        *((_full(item.low, x), _full(item.high, x)) for item, x in zip(given, node.inputs, strict=True)), strict=True
    )
    meaning, attributes = node.op.meaning, node.attributes
    return _clean(meaning(*lows, **attributes), meaning(*highs, **attributes))


def _as_it_is(_: Node, given: tuple[OutputRange, ...]) -> OutputRange:
    return given[0]


def _subtract(_: Node, given: tuple[OutputRange, ...]) -> OutputRange:
    x, y = given
    return _clean(x.low - y.high, x.high - y.low)


def _negative(_: Node, given: tuple[OutputRange, ...]) -> OutputRange:
    return OutputRange(-given[0].high, -given[0].low)


def _product(x: OutputRange, y: OutputRange) -> OutputRange:
    corners = [a * b for a in (x.low, x.high) for b in (y.low, y.high)]
    # 0 times whatever is approached is 0.
    corners = [np.where(np.isnan(corner), 0.0, corner) for corner in corners]
    return _between(np.minimum.reduce(corners), np.maximum.reduce(corners))


def _multiply(node: Node, given: tuple[OutputRange, ...]) -> OutputRange:
    if node.inputs[0] is node.inputs[1]:
        size = _size(given[0])
        return _between(size.low**2, size.high**2)
    return _product(*given)


def _divide(_: Node, given: tuple[OutputRange, ...]) -> OutputRange:
    x, y = given
    one_sign = (y.low > 0) | (y.high < 0)
    low, high = np.where(one_sign, y.low, 1.0), np.where(one_sign, y.high, 1.0)
    found = _product(x, _between(1.0 / high, 1.0 / low))
    # By what comes near 0, a number that cannot be negative still becomes none that is.
    below, above = (x.low >= 0) & (y.low >= 0), (x.high <= 0) & (y.low >= 0)
    return _between(
        np.where(one_sign, found.low, np.where(below, 0.0, -math.inf)),
        np.where(one_sign, found.high, np.where(above, 0.0, math.inf)),
    )


def _size(x: OutputRange) -> OutputRange:
    reaches_0 = (x.low <= 0) & (x.high >= 0)
    sizes = np.abs(x.low), np.abs(x.high)
    return _between(np.where(reaches_0, 0.0, np.minimum(*sizes)), np.maximum(*sizes))


def _absolute(_: Node, given: tuple[OutputRange, ...]) -> OutputRange:
    return _size(given[0])


def _square(_: Node, given: tuple[OutputRange, ...]) -> OutputRange:
    size = _size(given[0])
    return _between(size.low**2, size.high**2)


def _power(_: Node, given: tuple[OutputRange, ...]) -> OutputRange:
    x, exponent = given
    value = float(exponent.low.flat[0])
    if not (np.all(exponent.low == value) and np.all(exponent.high == value)):
        return _between(np.where(x.low >= 0, 0.0, -math.inf), math.inf)
    if value > 0 and value % 2 == 0:
        size = _size(x)
        return _between(size.low**value, size.high**value)
    if value > 0 and value % 2 == 1:
        return _between(x.low**value, x.high**value)
    return _between(np.where((x.low >= 0) | (value % 1 != 0) | (value % 2 == 0), 0.0, -math.inf), math.inf)


def _select(_: Node, given: tuple[OutputRange, ...]) -> OutputRange:
    return given[1].widened(given[2])


def _gather(_: Node, given: tuple[OutputRange, ...]) -> OutputRange:
    return _between(given[0].low.min(), given[0].high.max())


def _pad(node: Node, given: tuple[OutputRange, ...]) -> OutputRange:
    return _between(min(0.0, given[0].low.min()), max(0.0, given[0].high.max()))


def _always(low: float, high: float) -> Rule:
    return lambda node, given: _between(low, high)


def _scan(node: Node, given: tuple[OutputRange, ...]) -> OutputRange:
    """A loop over time: its body gone through until the ranges of its states no longer widen."""
    body, take = cast("Body", node.attributes["body"]), str(node.attributes["output"])
    values = dict(zip(body.leaves, given, strict=True))
    # A sequence's range at any turn.
    values |= {name: _between(values[name].low.min(), values[name].high.max()) for name in body.sequences}
    outputs, leaves = body.graph.outputs, body.graph.leaves
    states = {name: values[name] for name in body.states}
    for _ in range(TURNS):
        known = {leaf: states.get(name, values[name]) for name, leaf in leaves.items()}
        widened = {name: states[name].widened(_known(outputs[name], known)) for name in body.states}
        if all(widened[name] == states[name] for name in body.states):
            break
        states = widened
    else:
        states = dict.fromkeys(body.states, ANYTHING)
    known = {leaf: states.get(name, values[name]) for name, leaf in leaves.items()}
    found = states[take] if node.attributes.get("before_step") else _known(outputs[take], known)
    return _between(found.low.min(), found.high.max())


RULES: dict[Op, Rule] = {
    **dict.fromkeys((ops.reduce_max, ops.concatenate, ops.reduce_sum), _moved),
    **dict.fromkeys(
        (
            ops.add, ops.maximum, ops.minimum, ops.exp, ops.expm1, ops.log, ops.log1p, ops.sqrt, ops.tanh, ops.sigmoid, ops.softplus,
            ops.relu, ops.erf, ops.sign, ops.floor, ops.arctan,
        ),
        _rising,
    ),
    **dict.fromkeys((ops.cast, ops.stop_gradient), _as_it_is),
    **dict.fromkeys(
        (
            ops.equal, ops.not_equal, ops.less, ops.less_equal, ops.greater, ops.greater_equal, ops.logical_and, ops.logical_or,
            ops.logical_not, ops.one_hot, ops.softmax, ops.runner_up,
        ),
        _always(0.0, 1.0),
    ),
    **dict.fromkeys((ops.sin, ops.cos), _always(-1.0, 1.0)),
    ops.subtract: _subtract, ops.negative: _negative, ops.multiply: _multiply, ops.divide: _divide, ops.absolute: _absolute,
    **dict.fromkeys((ops.norm, ops.huber, ops.softmax_cross_entropy, ops.poisson_loss), _always(0.0, math.inf)), ops.square: _square,
    ops.power: _power, ops.where: _select, ops.gather: _gather, ops.pad: _pad, ops.scan: _scan,
}  # fmt: skip
"""What is known of each op, besides that views move numbers; of others nothing is, and their numbers can be anything."""


def rule_of(op: Op) -> Rule | None:
    """The rule for an op, if there is one."""
    return RULES.get(op, _moved if op.kind == "view" else None)


# ---- functions of one number


def _tried(node: Node, found: Mapping[Node, OutputRange]) -> OutputRange | None:
    """The range of a node that is a function of a single other one, entry by entry; None where it is not."""
    inside = _only_input(node)
    if inside is None:
        return None
    known = found.get(inside, ANYTHING)
    places = _places(known)
    values = _values(node, inside, places.reshape(-1, *(1 for _ in node.shape)))
    if values is None:
        return None
    finite = np.where(np.isnan(values), 0.0, values)
    low, high = finite.min(axis=0), finite.max(axis=0)
    # What is still on its way at numbers beyond all use has no bound.
    for end, before in ((0, 1), (-1, -2)):
        if abs(places[end]) >= 1e30:
            far, near = values[end], values[before]
            grows = ~(np.abs(far - near) <= 1e-3 * np.maximum(1.0, np.abs(near)))
            low = np.where(grows & ~(far >= near), -math.inf, low)
            high = np.where(grows & ~(far <= near), math.inf, high)
    return _between(np.where(low < -LARGE, -math.inf, low), np.where(high > LARGE, math.inf, high))


def _places(known: OutputRange) -> Array:
    """Numbers of all sizes within a range, close together where functions bend."""
    small = np.linspace(-30.0, 30.0, 12_001)
    large = np.geomspace(30.0, 1e6, 200)
    all_of_them = np.concatenate([[-1e30, -1e15], -large[::-1], small, large, [1e15, 1e30]])
    low, high = float(known.low.min()), float(known.high.max())
    return np.unique(np.clip(all_of_them, low, high))


def _is_entrywise(op: Op) -> bool:
    return op.kind == "elementwise" or op is ops.stop_gradient


def _only_input(node: Node) -> Node | None:
    """The deepest node that, with constants, this one is an entrywise function of."""
    order = {item: place for place, item in enumerate(topological_order([node]))}
    waiting, found = {node}, None
    while waiting:
        if len(waiting) == 1 and node not in waiting:
            (found,) = waiting
        latest = max(waiting, key=order.__getitem__)
        if not _is_entrywise(latest.op):
            break
        waiting.remove(latest)
        waiting |= {item for item in latest.inputs if not _is_fixed(item)}
    return found


def _is_fixed(node: Node) -> bool:
    while node.op is ops.broadcast_to or node.op is ops.cast:
        node = node.inputs[0]
    return node.op.name == "constant"


def _values(node: Node, inside: Node, places: Array) -> Array | None:
    """The function at these places: (places, ...)."""
    values: dict[Node, Array] = {inside: places}
    for item in topological_order([node]):
        if item in values:
            continue
        if _is_fixed(item):
            values[item] = np.asarray(_fixed(item), dtype=None if item.type.dtype == "bool" else np.float64)
        elif _is_entrywise(item.op) and all(x in values for x in item.inputs):
            given = [values[x] for x in item.inputs]
            values[item] = given[0] if item.op in (ops.cast, ops.stop_gradient) else item.op.meaning(*given, **item.attributes)
    found = values.get(node)
    if found is None or found.shape[0] != len(places):
        return None
    return np.asarray(found, dtype=np.float64)


def _fixed(node: Node) -> Array:
    if node.op.name == "constant":
        return np.asarray(node.attributes["value"])
    given = _fixed(node.inputs[0])
    return given if node.op is ops.cast else node.op.meaning(given, **node.attributes)
