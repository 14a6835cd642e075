"""Random graphs over all float ops and shapes, each a function of a seed; leaves and values are chosen away from kinks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule import ops
from chainrule.graph import Graph, Node, compute, constant, input_node, parameter, scope

Generator = np.random.Generator
Pick = Callable[[], Node]


def _one(node: Node, generator: Generator) -> Node:
    """One op of one input, whose result is of moderate size and smooth where it is evaluated."""
    x = node
    kind = generator.integers(18)
    squashed = ops.tanh(x)
    return (
        lambda: squashed,
        lambda: ops.sigmoid(x),
        lambda: ops.softplus(x),
        lambda: ops.sin(x),
        lambda: ops.cos(x),
        lambda: ops.exp(squashed),
        lambda: ops.expm1(squashed),
        lambda: ops.log(squashed + 1.5),
        lambda: ops.log1p(ops.sigmoid(x)),
        lambda: ops.sqrt(x * x + 0.5),
        lambda: ops.erf(x),
        lambda: -x,
        lambda: ops.absolute(x) + ops.stop_gradient(x),
        lambda: ops.relu(x) - 0.125,
        lambda: ops.power(squashed + 2.0, float(generator.choice([0.0, 1.0, 2.0, 3.0, -1.0, 0.5]))),
        lambda: ops.arctan(x) + ops.square(squashed),
        lambda: ops.huber(x, delta=0.75),
        lambda: x + ops.floor(x) * 0.25 + ops.sign(x) + ops.cast(ops.cast(x, dtype="float64"), dtype=x.dtype),
    )[kind]()


def _two(x: Node, y: Node, generator: Generator) -> Node:
    kind = generator.integers(10)
    positive = ops.sigmoid(x) + 0.5
    return (
        lambda: x + y,
        lambda: x - y,
        lambda: x * y,
        lambda: x / (ops.sigmoid(y) + 0.25),
        lambda: ops.power(positive, y * 0.5),
        lambda: ops.maximum(x, y),
        lambda: (
            ops.sigmoid_cross_entropy(x, ops.sigmoid(y))
            - ops.sigmoid_error(x, y)
            + ops.poisson_loss(ops.tanh(y), ops.sigmoid(x))
        ),
        lambda: ops.minimum(x, y),
        lambda: ops.where(ops.logical_or(x < y, ops.logical_not(ops.greater_equal(x, 0.5))), x, y),
        lambda: ops.where(ops.logical_and(x > y, ops.not_equal(x, y)), x * 2.0, ops.cast(x <= y, dtype=x.dtype)),
    )[kind]()


def _shaped(x: Node, generator: Generator) -> Node:
    """An op that moves entries about, or reduces an axis."""
    ndim = x.type.ndim
    if not ndim:
        return ops.broadcast_to(x, shape=(int(generator.integers(1, 4)),))
    axis = int(generator.integers(ndim))
    extent = x.shape[axis]
    order = tuple(int(i) for i in generator.permutation(ndim))
    low, high, gap = (tuple(int(i) for i in generator.integers(0, 2, ndim)) for _ in range(3))
    places = constant(generator.integers(0, extent, (2,))) if extent else None
    start = int(generator.integers(0, extent + 1))
    choices = [
        lambda: ops.transpose(x, axes=order),
        lambda: ops.transpose(ops.transpose(x, axes=order), axes=order),
        lambda: ops.reshape(x, shape=(x.type.size,)),
        lambda: ops.reshape(ops.reshape(x, shape=(1, x.type.size)), shape=x.shape),
        lambda: ops.flip(x, axes=(axis,)),
        lambda: ops.sum(x, axis, keepdims=bool(generator.integers(2))),
        lambda: ops.concatenate(x, x, axis=axis) if x.type.size < 40 else x * 1.0,
        lambda: ops.pad(x, low=low, high=high, interior=gap) if x.type.size < 20 else x + 0.0,
        lambda: ops.slice_axis(x, axis, start, extent, int(generator.integers(1, 3))),
    ]
    if extent:
        assert places is not None
        choices += [
            lambda: ops.max(x, axis),
            lambda: ops.min(x, axis, keepdims=True),
            lambda: ops.mean(x, axis),
            lambda: ops.gather(x, places, axis=axis),
            lambda: ops.scatter_add(x, places, ops.gather(x, places, axis=axis) * 0.5, axis=axis),
            lambda: ops.one_hot(ops.argmax(x, axis=axis), classes=3, dtype=x.dtype),
        ]
    if ndim >= 2:
        choices += [lambda: ops.matmul(x, ops.swap_last(x)) * 0.25] * 2
    return choices[generator.integers(len(choices))]()


def _fits(x: Node, y: Node) -> bool:
    try:
        shape = np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return False
    return int(np.prod(shape)) <= 80 and x.dtype == y.dtype


def random_graph(seed: int, dtype: str = "float64", size: int = 14) -> tuple[Graph, dict[str, np.ndarray]]:
    """A graph with a scalar output `cost` and some others, and values for its leaves."""
    generator = np.random.default_rng([seed, 20])
    shapes = [
        tuple(int(i) for i in generator.integers(0 if generator.random() < 0.05 else 1, 4, generator.integers(0, 4)))
        for _ in "abc"
    ]
    leaves = [
        parameter("dense1.W", shapes[0], dtype),
        input_node("x", shapes[1], dtype),
        parameter("b/1", shapes[2], dtype),
    ]
    pool = [
        *leaves,
        constant(generator.normal(size=shapes[0]), dtype),
        constant(float(generator.integers(-1, 3)), dtype, name="c"),
    ]
    for _ in range(size):
        pick = [pool[-1 - int(min(generator.geometric(0.3) - 1, len(pool) - 1))], pool[generator.integers(len(pool))]]
        with scope(*[("", "layer1", "layer2", "deep")[i] for i in generator.integers(0, 4, generator.integers(0, 3))]):
            choice = generator.random()
            if choice < 0.4 and _fits(*pick):
                node = _two(*pick, generator)
            elif choice < 0.7:
                node = _one(pick[0], generator)
            else:
                node = _shaped(pick[0], generator)
            if generator.random() < 0.2 and not node.is_leaf:
                node = node.named(str(generator.choice(["z", "a", "dense1.z", "h-1"])))
        pool.append(node)
    cost = ops.sum(ops.tanh(pool[-1]))
    for node in (leaves[0], pool[-2], pool[-3], pool[-4]):
        cost = cost + ops.sum(ops.sin(node) * 0.5)
    graph = Graph({"cost": cost, "last": pool[-1], "other": pool[-5]}, unused=pool)
    # Every leaf is there even if unused: it is among `unused`.
    values = {
        leaf.name: np.asarray(generator.uniform(0.3, 1.7, leaf.shape) * generator.choice([-1, 1], leaf.shape), dtype=dtype)
        for leaf in leaves
    }
    return graph, values


def outputs(graph: Graph, values: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs, each node computed from arrays whose numbers lie one behind the other in memory.

    NumPy adds up, multiplies matrices and even takes a sine by another path, with another last digit, where the numbers lie apart.
    A pass that takes out a copy, such as x·1 of a view, would seem to change a value; what it must not change is the mathematics.
    """
    known = graph.bind({name: value for name, value in values.items() if name in graph.leaves})
    for node in graph.nodes:
        (value,) = compute([node], {source: known[source] for source in node.inputs} if node.inputs else known)
        known[node] = np.array(value, order="C")
    return [known[node] for node in graph.outputs.values()]


def smooth(graph: Graph, values: dict[str, np.ndarray], margin: float = 1e-3) -> bool:
    """Whether no entry lies near a kink: two operands nearly equal, a number nearly whole where it is cut, a tied extreme."""
    bound = graph.bind(values)
    sources = [source for node in graph.nodes for source in node.inputs]
    found = dict(zip(sources, compute(sources, bound), strict=True))

    def near(node: Node) -> bool:
        first = found[node.inputs[0]] if node.inputs else None
        if node.op in {ops.maximum, ops.minimum, ops.less, ops.less_equal, ops.greater, ops.greater_equal, ops.not_equal}:
            gap = np.abs(first - found[node.inputs[1]])
            # Equal because they are one quantity moves as one; nearly equal is what crosses.
            return bool(np.any(gap < margin)) if node.inputs[0] is not node.inputs[1] else False
        if node.op in {ops.relu, ops.absolute, ops.sign}:
            return bool(np.any(np.abs(first) < margin))
        if node.op is ops.floor:
            return bool(np.any(np.abs(first - np.round(first)) < margin))
        if node.op in {ops.reduce_max, ops.reduce_min, ops.argmax}:
            axes = (node.attributes["axis"],) if node.op is ops.argmax else node.attributes["axes"]
            rows = np.moveaxis(first, axes, range(len(axes))).reshape(int(np.prod([first.shape[a] for a in axes])), -1)
            ordered = np.sort(rows, axis=0)
            return bool(len(ordered) > 1 and np.any(np.diff(ordered, axis=0) < margin))
        return False

    return not any(near(node) for node in graph.nodes)
