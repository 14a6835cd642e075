"""The kinds of mistakes that no other test makes by hand, each made in a small graph; and that none of the catalogue is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import test_gradient_check
import test_gradient_check_layers
from gradients_by_hand import backprop, backprop_through_time, case, recurrent

import chainrule as cr
from chainrule import ops
from chainrule.graph import Array, Graph, input_node, parameter
from chainrule.nn import L2, CrossEntropy
from chainrule.trace import GradientCheck, check_gradient
from chainrule.trace.mistakes import CATALOGUE, table

Values = dict[str, Array]


def named(found: GradientCheck) -> list[tuple[str, tuple[str, ...]]]:
    return [(mistake.name, mistake.layers) for mistake in found.diagnosis]


def values_of(graph: Graph, seed: int = 0) -> Values:
    random = np.random.default_rng(seed)
    return {name: random.normal(size=node.shape) for name, node in graph.leaves.items()}


# ---- time


def through_time(v: Values, mistake: str) -> Values:
    """As in the helper, from the parts of each step."""
    graph, values = recurrent()
    del graph, values
    parts = {name: [np.zeros_like(v[name])] * 4 for name in ("U", "W", "b")}
    h = {-1: np.full((3, 5), 0.1)}
    for t in range(4):
        h[t] = np.tanh(v[f"x{t}"] @ v["U"] + h[t - 1] @ v["W"] + v["b"])
    back, g = np.zeros((3, 5)), {"V": np.zeros_like(v["V"]), "c": np.zeros_like(v["c"])}
    for t in reversed(range(4)):
        error = (h[t] @ v["V"] + v["c"] - v[f"y{t}"]) / 3
        g = {"V": g["V"] + h[t].T @ error, "c": g["c"] + error.sum(0)}
        delta = (error @ v["V"].T + back) * (1 - h[t] ** 2)
        other = 3 - t if mistake == "inputs in reversed order of time" else t
        parts["U"][t], parts["W"][t], parts["b"][t] = v[f"x{other}"].T @ delta, h[t - 1].T @ delta, delta.sum(0)
        back = delta @ v["W"].T
    twice = 1 if mistake == "a time step counted twice" else 0
    return {**g, **{name: sum(rows) + twice * rows[1] for name, rows in parts.items()}}


@pytest.mark.parametrize("mistake", ["", "a time step counted twice", "inputs in reversed order of time"])
def test_time(mistake: str) -> None:
    graph, values = recurrent()
    found = check_gradient(lambda v: through_time(v, mistake), graph, values)
    assert named(found) == ([(mistake, ("U+W+b",))] if mistake else [])
    if mistake == "a time step counted twice":
        assert found.diagnosis[0].at == "step 2"


def test_the_first_and_the_last_use_are_not_mixed_up_on_the_unrolled_graph() -> None:
    x, y = np.random.default_rng(0).normal(size=(30, 6, 3)), np.random.default_rng(1).normal(size=(30, 1))
    model = cr.fit(cr.Sequential(cr.RNN(4), cr.Dense(1)), (x, y), epochs=0).model()
    steps = model.through_time(x[:7], y[:7])
    parts = {name: steps.contributions(name) for name in ("rnn1.W", "rnn1.U", "rnn1.b")}
    graph = model.unrolled(7)
    values = {**model.values, "x": x[:7], "y": y[:7]}
    for place, mistake in ((0, "only the first use counted"), (-1, "only the last use counted")):
        mine = {**model.gradient(x[:7], y[:7]), **{name: rows[place] for name, rows in parts.items()}}
        for found in (
            check_gradient(mine, graph, {name: v for name, v in values.items() if name in graph.leaves}, cost="C"),
            model.check_gradient(mine, x[:7], y[:7]),
        ):
            # To the first step comes what is multiplied with the first state, which is 0.
            assert (mistake, ("rnn1",)) in named(found)


@pytest.mark.parametrize("mistake", ["only the last use counted", "mean over the uses"])
def test_uses_by_hand(mistake: str) -> None:
    graph, values = recurrent()
    found = check_gradient(lambda v: backprop_through_time(v, mistake, ("U", "W", "b")), graph, values)
    assert named(found) == [(mistake, ("U+W+b",))]


# ---- kinks and ties


def test_another_convention_at_the_kink() -> None:
    W, b, x = parameter("W", (2, 3)), parameter("b", (3,)), input_node("x", (5, 2))
    V = parameter("V", (3, 1))
    graph = Graph({"C": ops.mean(ops.relu(x @ W + b) @ V)})
    values = {**values_of(graph), "b": np.zeros(3)}
    values["x"][1] = 0

    def mine(v: Values, at_zero: float) -> Values:
        z = v["x"] @ v["W"] + v["b"]
        delta = np.full((5, 1), 1 / 5)
        back = delta @ v["V"].T * np.where(z == 0, at_zero, z > 0)
        return {"W": v["x"].T @ back, "b": back.sum(0), "V": np.maximum(z, 0).T @ delta}

    assert check_gradient(lambda v: mine(v, 0), graph, values).ok
    for slope in (1.0, 0.5):
        found = check_gradient(lambda v, slope=slope: mine(v, slope), graph, values)
        assert ("another derivative at the kink", ("W+b",)) in named(found)


@pytest.mark.parametrize("mistake", ["", "pool's gradient at the smallest entry"])
@pytest.mark.parametrize("ties", [False, True])
def test_pools(mistake: str, ties: bool) -> None:
    W, x = parameter("W", (3, 4)), input_node("x", (5, 3))
    pooled = ops.max(ops.reshape(x @ W, shape=(5, 2, 2)), 2)
    graph = Graph({"C": ops.mean(ops.sum(pooled * pooled, 1))})
    values = values_of(graph)
    if ties:
        values["W"][:, 1] = values["W"][:, 0]

    def mine(v: Values) -> Values:
        z = (v["x"] @ v["W"]).reshape(5, 2, 2)
        share = np.eye(2)[np.argmin(z, axis=2) if mistake else np.argmax(z, axis=2)]
        delta = (2 * z.max(axis=2) / 5)[..., None] * share
        return {"W": v["x"].T @ delta.reshape(5, 4)}

    found = check_gradient(mine, graph, values)
    # Which of two equal entries is largest is a matter of rounding: each of the ways is right.
    assert found.ok is not bool(mistake)
    if not ties:
        assert named(found) == ([(mistake, ("W",))] if mistake else [])


@pytest.mark.parametrize("share", [[1.0, 0.0], [1.0, 1.0]])
def test_ties_that_are_no_matter_of_rounding(share: list[float]) -> None:
    b = parameter("b", (4,))
    pooled = ops.max(ops.reshape(b, shape=(2, 2)), 1) + 1.0
    graph = Graph({"C": ops.sum(pooled * pooled)})
    mine = {"b": np.array([*share, *share]) * 2}
    # With ties alone it looks like other ways to share, too.
    assert ("tied entries of a pool treated otherwise", ("b",)) in named(check_gradient(mine, graph, {"b": np.zeros(4)}))


# ---- arrays and factors


def test_a_gradient_that_was_reshaped_in_place_of_transposed() -> None:
    example = case("4-6-5-3 tanh linear", "mean_squared_error", batch=7)
    mine = backprop(example)
    mine["dense2.W"] = mine["dense2.W"].T.reshape(6, 5)
    found = check_gradient(mine, example.graph, example.values)
    assert named(found) == [("reshaped in place of transposed", ("dense2",))]


def test_a_penalty_that_is_added_for_each_example() -> None:
    example = case("3-4-3 tanh softmax", CrossEntropy() + L2(0.05), batch=7)
    mine = backprop(example)
    mine = {name: g + (6 * 0.1 * example.values[name] if name.endswith("W") else 0) for name, g in mine.items()}
    found = check_gradient(mine, example.graph, example.values)
    assert named(found) == [("penalty multiplied by B", ("dense1", "dense2"))]


@pytest.mark.parametrize("mistake", ["", "factor of the forward pass applied twice", "sum over a broadcast forgotten"])
def test_constants_and_broadcasts(mistake: str) -> None:
    W, V, x = parameter("W", (3, 4)), parameter("V", (4, 2)), input_node("x", (6, 3))
    a = ops.tanh(x @ W)
    pooled = ops.broadcast_to(ops.reshape(ops.sum(a, 0), shape=(1, 4)), shape=(6, 4))
    graph = Graph({"C": ops.mean(ops.sum(ops.sin((a * 0.3 + pooled) @ V), 1))})

    def mine(v: Values) -> Values:
        h = np.tanh(v["x"] @ v["W"])
        inner = h * 0.3 + h.sum(axis=0)
        g = np.cos(inner @ v["V"]) / 6
        back = g @ v["V"].T
        direct = back * (0.09 if "twice" in mistake else 0.3)
        over = back.mean(axis=0) if "broadcast" in mistake else back.sum(axis=0)
        return {"W": v["x"].T @ ((direct + over) * (1 - h * h)), "V": inner.T @ g}

    assert [name for name, _ in named(check_gradient(mine, graph, values_of(graph)))] == ([mistake] if mistake else [])


# ---- all of them


def planted_elsewhere() -> set[str]:
    by_hand = {row[1] for row in test_gradient_check.planted()} | {row[1] for row in test_gradient_check_layers.PLANTED}
    by_hand |= {row[0] for row in test_gradient_check_layers.ATTENTION}
    return by_hand | {
        "not a number", "another parameter's gradient", "a common factor", "σ′ of another layer", "unscaled inputs in ∂C/∂W",
        "the inputs are not scaled", "the inputs are scaled twice", "the targets are not scaled", "neither inputs nor targets are scaled",
        "penalty that the cost does not have", "another strength of the penalty", "the last example lost", "the first example lost",
        "gradient of the training mode", "dropout mask forgotten", "gradient clipped", "gradient made to length 1",
        "a factor in some arrays", "a time step counted twice", "inputs in reversed order of time", "another derivative at the kink",
        "only the last use counted",
        "pool's gradient at the smallest entry", "tied entries of a pool treated otherwise", "reshaped in place of transposed",
        "penalty multiplied by B", "factor of the forward pass applied twice", "sum over a broadcast forgotten",
    }  # fmt: skip


def test_every_mistake_of_the_catalogue_is_made_by_hand_somewhere() -> None:
    assert {kind.name for kind in CATALOGUE} <= planted_elsewhere()


def test_the_table_has_a_row_for_each() -> None:
    rows = table().splitlines()
    assert len(rows) == len(CATALOGUE) + 2
    assert all(kind.name in row for kind, row in zip(CATALOGUE, rows[2:], strict=True))
    page = (Path(__file__).parents[2] / "docs" / "gradient_check.md").read_text(encoding="utf-8")
    assert table() in page
    assert f"The {len(CATALOGUE)} kinds" in page
