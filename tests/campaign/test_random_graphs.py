"""The long campaign: random graphs through text, passes, the planned engine and derivatives; `make campaign SIZE=10000`."""

import os

import numpy as np
import pytest

from chainrule import ops
from chainrule.engines import ReferenceEngine
from chainrule.grad import grad
from chainrule.graph import Graph, check, evaluate, input_node, parse, run_passes

SIZE = int(os.environ.get("CAMPAIGN_SIZE", "40"))
BLOCKS = 20

SMOOTH = [
    ops.sin,
    ops.cos,
    ops.tanh,
    ops.sigmoid,
    ops.softplus,
    ops.negative,
    lambda x: ops.exp(ops.sin(x)),
    lambda x: ops.log(x * x + 1.5),
]
SMOOTH += [lambda x: ops.sqrt(x * x + 0.5), lambda x: ops.log1p(x * x), lambda x: ops.expm1(ops.tanh(x)), lambda x: x**3.0]
SMOOTH += [lambda x: x**2.0, lambda x: x * 1.0, lambda x: x + 0.0, lambda x: ops.negative(ops.negative(x)), lambda x: x / 1.0]
BINARY = [ops.add, ops.subtract, ops.multiply, lambda x, y: x / (y * y + 1.0)]
SHAPES = [(), (1,), (3,), (2, 3), (3, 2), (2, 1), (1, 3), (2, 3, 2)]


def random_graph(random):
    """A scalar of a random graph over smooth ops, and its leaves."""
    leaves = [input_node(f"x{i}", SHAPES[random.integers(len(SHAPES))]) for i in range(random.integers(1, 4))]
    nodes = list(leaves)
    for _ in range(random.integers(3, 14)):
        nodes.append(grown(random, nodes))
    scalar = ops.sum(nodes[-1] * 1.0)
    for leaf in leaves:
        scalar = scalar + ops.mean(ops.sin(leaf))
    return scalar, leaves


def grown(random, nodes):
    """One more node on those that there are."""
    x = nodes[random.integers(len(nodes))]
    match random.integers(8):
        case 0 | 1:
            return SMOOTH[random.integers(len(SMOOTH))](x)
        case 2:
            fitting = [y for y in nodes if broadcasts(x.shape, y.shape)]
            return BINARY[random.integers(len(BINARY))](x, fitting[random.integers(len(fitting))])
        case 3 if x.type.ndim:
            axis = int(random.integers(x.type.ndim))
            return (ops.sum if random.integers(2) else ops.mean)(x, axis, keepdims=bool(random.integers(2)))
        case 4 if x.type.ndim:
            return ops.transpose(x, axes=tuple(int(a) for a in random.permutation(x.type.ndim)))
        case 5 if x.type.ndim:
            axis = int(random.integers(x.type.ndim))
            start = int(random.integers(x.shape[axis]))
            return ops.slice_axis(x, axis, start, x.shape[axis], int(random.integers(1, 3)))
        case 6 if x.type.ndim:
            axis = int(random.integers(x.type.ndim))
            return ops.concatenate(x, ops.flip(x, axes=(axis,)), axis=axis)
        case 7 if x.type.ndim >= 2:
            return x @ ops.swap_last(x)
        case _:
            return ops.reshape(x, shape=(x.type.size,))


def broadcasts(one, other):
    try:
        np.broadcast_shapes(one, other)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_graphs(block):
    for number in range(block, SIZE, BLOCKS):
        random = np.random.default_rng([7, number])
        y, leaves = random_graph(random)
        (slope,) = grad(y, leaves[:1])
        (curvature,) = grad(ops.sum(slope * slope), leaves[:1])
        graph = Graph({"y": y, "slope": slope, **({"curvature": curvature} if curvature is not None else {})})
        values = {leaf.name: random.normal(size=leaf.shape) for leaf in leaves}
        hold(graph, values, leaves[0], f"graph {number}")


def hold(graph, values, leaf, label):
    """Text reads back, passes and the plan keep the values, derivatives agree with complex steps."""
    assert str(parse(str(graph))) == str(graph), label
    bound = {node: values[name] for name, node in graph.leaves.items()}
    wanted = dict(zip(graph.outputs, evaluate(graph.outputs.values(), bound), strict=True))
    if not all(np.isfinite(value).all() and np.abs(value).max(initial=0) < 1e6 for value in wanted.values()):
        return  # powers of powers: nothing is to be learned from rounding at such sizes
    simplified, trace = run_passes(check(graph), ops.PASSES)
    check(simplified)
    assert len(simplified.nodes) <= len(graph.nodes), label
    assert len(trace) == len(ops.PASSES)
    found = ReferenceEngine().compile(graph)({name: values[name] for name in graph.leaves})
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-11, atol=1e-11, err_msg=label)
    direction = np.random.default_rng(0).normal(size=leaf.shape)
    along(graph.outputs["y"], wanted["slope"], bound, leaf, direction, label)
    if "curvature" in wanted:
        slope = graph.outputs["slope"]
        along(ops.sum(slope * slope), wanted["curvature"], bound, leaf, direction, label)


def along(y, gradient, bound, leaf, direction, label):
    """The derivative of y along a direction, by a complex step, against the gradient."""
    (stepped,) = evaluate([y], {**bound, leaf: bound[leaf] + 1e-30j * direction})
    slope = np.sum(gradient * direction)
    scale = max(1.0, np.abs(gradient).max(initial=0.0))
    assert abs(np.imag(stepped) / 1e-30 - slope) <= 1e-10 * scale, label
