"""What is written out in steps computes what the op does, wherever its numbers lie."""

import numpy as np
import pytest

from chainrule import ops
from chainrule.graph import Graph, compute, input_node
from chainrule.trace.written_out import written_out

Z = input_node("z", (3, 4))
LABELS, TRUTH = input_node("labels", (3,), "int64"), input_node("truth", (3, 4))
OPS = {
    "softmax": ops.softmax(Z, axis=1),
    "softmax_cross_entropy": ops.softmax_cross_entropy(Z, LABELS),
    "sigmoid_cross_entropy": ops.sigmoid_cross_entropy(Z, TRUTH),
    "poisson_loss": ops.poisson_loss(Z, TRUTH),
    "square": ops.square(Z),
    "margin": ops.margin(Z, LABELS),
    "norm": ops.norm(Z),
    "huber": ops.huber(Z, delta=1.5),
}


@pytest.mark.parametrize("far", [0.0, -50.0, 1e3, -1e6])
@pytest.mark.parametrize("name", OPS)
def test_the_steps_compute_what_the_op_does(name, far):
    # All of a row far below 0, say: what takes the place of something left out must not be seen.
    values = {"z": np.random.default_rng(0).normal(size=(3, 4)) + far, "labels": np.array([0, 2, 3]), "truth": np.eye(4)[:3]}
    graph = Graph({"y": OPS[name]})
    steps = written_out(graph)
    assert OPS[name].op not in {node.op for node in steps.nodes}
    (wanted,), (found,) = (compute(g.outputs.values(), g.bind({n: values[n] for n in g.leaves})) for g in (graph, steps))
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12 * (1 + abs(far)))
