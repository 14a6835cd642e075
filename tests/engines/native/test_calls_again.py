"""A call of a compiled loop like the last one takes its arrays: it computes with what it was given, and leaves earlier results alone."""

import numpy as np
import pytest

from chainrule.engines import Loop, ReferenceEngine
from chainrule.engines.native.engine import NativeEngine
from chainrule.errors import GraphError
from chainrule.graph import Graph, input_node, parameter

ROWS = np.arange(24.0).reshape(8, 3)


def loop(*, in_order=False):
    """w ← w + rate · Σ of the batch; what is stacked are the rows times w as it was."""
    x, w, rate = input_node("x", (2, 3)), parameter("w", (3,)), input_node("rate", ())
    outputs = {"y": x * w, "norm": (w * w).sum()}
    moved = {} if in_order else {"w": w + rate * x.sum(axis=0)}
    scalars = () if in_order else ("rate",)
    return Loop({2: Graph({**outputs, **moved})}, {"x": "x"}, ("w",), scalars, ("norm",), ("y",), in_order)


def calls(program):
    """Several calls, each with its order, rates and state; the third after the state was changed in place, the fourth with another."""
    random = np.random.default_rng(0)
    state = program.load({"w": np.ones((2, 3))})
    found = []
    for number in range(6):
        if number == 2:
            state.arrays()["w"][...] *= -1.5
        if number == 3:
            state = program.load({"w": random.normal(size=(2, 3))})
        if number == 4:
            state.arrays()["w"] = random.normal(size=(2, 3))
        order = np.array([random.permutation(8)[:4] for _ in range(2)])
        results = program.run(state, order, np.array([2, 2]), {"rate": random.normal(size=2)})
        found.append((results, state.arrays()["w"].copy()))
    return found


def test_each_call_computes_with_what_it_is_given_and_no_later_one_changes_its_results():
    tables = {"x": ROWS}
    ours = calls(NativeEngine(1).compile_loop(loop(), tables, 2))
    for (results, w), (expected, expected_w) in zip(
        ours, calls(ReferenceEngine().compile_loop(loop(), tables, 2)), strict=True
    ):
        np.testing.assert_allclose(results.stacked["y"], expected.stacked["y"], rtol=1e-13)
        np.testing.assert_allclose(results.records["norm"], expected.records["norm"], rtol=1e-13)
        np.testing.assert_allclose(w, expected_w, rtol=1e-13)


def test_what_was_given_is_the_callers_before_and_after():
    program = NativeEngine(1).compile_loop(loop(), {"x": ROWS}, 1)
    state, rates, order = program.load({"w": np.ones((1, 3))}), np.array([0.5]), np.array([[0, 1]])
    program.run(state, order, np.array([2]), {"rate": rates})
    program.run(state, np.array([[6, 7]]), np.array([2]), {"rate": np.array([9.0])})
    assert (rates.tolist(), order.tolist()) == ([0.5], [[0, 1]])


@pytest.mark.parametrize("order", [[[0, 8]], [[-1, 3]]], ids=["behind the last", "before the first"])
def test_a_later_call_is_looked_at_like_the_first(order):
    program = NativeEngine(1).compile_loop(loop(), {"x": ROWS}, 1)
    state = program.load({"w": np.ones((1, 3))})
    given = np.array([2]), {"rate": np.array([0.5])}
    for _ in range(2):
        program.run(state, np.array([[0, 1]]), *given)
    before = state.arrays()["w"].copy()
    with pytest.raises(GraphError, match="rows"):
        program.run(state, np.array(order), *given)
    with pytest.raises(GraphError, match="a scalar"):
        program.run(state, np.array([[0, 1]]), np.array([2]), {"rate": np.zeros(2)})
    np.testing.assert_array_equal(state.arrays()["w"], before)


def test_rows_as_they_lie_stay_so_in_a_later_call():
    program = NativeEngine(1).compile_loop(loop(in_order=True), {"x": ROWS}, 1)
    state, sizes = program.load({"w": np.full((1, 3), 2.0)}), np.array([2, 2])
    for _ in range(2):
        np.testing.assert_array_equal(program.run(state, np.arange(4)[None], sizes, {}).stacked["y"][0], ROWS[:4] * 2)
    with pytest.raises(GraphError, match="another order"):
        program.run(state, np.array([[1, 0, 2, 3]]), sizes, {})


def test_other_tables_are_read_from_where_they_lie():
    program = NativeEngine(1).compile_loop(loop(in_order=True), {"x": ROWS}, 1)
    state, given = program.load({"w": np.ones((1, 3))}), (np.arange(2)[None], np.array([2]), {})
    assert program.run(state, *given).stacked["y"].sum() == ROWS[:2].sum()
    assert program.over({"x": ROWS + 1}).run(state, *given).stacked["y"].sum() == ROWS[:2].sum() + 6
