"""Traces: values, derivatives, the terms and paths that these are sums of, and what the forward pass stores."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule import ops
from chainrule.errors import GraphError, OptionError, ShapeError
from chainrule.graph import Graph, Node, input_node, parameter, parse_graph
from chainrule.trace import Trace, explain_graph

sys.path.insert(0, str(Path(__file__).parents[1] / "campaign"))
from random_graphs import random_graph

W, B = (0.7, -1.2, 0.9), (0.1, 0.3, -0.2)


def chain() -> tuple[Graph, dict[str, float]]:
    """Three neurons in a row, C = (a3 − y)²."""
    a: Node = input_node("a0")
    values = {"a0": 0.6, "y": 1.0}
    for layer, (w, b) in enumerate(zip(W, B, strict=True), start=1):
        z = (parameter(f"w{layer}") * a + parameter(f"b{layer}")).named(f"z{layer}")
        a = ops.sigmoid(z).named(f"a{layer}")
        values |= {f"w{layer}": w, f"b{layer}": b}
    return Graph({"C": (a - input_node("y")) ** 2.0}), values


def test_one_neuron_per_layer() -> None:
    trace = Trace(*chain())
    activations = [float(trace.value(f"a{layer}")) for layer in (1, 2, 3)]
    np.testing.assert_allclose(activations, [0.62715, 0.38875, 0.53740], rtol=0, atol=5e-6)
    np.testing.assert_allclose(trace.value("C"), 0.214000, rtol=0, atol=5e-7)
    derivatives = [float(trace.derivative(f"{letter}{layer}")) for letter in "wb" for layer in (1, 2, 3)]  # type: ignore[arg-type]
    known = [0.0082815, -0.0308490, -0.0894147, 0.0138026, -0.0491894, -0.2300068]
    np.testing.assert_allclose(derivatives, known, rtol=0, atol=5e-8)


def test_the_three_factors_of_the_last_weight() -> None:
    trace = Trace(*chain())
    factors = trace.factors("w3")
    assert [factor.user.name for factor in factors] == ["z3", "a3", "C"]
    a2, a3 = float(trace.value("a2")), float(trace.value("a3"))
    np.testing.assert_allclose([f.local for f in factors], [a2, a3 * (1 - a3), 2 * (a3 - 1)], rtol=1e-13)
    np.testing.assert_allclose(np.prod([f.local for f in factors]), trace.derivative("w3"), rtol=1e-13)
    assert factors[-1].arriving == 1.0


def test_a_value_used_twice_is_passed_on_once() -> None:
    graph = parse_graph("a: float64[] = parameter()\nb: float64[] = add(a, a)\nc: float64[] = add(b, b)\nreturn C=c")
    trace = Trace(graph, {"a": 3.0})
    assert [(q.number, q.name) for q in trace.quantities] == [(0, "a"), (1, "b"), (2, "c")]
    assert [(path.user.name, path.local, path.arriving) for path in trace.paths("a")] == [("b", 2.0, 2.0)]
    assert float(trace.derivative("a")) == 4.0  # type: ignore[arg-type]


def several() -> Trace:
    a = input_node("a", (2, 3))
    z = (a @ parameter("W", (3, 4))).named("z")
    p = ops.sigmoid(z).named("p")
    graph = Graph({"C": ops.sum((p - input_node("y", (2, 4))) ** 2.0) + ops.sum(ops.sin(a))})
    drawn = np.random.default_rng(3)
    return Trace(graph, {name: drawn.normal(size=leaf.shape) for name, leaf in graph.leaves.items()})


def test_an_activation_gets_one_path_from_each_neuron_that_it_feeds() -> None:
    trace = several()
    paths = trace.paths("a", (1, 2))
    assert [(path.user.name, path.index) for path in paths] == [*(("z", (1, j)) for j in range(4)), ("C", ())]
    weights, delta = trace.value("W"), trace.derivative("z")
    assert delta is not None
    np.testing.assert_allclose([path.local for path in paths[:4]], weights[2], rtol=1e-13)
    np.testing.assert_allclose([path.arriving for path in paths[:4]], delta[1], rtol=1e-13)
    np.testing.assert_allclose(paths[4].local, np.cos(trace.value("a")[1, 2]), rtol=1e-13)
    np.testing.assert_allclose(sum(path.product for path in paths), trace.derivative("a")[1, 2], rtol=1e-12)  # type: ignore[index]


def test_a_dead_neuron_keeps_its_path() -> None:
    z = parameter("z", (2,))
    trace = Trace(Graph({"C": ops.sum(ops.relu(z).named("a"))}), {"z": np.array([-1.0, 2.0])})
    assert [(p.user.name, p.index, p.local, p.product) for p in trace.paths("z", (0,))] == [("a", (0,), 0.0, 0.0)]


def test_each_use_of_a_shared_weight_has_its_term_and_they_add_up() -> None:
    w = parameter("W", (3, 3))
    state: Node = input_node("h0", (1, 3))
    for step in range(1, 13):
        state = ops.tanh(state @ w + input_node(f"x{step}", (1, 3))).named(f"h{step}")
    graph = Graph({"C": ops.sum(state * state)})
    drawn = np.random.default_rng(12)
    values = {name: 0.6 * drawn.normal(size=leaf.shape) for name, leaf in graph.leaves.items()}
    explanation = explain_graph(graph, values)
    terms = explanation.terms("W")
    assert [term.user.name for term in terms] == [f"h{step}" for step in range(1, 13)]
    total = explanation.trace.derivative("W")
    np.testing.assert_allclose(sum(term.value for term in terms), total, rtol=1e-12)
    checks = explanation.check([("W", (i, j)) for i in range(3) for j in range(3)])
    assert all(check.state == "agrees" for check in checks)
    assert max(abs(float(total[c.index]) / 12 - c.difference) for c in checks) > 0.01, "the average is not the derivative"  # type: ignore[index]
    assert "sum over its 12 uses" in str(explanation)


@pytest.mark.parametrize("every", [False, True])
def test_terms_add_up_to_derivatives_on_random_graphs(every: bool) -> None:
    seen = 0
    for seed in range(40):
        graph, values = random_graph(seed)
        floats = [node for node in graph.outputs.values() if node.type.is_float]
        total = ops.sum(floats[0])
        for node in floats[1:]:
            total = total + ops.sum(node)
        trace = Trace(Graph({"C": total}), {k: v for k, v in values.items() if k in Graph({"C": total}).leaves}, every=every)
        for quantity in trace.quantities:
            derivative, terms = trace.arriving(quantity), trace.terms(quantity)
            if derivative is not None and quantity.node is not trace.cost and np.isfinite(derivative).all():
                summed = np.sum([term.value for term in terms], axis=0)
                np.testing.assert_allclose(summed, derivative, rtol=1e-9, atol=1e-9 * np.max(np.abs(derivative), initial=1e-9))
                seen += 1
    assert seen > 100


def test_the_pushes_on_a_weighted_sum_are_its_terms() -> None:
    trace = several()
    pushes = trace.pushes("z", (0, 1))
    expected = trace.value("a")[0] * trace.value("W")[:, 1]
    np.testing.assert_allclose(sorted(push.size for push in pushes), sorted(expected), rtol=1e-13)


def test_what_is_stored_and_how_many_bytes() -> None:
    trace = several()
    # The sigmoid's derivative is a·(1 − a): p is kept, and so is p − y, for the square; z is not.
    stored = {item.name: item.bytes for item in trace.stored}
    assert stored["p"] == 2 * 4 * 8
    assert "z" not in stored
    assert "a" not in stored, "leaves are there anyway"


def test_float32_is_explained_in_float64() -> None:
    w = parameter("w", (2,), "float32")
    trace = Trace(Graph({"C": ops.sum(ops.exp(w) * 3.0)}), {"w": np.array([0.1, 0.2], np.float32)})
    assert trace.derivative("w").dtype == np.float64  # type: ignore[union-attr]
    np.testing.assert_allclose(trace.derivative("w"), 3 * np.exp(np.array([0.1, 0.2], np.float32).astype(float)), rtol=1e-14)


def test_a_long_graph_is_no_limit() -> None:
    a: Node = parameter("a")
    for _ in range(3000):
        a = a + 0.0001
    assert float(Trace(Graph({"C": a}), {"a": 1.0}).derivative("a")) == 1.0  # type: ignore[arg-type]


def test_what_does_not_fit_is_said() -> None:
    trace = several()
    with pytest.raises(GraphError, match="no quantity 'zz'"):
        trace.value("zz")
    with pytest.raises(OptionError, match=r"entry \[5, 0\] of a"):
        trace.paths("a", (5, 0))
    with pytest.raises(ShapeError, match="the cost"):
        Trace(Graph({"C": parameter("w", (2,))}), {"w": np.zeros(2)})
    with pytest.raises(OptionError, match="cost 'D'"):
        Trace(Graph({"C": parameter("w")}), {"w": 0.0}, "D")
