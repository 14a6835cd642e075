"""The wording of traces: symbols, formulas and rules in every notation, with numbers, as text, LaTeX and Python."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.errors import OptionError
from chainrule.graph import Graph, constant, input_node, parameter
from chainrule.trace import NOTATIONS, Explanation, Trace, Wording
from chainrule.trace.numbers import numbers

sys.path.insert(0, str(Path(__file__).parents[1] / "ops"))
from op_cases import CASES, Case


@pytest.fixture(scope="module")
def explanation() -> Explanation:
    x = np.array([[0.5, -1.0], [1.0, 0.25]] * 5)
    data = cr.data.from_arrays(x, (x[:, 0] > 0.7).astype(int))
    weights = {"dense1.W": [[1.0, -2.0], [0.5, 1.5]], "dense1.b": [0.1, -0.1], "dense2.W": [[1.0], [-1.0]], "dense2.b": [0.25]}
    initial = {name: np.array(value) for name, value in weights.items()}
    run = cr.fit("2-2-1 tanh sigmoid", data, loss="squared_error", epochs=0, batch_size=1, initial=initial, dtype="float64")
    return run.explain((data.train.x[:1], data.train.y[:1]))


def lines(wording: Wording) -> dict[str, str]:
    return {wording.symbol(q): wording.formula(q) for q in wording.trace.quantities if not q.is_leaf}


def test_names_of_nodes_and_formulas_agree(explanation: Explanation) -> None:
    found = lines(Wording(explanation.trace))
    assert found["dense1.z"] == "input.a dense1.W + dense1.b"
    assert found["dense1.a"] == "tanh(dense1.z)"
    assert found["dense2.a"] == "σ(dense2.z)"
    assert lines(Wording(explanation.trace, "layers"))["z⁽²⁾"] == "a⁽¹⁾ W⁽²⁾ + b⁽²⁾"


def test_rules_are_written_from_the_rules_that_run(explanation: Explanation) -> None:
    wording = Wording(explanation.trace, "delta")
    rules = {
        (q.name, source.name): wording.rule(q, place)
        for q in explanation.trace.quantities
        for place, source in enumerate(q.inputs)
    }
    assert rules["dense2.z", "dense2.W"] == "a⁽¹⁾ᵀ δ⁽²⁾"
    assert rules["dense2.z", "dense1.a"] == "δ⁽²⁾ W⁽²⁾ᵀ"
    assert rules["C", "loss"] == "1"
    assert wording.derivative(explanation.trace.quantity("dense1.z"), "latex") == r"\delta^{(1)}"
    place = explanation.trace.quantity("dense2.a")
    assert wording.local(place, 0) == "a⁽²⁾·(1 − a⁽²⁾)"
    assert wording.local(explanation.trace.quantity("dense2.z"), 0) == "", "no single slope: each entry depends on several"


def test_latex(explanation: Explanation) -> None:
    wording = Wording(explanation.trace, "layers")
    assert wording.formula(explanation.trace.quantity("dense1.z"), "latex") == r"a^{(0)}\, W^{(1)} + b^{(1)}"
    assert (
        wording.derivative(explanation.trace.quantity("dense1.W"), "latex", (0, 1))
        == r"\frac{\partial C}{\partial W^{(1)}_{0,1}}"
    )


def test_numbers_stand_for_symbols_and_give_the_value(explanation: Explanation) -> None:
    wording, trace = explanation.wording, explanation.trace
    z = trace.quantity("dense1.z")
    a = trace.value("input.a")[0]
    written = wording.numbers(z, (0, 1))
    assert written == f"{_short(a[0])}·(−2) + {_short(a[1])}·1.5 + (−0.1)"


def _short(value: float) -> str:
    text = f"{value:.4g}".replace("-", "−")
    return f"({text})" if value < 0 else text


def test_code_runs_and_gives_the_same_numbers(explanation: Explanation) -> None:
    trace, wording = explanation.trace, Wording(explanation.trace, "code")
    known = {wording.symbol(q): constant(trace.value_of(q)) for q in trace.quantities if q.is_leaf}
    room = {**vars(ops), "constant": constant, **known}
    for quantity in trace.quantities:
        if not quantity.is_leaf:
            exec(f"{wording.symbol(quantity)} = {wording.formula(quantity)}", room)
            (value,) = cr.compute([room[wording.symbol(quantity)]])
            np.testing.assert_allclose(value, trace.value_of(quantity), rtol=1e-13)
    room["grad_C"] = constant(1.0)
    for quantity in reversed(trace.quantities):
        for place, source in enumerate(quantity.inputs):
            if wording.rule(quantity, place):
                exec(f"{wording.derivative(source)} = {wording.rule(quantity, place)}", room)
                (value,) = cr.compute([room[wording.derivative(source)]])
                np.testing.assert_allclose(value, trace.arriving(source), rtol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_op_can_be_written_with_numbers(case: Case) -> None:
    nodes = case.nodes()
    out = case.build(*nodes)
    values = dict(zip(nodes, case.arrays(), strict=True))
    index = tuple(0 for _ in out.shape)
    if out.type.size:
        for style in ("text", "latex"):
            assert numbers(out, index, values, style)


def test_long_sums_are_cut_to_their_largest_terms_and_the_rest_is_added_up() -> None:
    x = input_node("x", (9,))
    assert numbers(ops.sum(x), (), {x: np.array([1.0, 8, 2, 9, 1, 7, 1, 1, 1])}) == "8 + 9 + 7 + (6 more: 7)"
    assert numbers(ops.max(x), (), {x: np.array([1.0, 8, 2, 9, 1, 7, 1, 1, 1])}) == "max(8, 9, 7, 6 more)"
    four = ops.slice_axis(x, 0, 0, 4)
    assert numbers(ops.min(four), (), {x: np.arange(9.0)}) == "min(0, 1, 2, 3)"
    assert numbers(ops.max(x), (), {x: np.arange(9.0)}, "latex") == r"\max(6, 7, 8, \text{6 more})"


def test_a_negative_number_is_put_in_parentheses_where_it_must_be() -> None:
    x = input_node("x")
    assert numbers(1.0 - x * x, (), {x: np.array(-2.0)}) == "1 − (−2)·(−2)"


def test_symbols_of_what_is_no_layer() -> None:
    w = parameter("w")
    trace = Trace(Graph({"C": ops.exp(w)}), {"w": 0.0})
    for notation in NOTATIONS:
        assert Wording(trace, notation).symbol(trace.quantity("w")) == "w"
    with pytest.raises(OptionError, match="notation 'greek'"):
        Wording(trace, "greek")  # type: ignore[arg-type]
