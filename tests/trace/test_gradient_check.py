"""The gradient checker: each classic mistake, made on purpose in each layer, is named with its layers, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from gradients_by_hand import BATCH, STEPS, Case, backprop, backprop_through_time, case, recurrent

import chainrule as cr
from chainrule import ops
from chainrule.errors import DtypeError, GraphError, OptionError, ShapeError
from chainrule.graph import Array, Graph, constant, input_node, parameter
from chainrule.nn import L2, CrossEntropy, SquaredError
from chainrule.trace import GradientCheck, check_gradient

CASES = {
    "softmax": case("2-3-2 tanh softmax", "cross_entropy"),
    "sigmoid": case("3-3-3-1 sigmoid sigmoid", "half_squared_error"),
    "relu": case("4-6-5-3 relu linear", "mean_squared_error", batch=7),
    "penalty": case("3-4-2 tanh softmax", CrossEntropy() + L2(0.05), batch=7),
    "square": case("4-4-4-4 tanh linear", "squared_error", batch=4),
    "leaky": case("3-5-4-2 leaky_relu softmax", SquaredError(mean=False), batch=7),
    "sums": case("3-4-3 tanh linear", "squared_error", batch=7),
    "binary": case("3-4-1 sigmoid sigmoid", "binary_cross_entropy"),
}
SCALES = ("missing 1/B", "factor 2", "factor ½", "wrong sign")
INSIDE = ("missing σ′", "σ′ taken at a", "σ′ applied twice")


def named(found: GradientCheck) -> list[tuple[str, tuple[str, ...]]]:
    return [(mistake.name, mistake.layers) for mistake in found.diagnosis]


def dense(*layers: int) -> tuple[str, ...]:
    return tuple(f"dense{n}" for n in layers)


def checked(example: Case, mistake: str = "", *layers: int) -> GradientCheck:
    return check_gradient(backprop(example, mistake, layers), example.graph, example.values)


@pytest.mark.parametrize("name", CASES)
def test_a_right_gradient_is_right(name: str) -> None:
    found = checked(CASES[name])
    assert found.ok
    assert not found.diagnosis
    assert found.judge.confirmed
    assert all(row.difference < 1e-12 and row.share == 1 for row in found.parameters)
    assert str(found).startswith("Right")


def planted() -> list[tuple[str, str, tuple[int, ...]]]:
    """Every mistake in every layer that it can be made in, and in several at once."""
    rows: list[tuple[str, str, tuple[int, ...]]] = []
    for name, example in CASES.items():
        layers = tuple(range(1, example.layers + 1))
        subsets = [*((n,) for n in layers), layers, layers[:2], layers[-2:]]
        for subset in dict.fromkeys(subsets):
            rows += [(name, scale, subset) for scale in SCALES if not (name == "square" and scale == "missing 1/B")]
    for name in ("softmax", "sigmoid", "square", "leaky", "relu", "binary"):
        hidden = range(1, CASES[name].layers)
        # The derivative of ReLU and its kin has the same value at a as at z, and ReLU's is its own square.
        kinds = {"relu": INSIDE[:1], "leaky": (INSIDE[0], INSIDE[2])}.get(name, INSIDE)
        rows += [(name, kind, (n,)) for kind in kinds for n in hidden]
        if len(hidden) > 1:
            rows += [(name, kind, tuple(hidden)) for kind in kinds]
    rows += [("sigmoid", kind, (3,)) for kind in INSIDE] + [
        ("sigmoid", "missing σ′", (1, 2, 3)),
        ("softmax", "missing σ′", (2,)),
    ]
    rows += [("sigmoid", "weights not transposed", (n,)) for n in (2,)] + [
        ("square", "weights not transposed", at) for at in ((2,), (3,), (2, 3))
    ]
    rows += [("sigmoid", "gradient transposed", at) for at in ((1,), (2,), (1, 2))] + [
        ("square", "gradient transposed", (1, 2, 3))
    ]
    rows += [("square", "bias summed over the wrong axis", at) for at in ((1,), (2,), (3,), (1, 2, 3))]
    rows += [(name, "bias averaged over the batch", at) for name in ("softmax", "relu") for at in ((1,), (2,), (1, 2))]
    rows += [("softmax", "softmax Jacobian taken as diagonal", (2,)), ("leaky", "softmax Jacobian taken as diagonal", (3,))]
    rows += [("softmax", "p·(1 − p) on top of p − t", (2,)), ("binary", "p·(1 − p) on top of p − t", (2,))]
    rows += [("relu", "sum over the outputs", at) for at in ((3,), (1, 2, 3))] + [
        ("relu", "1/B too often", at) for at in ((3,), (1, 2, 3))
    ]
    rows += [("sigmoid", "weights updated before use", at) for at in ((2,), (3,), (2, 3))]
    rows += [("relu", "weights updated before use", (2, 3)), ("penalty", "weights updated before use", (2,))]
    for mistake in ("penalty forgotten", "factor 2 in the penalty", "factor ½ in the penalty", "penalty divided by B",
                    "wrong sign of the penalty", "penalty on the biases", "accumulated twice"):  # fmt: skip
        rows += [("penalty", mistake, at) for at in ((1,), (2,), (1, 2))]
    rows += [("sums", "mean over the outputs", at) for at in ((2,), (1, 2))]
    rows += [(name, "z in place of a", (2,)) for name in ("sigmoid", "relu", "softmax")]
    rows += [("sigmoid", "a layer's output in place of its input", at) for at in ((1,), (2,), (1, 2))]
    for mistake in ("only the last example counted", "only the first example counted"):
        rows += [(name, mistake, at) for name in ("sigmoid", "softmax") for at in ((1,), (2,), (1, 2))]
    return rows


@pytest.mark.parametrize(("name", "mistake", "layers"), planted())
def test_a_planted_mistake_is_named_with_its_layers(name: str, mistake: str, layers: tuple[int, ...]) -> None:
    found = checked(CASES[name], mistake, *layers)
    assert not found.ok
    expected = [(mistake, dense(*layers))]
    if mistake == "factor ½" and CASES[name].sizes[-1] == 2:  # half of it is also the mean of two outputs
        expected.append(("mean over the outputs", dense(*layers)))
    assert named(found) == expected
    assert len(found.explanations) == len(expected)


def test_the_wrong_axis_shows_in_the_numbers_where_shapes_agree() -> None:
    found = checked(CASES["square"], "bias summed over the wrong axis", 2)
    assert [row.name for row in found.parameters if row.verdict == "wrong"] == ["dense2.b"]


# ---- recurrent networks


@pytest.mark.parametrize("mistake", ["mean over the uses", "only the last use counted", "only the first use counted"])
@pytest.mark.parametrize("arrays", [("W",), ("U", "W", "b"), ("U", "W", "b", "V", "c")])
def test_mistakes_about_the_uses_of_shared_weights(mistake: str, arrays: tuple[str, ...]) -> None:
    graph, values = recurrent()
    found = check_gradient(lambda v: backprop_through_time(v, mistake, arrays), graph, values)
    layers = ("U+W+b", "V+c") if "V" in arrays else ("U+W+b",)
    assert named(found) == [(mistake, layers)]


@pytest.mark.parametrize("mistake", ["", "missing σ′", "weights not transposed"])
def test_mistakes_in_a_recurrent_backward_pass(mistake: str) -> None:
    graph, values = recurrent()
    found = check_gradient(lambda v: backprop_through_time(v, mistake), graph, values)
    assert named(found) == ([(mistake, ("U+W+b",))] if mistake else [])
    assert STEPS != BATCH


# ---- two mistakes at once


@pytest.mark.parametrize("scale", [-1.0, 2.0, 5.0])
@pytest.mark.parametrize(
    "mistake", ["missing σ′", "weights not transposed", "gradient transposed", "weights updated before use"]
)
def test_a_factor_and_another_mistake_are_both_named(scale: float, mistake: str) -> None:
    example = CASES["sigmoid"]
    mine = {name: scale * array for name, array in backprop(example, mistake, (2,), rate=0.3 * scale).items()}
    found = check_gradient(mine, example.graph, example.values)
    factor = {-1.0: "wrong sign", 2.0: "factor 2", 5.0: "missing 1/B"}[scale]
    assert set(named(found)) == {(factor, dense(1, 2, 3)), (mistake, dense(2))}
    assert len(found.explanations) == 1


def test_two_factors_are_both_named() -> None:
    example = CASES["softmax"]
    mine = {name: -5 * array for name, array in backprop(example).items()}
    assert set(named(check_gradient(mine, example.graph, example.values))) == {
        ("wrong sign", dense(1, 2)),
        ("missing 1/B", dense(1, 2)),
    }


def test_a_factor_that_is_applied_in_each_layer_is_said_to_grow() -> None:
    example = CASES["sigmoid"]
    mine = {name: array * 2.0 ** (4 - int(name[5])) for name, array in backprop(example).items()}
    (mistake,) = check_gradient(mine, example.graph, example.values).diagnosis
    assert (mistake.name, mistake.layers) == ("factor 2", dense(1, 2, 3))
    assert "8 in dense1.W" in mistake.evidence
    assert "grows from layer to layer" in mistake.evidence


def test_the_learning_rate_of_an_early_update_is_found() -> None:
    (mistake,) = checked(CASES["sigmoid"], "weights updated before use", 2, 3).diagnosis
    assert "η = 0.3" in mistake.evidence


def test_a_learning_rate_in_the_gradient_is_a_common_factor() -> None:
    example = CASES["softmax"]
    mine = {name: 0.03 * array for name, array in backprop(example).items()}
    (mistake,) = check_gradient(mine, example.graph, example.values).diagnosis
    assert mistake.name == "a common factor"
    assert "0.03" in mistake.evidence


# ---- what cannot be seen is not said, what cannot be told apart is said


def test_with_one_example_a_missing_division_by_the_batch_is_no_mistake() -> None:
    example = case("2-3-2 tanh softmax", "cross_entropy", batch=1)
    assert checked(example, "missing 1/B", 1, 2).ok


def test_with_two_examples_a_missing_division_looks_like_a_factor_of_two() -> None:
    example = case("2-3-2 tanh softmax", "cross_entropy", batch=2)
    found = checked(example, "missing 1/B", 1, 2)
    assert set(named(found)) == {("missing 1/B", dense(1, 2)), ("factor 2", dense(1, 2))}
    assert len(found.explanations) == 2
    assert "cannot be told apart here" in str(found)
    assert "batch of 7" in str(found)


def test_a_relu_that_is_always_on_hides_its_missing_mask() -> None:
    example = CASES["relu"]
    values = {**example.values, "dense1.b": np.full(6, 100.0)}
    open_relu = Case(example.text, example.loss, example.batch, example.graph, values)
    assert checked(open_relu, "missing σ′", 1).ok
    # With both layers wrong only the one that has an effect is named.
    assert named(checked(open_relu, "missing σ′", 1, 2)) == [("missing σ′", dense(2))]


def test_a_penalty_is_left_alone_by_a_factor_of_the_data_term() -> None:
    found = checked(CASES["penalty"], "factor 2", 1, 2)
    assert named(found) == [("factor 2", dense(1, 2))]
    assert named(checked(CASES["penalty"], "accumulated twice", 1, 2)) == [("accumulated twice", dense(1, 2))]


# ---- what no known mistake explains


def spoiled(example: Case, name: str, seed: int = 0) -> dict[str, Array]:
    mine = backprop(example)
    mine[name] = mine[name] + 0.1 * np.random.default_rng(seed).normal(size=mine[name].shape)
    return mine


@pytest.mark.parametrize("name", ["softmax", "sigmoid", "relu", "penalty"])
@pytest.mark.parametrize("seed", range(3))
def test_a_random_change_is_no_known_mistake(name: str, seed: int) -> None:
    example = CASES[name]
    for parameter_name in backprop(example):
        found = check_gradient(spoiled(example, parameter_name, seed), example.graph, example.values)
        assert not found.ok
        assert not found.diagnosis
        assert "No mistake that I know" in found.advice


def test_the_advice_says_where_the_fault_begins() -> None:
    example = CASES["sigmoid"]
    one = check_gradient(spoiled(example, "dense2.W"), example.graph, example.values)
    assert "dense2.b is right, so δ of dense2 is right too: look at how dense2.W is made" in one.advice
    assert "Right in dense1, dense3." in one.advice
    mine = spoiled(example, "dense2.W")
    mine["dense2.b"] = mine["dense2.b"] + 0.1
    both = check_gradient(mine, example.graph, example.values)
    assert "dense2 is the first that is wrong: look at its δ, made from that of dense3" in both.advice
    assert both["dense2.W"].cosine == pytest.approx(
        np.sum(mine["dense2.W"] * both["dense2.W"].gradient)
        / np.linalg.norm(mine["dense2.W"]) / np.linalg.norm(both["dense2.W"].gradient)
    )  # fmt: skip


def test_one_wrong_entry_is_pointed_at() -> None:
    example = CASES["sigmoid"]
    mine = backprop(example)
    mine["dense1.W"][1, 2] += 0.5
    found = check_gradient(mine, example.graph, example.values)
    assert found["dense1.W"].where == (1, 2)
    assert found["dense1.W"].share == pytest.approx(8 / 9)
    assert "1 of 9 entries differ, most of all [1, 2]" in found.advice


def test_swapped_arrays_are_named() -> None:
    example = CASES["sigmoid"]
    mine = backprop(example)
    mine["dense1.W"], mine["dense2.W"] = mine["dense2.W"], mine["dense1.W"]
    assert named(check_gradient(mine, example.graph, example.values)) == [("another parameter's gradient", dense(1, 2))]


# ---- what is given


def test_float32_arrays_are_held_to_a_looser_tolerance() -> None:
    example = CASES["softmax"]
    single = {name: array.astype(np.float32) for name, array in backprop(example).items()}
    assert check_gradient(single, example.graph, example.values).ok
    assert not check_gradient(single, example.graph, example.values, tolerance=1e-12).ok
    wrong = {name: array.astype(np.float32) for name, array in backprop(example, "missing σ′", (1,)).items()}
    assert named(check_gradient(wrong, example.graph, example.values)) == [("missing σ′", dense(1))]


def test_a_function_is_given_its_own_copies() -> None:
    example = CASES["softmax"]
    before = {name: array.copy() for name, array in example.values.items()}

    def mine(values: dict[str, Array]) -> dict[str, Array]:
        found = backprop(example)
        for array in values.values():
            array[...] = 0
        return found

    assert check_gradient(mine, example.graph, example.values).ok
    assert all(np.array_equal(example.values[name], array) for name, array in before.items())


def test_entries_that_are_no_numbers_are_named() -> None:
    example = CASES["softmax"]
    mine = backprop(example)
    mine["dense1.W"][0, 2] = np.nan
    mine["dense2.b"][1] = np.inf
    found = check_gradient(mine, example.graph, example.values)
    (mistake,) = found.diagnosis
    assert (mistake.name, mistake.layers) == ("not a number", dense(1, 2))
    assert "dense1.W: 1 entry of 6, at [0, 2]" in mistake.evidence
    assert found["dense1.W"].verdict == "not finite"
    assert "yours not a number" in str(found)


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        (lambda g: g.T, "return its transpose"),
        (lambda g: np.stack([g] * 5), "sum over the examples, δ.sum"),
        (lambda g: np.zeros(5), "the wrong axis was summed"),
        (lambda g: g.reshape(-1), "reshape it to (2, 3)"),
        (lambda g: g[:1], "check the shapes"),
    ],
)
def test_another_shape_is_refused_and_drawn(change: object, remedy: str) -> None:
    example = CASES["softmax"]
    mine = backprop(example)
    mine["dense1.W"] = change(mine["dense1.W"])
    with pytest.raises(ShapeError, match="needed \\(2, 3\\)") as refused:
        check_gradient(mine, example.graph, example.values)
    assert remedy in str(refused.value)


def test_what_does_not_fit_is_refused() -> None:
    example = CASES["softmax"]
    mine = backprop(example)
    with pytest.raises(GraphError, match=r"no gradient for dense1\.b"):
        check_gradient({name: array for name, array in mine.items() if name != "dense1.b"}, example.graph, example.values)
    with pytest.raises(GraphError, match="which the cost does not depend on"):
        check_gradient({**mine, "dense9.W": mine["dense1.W"]}, example.graph, example.values)
    with pytest.raises(DtypeError, match="int64"):
        check_gradient({**mine, "dense1.b": np.zeros(3, dtype=np.int64)}, example.graph, example.values)
    with pytest.raises(OptionError, match="cost 'D'"):
        check_gradient(mine, example.graph, example.values, cost="D")
    with pytest.raises(OptionError, match="list"):
        check_gradient(lambda values: list(values), example.graph, example.values)  # type: ignore[arg-type, return-value]
    two = Graph({"C": example.graph.outputs["C"], "D": example.graph.outputs["C"] * 2.0})
    with pytest.raises(OptionError, match="2 scalar outputs"):
        check_gradient(mine, two, example.values)
    with pytest.raises(GraphError, match="without parameters"):
        check_gradient({}, Graph({"C": ops.sum(input_node("x", (2,)))}), {"x": np.ones(2)})


def test_a_true_gradient_that_is_not_finite_is_refused() -> None:
    w = parameter("w", (2,))
    with pytest.raises(OptionError, match="not finite"):
        check_gradient({"w": np.zeros(2)}, Graph({"C": ops.sum(ops.log(w))}), {"w": np.zeros(2)})


def test_the_judge_says_where_a_kink_keeps_it_from_being_confirmed() -> None:
    w = parameter("w", (1,))
    found = check_gradient(
        {"w": np.zeros(1)}, Graph({"C": ops.sum(ops.absolute(w - 1.0)) + ops.sum(ops.relu(w - 1.0))}), {"w": np.ones(1)}
    )
    assert not found.judge.confirmed
    assert "kink" in str(found.judge)


def test_a_cost_without_data_is_no_penalty() -> None:
    w = parameter("w", (3,))
    error = w - 1.0
    graph = Graph({"C": ops.sum(error * error)})
    values = {"w": np.array([0.5, 2.0, 3.0])}
    assert check_gradient(lambda v: {"w": 2 * (v["w"] - 1)}, graph, values).ok
    assert [m.name for m in check_gradient(lambda v: {"w": v["w"] - 1}, graph, values).diagnosis] == ["factor ½"]


def test_weights_may_stand_to_the_left() -> None:
    W, b, x = parameter("W", (3, 3)), parameter("b", (3, 1)), input_node("x", (3, 5))
    V = parameter("V", (1, 3))
    graph = Graph({"C": ops.mean(ops.matmul(V, ops.tanh(ops.matmul(W, x) + b)))})
    random = np.random.default_rng(1)
    values = {name: random.normal(size=node.shape) for name, node in graph.leaves.items()}

    def mine(v: dict[str, Array], masked: bool, count: int) -> dict[str, Array]:
        a = np.tanh(v["W"] @ v["x"] + v["b"])
        g = np.full((1, 5), 1 / count)
        delta = v["V"].T @ g * (1 - a**2 if masked else 1)
        return {"W": delta @ v["x"].T, "b": delta.sum(axis=1, keepdims=True), "V": g @ a.T}

    assert check_gradient(lambda v: mine(v, True, 5), graph, values).ok
    assert named(check_gradient(lambda v: mine(v, False, 5), graph, values)) == [("missing σ′", ("W+b",))]
    assert named(check_gradient(lambda v: mine(v, True, 1), graph, values)) == [("missing 1/B", ("W+b", "V"))]


def test_a_float32_graph_is_checked_in_float64() -> None:
    w, x = parameter("w", (2, 1), "float32"), constant(np.ones((3, 2), dtype=np.float32))
    found = check_gradient(
        {"w": np.full((2, 1), 3.0)}, Graph({"C": ops.sum(ops.matmul(x, w))}), {"w": np.ones((2, 1), np.float32)}
    )
    assert found.ok
    assert found["w"].gradient.dtype == np.float64


def test_a_model_checks_gradients_at_examples() -> None:
    run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=1, batch_size=10)
    model = run.model()
    x, y = run.data.train.x[:7], run.data.train.y[:7]
    assert model.check_gradient(model.gradient(x, y), x, y).ok
    summed = {name: 7 * array for name, array in model.gradient(x, y).items()}
    assert named(model.check_gradient(summed, x, y)) == [("missing 1/B", dense(1, 2))]
    assert model.check_gradient(lambda values: model.gradient(values["x"], values["y"]), x, y).ok


def test_a_mistake_reads_as_a_sentence() -> None:
    text = str(checked(CASES["softmax"], "missing σ′", 1))
    assert "missing σ′ in dense1" in text
    assert "δ = ∂C/∂a ⊙ σ′(z)" in text
    assert "Fix: multiply by the derivative of the activation" in text
    assert max(map(len, text.splitlines())) <= 120


# ---- graphs of other kinds


def test_weights_seen_through_a_transpose_and_a_softmax_written_out() -> None:
    W, x, y = parameter("W", (3, 4)), input_node("x", (7, 4)), input_node("y", (7, 3))
    z = ops.matmul(x, ops.swap_last(W))
    exponential = ops.exp(z)
    p = exponential / ops.sum(exponential, 1, keepdims=True)
    graph = Graph({"C": ops.mean(ops.sum(y * ops.log(p), 1)) * -1.0, "p": p})
    random = np.random.default_rng(0)
    values = {"W": random.normal(size=(3, 4)), "x": random.normal(size=(7, 4)), "y": np.eye(3)[random.integers(3, size=7)]}

    def mine(v: dict[str, Array], mistake: str) -> dict[str, Array]:
        e = np.exp(v["x"] @ v["W"].T)
        p = e / e.sum(axis=1, keepdims=True)
        delta = (p - v["y"]) / 7
        if mistake == "softmax Jacobian taken as diagonal":
            delta = -v["y"] * (1 - p) / 7
        elif mistake == "p·(1 − p) on top of p − t":
            delta = delta * p * (1 - p)
        elif mistake == "missing σ′":
            delta = -v["y"] / p / 7
        elif mistake == "only the last example counted":
            delta[:-1] = 0
        return {"W": delta.T @ v["x"]}

    assert check_gradient(lambda v: mine(v, ""), graph, values).ok
    for name in (
        "softmax Jacobian taken as diagonal",
        "p·(1 − p) on top of p − t",
        "missing σ′",
        "only the last example counted",
    ):
        assert named(check_gradient(lambda v, name=name: mine(v, name), graph, values)) == [(name, ("W",))]


def test_a_cost_that_is_a_sum_wants_no_division() -> None:
    W, x = parameter("W", (2, 3)), input_node("x", (5, 2))
    graph = Graph({"C": ops.sum(ops.tanh(ops.matmul(x, W)))})
    values = {"W": np.random.default_rng(0).normal(size=(2, 3)), "x": np.random.default_rng(1).normal(size=(5, 2))}

    def mine(v: dict[str, Array]) -> dict[str, Array]:
        return {"W": v["x"].T @ (1 - np.tanh(v["x"] @ v["W"]) ** 2) / 5}

    assert named(check_gradient(mine, graph, values)) == [("1/B too often", ("W",))]


def test_a_cost_of_two_neurons_in_a_row_without_matrices() -> None:
    w1, b1, w2, b2, x, y = (
        make(name) for make, name in zip([parameter] * 4 + [input_node] * 2, ["w1", "b1", "w2", "b2", "x", "y"], strict=True)
    )
    a1 = ops.tanh(w1 * x + b1)
    error = ops.sigmoid(w2 * a1 + b2) - y
    graph = Graph({"C": error * error})
    values = {"w1": 0.7, "b1": 0.1, "w2": -1.2, "b2": 0.3, "x": 0.6, "y": 1.0}

    def mine(v: dict[str, Array], masked: bool) -> dict[str, Array]:
        h = np.tanh(v["w1"] * v["x"] + v["b1"])
        a = 1 / (1 + np.exp(-v["w2"] * h - v["b2"]))
        d2 = 2 * (a - v["y"]) * a * (1 - a)
        d1 = d2 * v["w2"] * (1 - h**2 if masked else 1)
        return {"w1": d1 * v["x"], "b1": d1, "w2": d2 * h, "b2": d2}

    assert check_gradient(lambda v: mine(v, True), graph, values).ok
    assert named(check_gradient(lambda v: mine(v, False), graph, values)) == [("missing σ′", ("w1+b1",))]


def test_a_layer_that_is_used_twice_is_one_layer() -> None:
    shared = cr.Dense(3, "tanh", name="shared")
    built = cr.build_network(cr.Sequential(shared, shared, cr.Dense(1)), (3,), batch=7)
    graph = Graph({"C": ops.mean(ops.sum(built.output, 1))})
    values = {name: np.random.default_rng(len(name)).normal(size=node.shape) for name, node in graph.leaves.items()}

    def mine(v: dict[str, Array], masked: bool) -> dict[str, Array]:
        W, b = v["shared.W"], v["shared.b"]
        h1 = np.tanh(v["x"] @ W + b)
        h2 = np.tanh(h1 @ W + b)
        g = np.full((7, 1), 1 / 7)
        d2 = g @ v["dense1.W"].T * (1 - h2**2 if masked else 1)
        d1 = d2 @ W.T * (1 - h1**2 if masked else 1)
        return {"shared.W": h1.T @ d2 + v["x"].T @ d1, "shared.b": (d1 + d2).sum(0), "dense1.W": h2.T @ g, "dense1.b": g.sum(0)}

    assert check_gradient(lambda v: mine(v, True), graph, values).ok
    assert named(check_gradient(lambda v: mine(v, False), graph, values)) == [("missing σ′", ("shared",))]


def test_rows_can_be_asked_for_and_printed_alone() -> None:
    found = checked(CASES["softmax"], "missing 1/B", 2)
    assert str(found["dense1.W"]).startswith("dense1.W  right, all of 6 entries")
    assert found["dense2.b"].ratio == pytest.approx(5)
    assert found["dense2.b"].cosine == pytest.approx(1)
    with pytest.raises(GraphError, match=r"no parameter 'dense1\.w'"):
        found["dense1.w"]
    assert repr(found) == str(found)


def test_long_and_foreign_names_are_cut_and_kept() -> None:
    long = "w" * 90
    w = parameter(long, (2,))
    graph = Graph({"C": ops.sum(w * w), "other": ops.sum(w)})
    found = check_gradient({long: np.ones(2)}, graph, {long: np.ones(2)}, cost="C")
    assert max(map(len, str(found).splitlines())) <= 140
    with pytest.raises(GraphError, match=r"one for <b>x"):
        check_gradient({long: np.ones(2), "<b>" + "x" * 500: np.ones(2)}, graph, {long: np.ones(2)}, cost="C")
