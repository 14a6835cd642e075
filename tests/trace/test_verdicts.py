"""Verdicts: on every op's rule, on planted mistakes, at kinks, on parameters' entries."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.graph import Graph, Node, constant, parameter
from chainrule.trace import Trace, check_entries, check_rules, entries_of, explain_graph, verdicts
from chainrule.trace.differences import _uncertainties, relative, slope  # pyright: ignore[reportPrivateUsage]

sys.path.insert(0, str(Path(__file__).parents[1] / "ops"))
from op_cases import CASES, Case

SMOOTH = [case for case in CASES if case.smooth and case.floats]


def weighed(out: Node) -> Node:
    """A scalar in which every entry counts differently."""
    return ops.sum(out * constant(np.random.default_rng(5).normal(size=out.shape)))


def trace_of(case: Case) -> Trace:
    nodes = case.nodes()
    graph = Graph({"C": weighed(case.build(*nodes).named("out"))})
    values = {node.name: value for node, value in zip(nodes, case.arrays(), strict=True) if node.name in graph.leaves}
    return Trace(graph, values, every=True)


@pytest.mark.parametrize("case", SMOOTH, ids=lambda case: case.id)
def test_every_rule_agrees_with_finite_differences(case: Case) -> None:
    trace = trace_of(case)
    checks = check_rules(trace)
    assert checks
    assert max(check.error for check in checks) <= 1e-6
    assert {check.state for check in checks} == {"agrees"}
    for i in case.floats:
        entries = [(f"x{i}", index) for index in np.ndindex(case.inputs[i].shape)]
        assert {check.state for check in check_entries(trace, entries)} <= {"agrees"}


def test_a_wrong_rule_is_red_at_its_node_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops.tanh, "vjp_rule", lambda g, out, x: (g * (1.0 - out),))
    run = cr.fit("2-3-3-2 tanh softmax", cr.data.moons(60), epochs=1, batch_size=10, initial=None)
    explanation = run.explain(0, every=True)
    wrong = {check.quantity.name for check in explanation.rules if check.state == "differs"}
    assert wrong == {"dense1.a", "dense2.a"}
    assert not explanation.agrees
    assert {check.name for check in explanation.entries if check.state == "differs"} <= {
        "dense1.W", "dense1.b", "dense2.W", "dense2.b",
    }  # fmt: skip
    assert "the rule of dense2.a for dense2.z is wrong" in str(explanation)


@pytest.mark.parametrize(
    "case", [case for case in SMOOTH if case.op in {"sin", "matmul", "divide", "gather"}], ids=lambda c: c.id
)
def test_a_factor_in_a_rule_is_seen_at_its_op(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    op = cr.graph.REGISTRY[case.op]
    rule = op.vjp_rule
    assert rule is not None
    monkeypatch.setattr(op, "vjp_rule", lambda *a, **k: tuple(None if g is None else g * 1.001 for g in rule(*a, **k)))
    checks = check_rules(trace_of(case))
    assert {check.quantity.node.op.name for check in checks if check.state == "differs"} == {case.op}


def test_at_a_kink_there_is_no_verdict_but_a_name() -> None:
    x = parameter("x", (4,))
    graph = Graph({"C": weighed(ops.relu(x))})
    explanation = explain_graph(graph, {"x": np.array([0.0, -1.0, 2.0, 0.0])})
    assert [check.state for check in explanation.rules] == ["kink"]
    assert [check.state for check in explanation.entries] == ["kink", "agrees", "agrees", "kink"]
    assert explanation.agrees
    assert "at a kink" in str(explanation)


def test_small_networks_are_checked_whole_and_large_ones_by_the_largest_and_a_sample() -> None:
    small = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=1, batch_size=10).explain(0)
    assert len(small.entries) == 2 * 3 + 3 + 3 * 2 + 2
    large = cr.fit("2-40-30-2 tanh softmax", cr.data.moons(60), epochs=1, batch_size=10).explain(0).trace
    entries = entries_of(large)
    assert entries == entries_of(large)
    assert entries != entries_of(large, seed=1)
    derivative = large.derivative("dense2.W")
    assert derivative is not None
    largest = np.unravel_index(np.argmax(np.abs(derivative)), derivative.shape)
    assert ("dense2.W", tuple(map(int, largest))) in entries
    assert {check.state for check in check_entries(large, entries)} == {"agrees"}


def test_a_wrong_entry_is_seen_from_end_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops.exp, "vjp_rule", lambda g, out, x: (g,))
    w = parameter("w", (3,))
    trace = Trace(Graph({"C": ops.sum(ops.exp(w) * w)}), {"w": np.array([0.1, 0.2, 0.3])})
    assert {check.state for check in check_entries(trace, [("w", (1,))])} == {"differs"}


def test_what_lets_no_gradient_pass_is_held_by_the_difference_too() -> None:
    w = parameter("w", (3,))
    graph = Graph({"C": ops.sum(ops.stop_gradient(ops.exp(w)) * w)})
    explanation = explain_graph(graph, {"w": np.array([0.1, 0.2, 0.3])}, every=True)
    assert {check.state for check in (*explanation.rules, *explanation.entries)} == {"agrees"}


@pytest.mark.parametrize(
    ("function", "known"),
    [
        (lambda t: math.exp(3 * t), 3.0),
        (lambda t: math.sin(50 * t), 50.0),
        (lambda t: 1e8 + t, 1.0),
        (lambda t: 1e-9 * math.tanh(t), 1e-9),
        (lambda t: 7.0, 0.0),
    ],
)
def test_slopes_and_their_own_uncertainty(function: object, known: float) -> None:
    found = slope(function)  # type: ignore[arg-type]
    assert abs(found.value - known) <= 10 * found.uncertainty + 1e-9 * abs(known)
    assert not found.has_kink
    assert found.uncertainty <= 1e-3 * abs(known) + 1e-10


@pytest.mark.parametrize("lost", [None, 2, 6, 10])
def test_each_slope_is_as_unsure_as_the_smaller_steps_show(lost: int | None) -> None:
    """Step by step, as the docstring says it; whatever has a slope among its smaller steps that is no number is not told."""
    random = np.random.default_rng(4)
    steps = 0.3 * 0.27 ** np.arange(12)
    better, noise = 2 + 1e-9 * random.normal(size=11) / steps[1:], 3e-9
    if lost is not None:
        better[lost] = np.nan
    expected = [math.inf] * 11
    for place in range(1, 8):
        seen = max(*(abs(better[later] - better[place]) * steps[later + 1] for later in range(place + 1, 11)), noise)
        expected[place] = abs(better[place] - better[place - 1]) + 2 * seen / steps[place + 1]
    told = [all(np.isfinite(better[place - 1 :])) for place in range(11)]
    found = _uncertainties(better, steps, noise)
    np.testing.assert_array_equal(found, np.where(told, expected, math.inf))


def test_a_jump_has_no_slope_and_its_height() -> None:
    assert abs(slope(lambda t: 3.0 * (t > 0) + t).jump - 3.0) < 0.1
    assert slope(lambda t: math.exp(t)).jump == 0.0
    assert slope(lambda t: 1e-9 + 1e8 * t).jump == 0.0


def test_a_kink_has_two_slopes() -> None:
    found = slope(abs)
    assert found.has_kink
    assert found.bend == pytest.approx(2.0)
    assert found.holds(0.3)
    assert not found.holds(1.1)
    assert relative(1.0, 1.0) == 0.0


def test_slopes_that_are_nearly_lost_are_still_told() -> None:
    # Twelve sigmoid layers: ∂C/∂W of the first is some 10⁻⁹, its biases some 10⁻⁵, C about 0.7.
    net = "2-" + "-".join(["4"] * 12) + "-2 sigmoid softmax"
    explanation = cr.fit(net, cr.data.moons(90), epochs=1).explain(0)
    derivative = explanation.trace.derivative("dense1.W")
    assert derivative is not None
    assert np.max(np.abs(derivative)) < 1e-7
    assert {check.state for check in (*explanation.rules, *explanation.entries)} == {"agrees"}


def test_an_argument_of_a_logarithm_is_moved_in_its_own_units() -> None:
    w = parameter("w", (2,))
    explanation = explain_graph(Graph({"C": ops.sum(ops.log(w))}), {"w": np.array([1e-9, 2.0])})
    assert {check.state for check in (*explanation.rules, *explanation.entries)} == {"agrees"}


def test_pooling_of_equal_numbers_lies_at_a_kink_and_its_rule_is_right_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    x = parameter("x", (1, 40, 40))
    graph = Graph({"C": weighed(ops.max(ops.relu(x).named("a"), axis=2))})
    explanation = explain_graph(graph, {"x": -np.ones((1, 40, 40))}, every=True)
    assert {check.state for check in explanation.rules} == {"agrees", "kink"}
    rule = ops.reduce_max.vjp_rule
    assert rule is not None
    monkeypatch.setattr(
        ops.reduce_max, "vjp_rule", lambda *a, **k: tuple(None if g is None else g * 0.5 for g in rule(*a, **k))
    )
    again = explain_graph(graph, {"x": -np.ones((1, 40, 40))}, every=True)
    assert "differs" in {check.state for check in again.rules}


def test_no_derivative_of_a_network_that_has_learned_is_called_wrong() -> None:
    run = cr.fit("2-8-8-2 tanh softmax", "moons", optimizer=cr.Adam(0.02), epochs=300)
    found = [run.explain(place) for place in range(6)]
    assert all(explanation.agrees for explanation in found)
    states = {check.state for explanation in found for check in (*explanation.rules, *explanation.entries)}
    assert states <= {"agrees", "unclear"}


def test_without_longer_numbers_nothing_is_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "PRECISIONS", ((np.float64, 12), (np.float64, 12), (np.float64, 24)))
    run = cr.fit("2-8-8-2 tanh softmax", "moons", optimizer=cr.Adam(0.02), epochs=300)
    assert all(run.explain(place).agrees for place in range(3))


@pytest.mark.parametrize(
    "branch",
    [ops.exp, ops.log, ops.sqrt, lambda x: 1.0 / x, lambda x: ops.power(x, -2.0), lambda x: ops.exp(ops.exp(x))],
)
def test_what_is_not_chosen_leaves_no_trace_in_derivatives_of_both_orders(branch) -> None:  # type: ignore[no-untyped-def]
    x = cr.input_node("x", (4,))
    values = {x: np.array([0.0, -1.0, 1000.0, 0.7])}
    y = ops.sum(ops.where(ops.equal(x, 0.7), branch(x), ops.sin(x)))
    (slope,) = cr.grad(y, [x])
    (curvature,) = cr.grad(ops.sum(slope), [x])
    first, second = cr.compute([slope, curvature], values)
    np.testing.assert_allclose(first[:3], np.cos(values[x][:3]), rtol=1e-15)
    np.testing.assert_allclose(second[:3], -np.sin(values[x][:3]), rtol=1e-15)


def test_several_examples_at_the_kink_are_at_a_kink_whatever_their_slopes_are() -> None:
    # Inputs and biases of 0: the one-sided slopes are sums over examples, and the rule takes none of them.
    random = np.random.default_rng(0)
    x, y = np.zeros((6, 2)), random.normal(size=(6, 1))
    rest = random.normal(size=(14, 2)), random.normal(size=(14, 1))
    data = cr.data.from_arrays(np.r_[x, rest[0]], np.r_[y, rest[1]], split=None, scaling="none", target_scaling="none")
    explanation = cr.fit("2-4-1 relu", data, epochs=0).explain((x, y))
    assert explanation.agrees
    assert "kink" in {check.state for check in explanation.rules}
    assert "at a kink" in str(explanation)


def test_entries_that_differ_are_all_named(monkeypatch: pytest.MonkeyPatch) -> None:
    run = cr.fit("2-6-2 tanh softmax", cr.data.moons(60), epochs=5)
    monkeypatch.setattr(ops.tanh, "vjp_rule", lambda g, out, x: (g * (1.0 - out * out * 0.5),))
    explanation = run.explain(0)
    wrong = [check for check in explanation.entries if check.state == "differs"]
    assert len(wrong) > len({check.name for check in wrong})
    text = str(explanation)
    assert all(f"∂C/∂{check.name}[{','.join(map(str, check.index))}]" in text for check in wrong)
