"""Random graphs, explained node by node: every rule agrees with its finite difference, and terms add up to derivatives."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import random_graph, smooth

from chainrule import ops
from chainrule.graph import Graph
from chainrule.trace import Trace, check_rules


@given(st.integers(0, 2**31))
def test_no_rule_of_a_random_graph_is_called_wrong(seed: int) -> None:
    graph, values = random_graph(seed)
    if not smooth(graph, values):
        return  # at a kink several conventions may meet, and their sum is nobody's derivative
    floats = [ops.sum(node) for node in graph.outputs.values() if node.type.is_float]
    if not floats:
        return
    total = floats[0]
    for node in floats[1:]:
        total = total + node
    costs = Graph({"C": total})
    trace = Trace(costs, {name: value for name, value in values.items() if name in costs.leaves}, every=True)
    if all(np.isfinite(trace.value_of(quantity)).all() for quantity in trace.quantities):
        for check in check_rules(trace):
            assert check.state != "differs" or not np.isfinite(check.derivative), (seed, check)
