"""Random loops over time: the text comes back, unrolled they give the same, both engines agree, derivatives of both orders included."""

from __future__ import annotations

import os

import numpy as np
import pytest
from random_recurrences import random_recurrence

from chainrule import ops
from chainrule.derivatives import grad
from chainrule.engines import ReferenceEngine
from chainrule.engines.native.engine import NativeEngine
from chainrule.graph import Graph, Node, compute, parse_graph, run_passes

SIZE = int(os.environ.get("CAMPAIGN_SIZE", "15"))


def weighed(nodes: list[Node]) -> Node:
    """A scalar in which each entry has a weight of its own."""
    total = ops.sum(nodes[0] * 0.0)
    for number, node in enumerate(nodes):
        weights = np.random.default_rng(number).uniform(0.5, 1.5, node.shape)
        total = total + ops.sum(node * weights)
    return total


@pytest.mark.parametrize("seed", range(SIZE))
def test_loops_and_their_derivatives(seed: int) -> None:
    taken, values = random_recurrence(seed)
    leaves = list(Graph(taken).leaves.values())
    slopes = {
        node.name: g for node, g in zip(leaves, grad(weighed(list(taken.values())), leaves), strict=True) if g is not None
    }
    second = grad(weighed([g * g for g in slopes.values()]), leaves) if slopes else []
    curved = {f"second.{node.name}": g for node, g in zip(leaves, second, strict=False) if g is not None}
    graph = Graph({**taken, **{f"slope.{name}": g for name, g in slopes.items()}, **curved})
    assert str(parse_graph(str(graph))) == str(graph)
    wanted = dict(zip(graph.outputs, compute(graph.outputs.values(), graph.bind(values)), strict=True))
    unrolled = run_passes(graph, (ops.unroll, *ops.PASSES))[0]
    assert "scan" not in {node.op.name for node in unrolled.nodes}
    given = {name: value for name, value in values.items() if name in graph.leaves}
    ways = {
        "unrolled": dict(zip(unrolled.outputs, compute(unrolled.outputs.values(), _bound(unrolled, given)), strict=True)),
        "reference": ReferenceEngine().compile(graph)(given),
        "native": NativeEngine(2, is_guarded=seed % 5 == 0).compile(graph)(given),
    }
    for way, found in ways.items():
        for name, value in wanted.items():
            size = max(1.0, float(np.abs(value).max(initial=0.0)))
            np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-12 * size, err_msg=f"{way} {name}")


def _bound(graph: Graph, values: dict[str, np.ndarray]) -> dict[Node, np.ndarray]:
    return graph.bind({name: value for name, value in values.items() if name in graph.leaves})
