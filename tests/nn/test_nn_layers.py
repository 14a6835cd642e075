"""Layers and networks: the battery for each, numbers against NumPy, sharing, names, errors that say what to write."""

from functools import partial

import numpy as np
import pytest
from nn_judges import check_layer, first_values, numerical_gradient, run

import chainrule as cr
from chainrule import ops
from chainrule.derivatives import grad
from chainrule.errors import DtypeError, GraphError, OptionError, OptionTypeError, ShapeError
from chainrule.graph import compute, constant, input_node, parameter
from chainrule.nn import (
    ACTIVATIONS,
    Activation,
    Constant,
    Dense,
    Dropout,
    Flatten,
    Formula,
    Function,
    HeNormal,
    Network,
    Normal,
    Sequential,
    Uniform,
    as_layer,
    build_network,
    building,
)
from chainrule.ops import random

X = np.random.default_rng(0).normal(size=(5, 4))
W, B = np.random.default_rng(1).normal(size=(4, 3)), np.random.default_rng(2).normal(size=3)
SHARED = Dense(4, "tanh")

# Layer, shape of one example, shape of its result, name; what differs from the rest of the battery.
DENSE, ALONE = (
    [name for name in ACTIVATIONS if name != "step"],
    [name for name in ACTIVATIONS if name not in {"step", "linear"}],
)
BATTERY = {
    **{f"dense {name}": (Dense(3, name, biases=Uniform(-1.0, 1.0)), (4,), (3,), "dense1", {}) for name in DENSE},
    "dense step": (Dense(3, "step"), (4,), (3,), "dense1", {"smooth": False}),
    "dense without bias": (Dense(3, "tanh", bias=False), (4,), (3,), "dense1", {}),
    "dense named": (Dense(2, name="eye", weights=Normal(0.0, 0.1), biases=Constant(0.5)), (4,), (2,), "eye", {}),
    **{f"activation {name}": (Activation(name), (2, 3), (2, 3), "activation1", {}) for name in ALONE},
    "activation linear": (Activation("linear"), (3,), (3,), "activation1", {}),
    "dropout": (Dropout(0.5), (3,), (3,), "dropout1", {}),
    "flatten": (Flatten(), (2, 3), (6,), "flatten1", {}),
    "formula": (Formula("x * sigmoid(x)"), (2, 3), (2, 3), "formula1", {}),
    "formula with parameters": (
        Formula("α(W·i + b)", {"W": (3, 4), "b": (3,)}, {"α": "tanh"}, {"b": Normal()}), (4,), (3,), "formula1", {},
    ),
    "sequential": (Sequential(Flatten(), Dense(3, "tanh"), Dense(2, "softmax"), input_shape=(2, 2)), (2, 2), (2,), None, {}),
    "nested": (Sequential(Sequential(Dense(3, "tanh")), Sequential(Dense(2), Activation("tanh"))), (4,), (2,), None, {}),
    "shared": (Sequential(SHARED, SHARED, Dense(2)), (4,), (2,), None, {}),
    "function": (Function(ops.sin), (3,), (3,), "sin1", {"saved": False}),
    "function in sequence": (Sequential(lambda x: x * 2.0, Dense(2)), (3,), (2,), None, {"saved": False}),
    "function with a layer": (Function(lambda x: Dense(2, "tanh")(x) * 2.0), (3,), (2,), None, {"saved": False}),
}  # fmt: skip


@pytest.mark.parametrize("case", BATTERY)
def test_battery(case):
    layer, input_shape, output_shape, name, options = BATTERY[case]
    assert check_layer(layer, input_shape, name=name, **options) == output_shape


# ---- dense


def test_dense_is_a_matrix_product_and_an_activation():
    found = run(Dense(3, "tanh"), X, {"dense1.W": W, "dense1.b": B})
    np.testing.assert_allclose(found, np.tanh(X @ W + B), rtol=1e-14)
    assert np.array_equal(run(Dense(3, bias=False), X, {"dense1.W": W}), X @ W)


def test_dense_names_z_and_a():
    built = build_network(Dense(3, "tanh"), (4,))
    assert built.output.name == "dense1.a"
    assert built.output.inputs[0].name == "dense1.z"
    assert build_network(Dense(3), (4,)).output.name == "dense1.z"
    assert list(built.parameters) == ["dense1.W", "dense1.b"]


def test_bias_absorbed_by_an_extra_input_of_one():
    """Spec 14: with W' = (W over b) and x' = (x, 1) the difference is 0."""
    absorbed = np.hstack([X, np.ones((5, 1))])
    with_bias = run(Dense(3, "tanh"), X, {"dense1.W": W, "dense1.b": B})
    without = run(Dense(3, "tanh", bias=False), absorbed, {"dense1.W": np.vstack([W, B])})
    np.testing.assert_allclose(without, with_bias, rtol=0, atol=4e-16)
    whole_x, whole_w, whole_b = (np.round(4 * array) for array in (X, W, B))
    exact = run(Dense(3, bias=False), np.hstack([whole_x, np.ones((5, 1))]), {"dense1.W": np.vstack([whole_w, whole_b])})
    assert np.array_equal(exact, run(Dense(3), whole_x, {"dense1.W": whole_w, "dense1.b": whole_b}))


def test_two_linear_layers_are_one():
    """Spec 30: a linear 4-16-3 network has 131 parameters, and is the 15 of one layer."""
    network = Sequential(Dense(16), Dense(3))
    built = build_network(network, (4,), batch=5)
    assert built.parameter_count == 131
    values = {name: first_values(built)[item.node] for name, item in built.parameters.items()}
    values["dense1.b"], values["dense2.b"] = np.arange(16.0), np.arange(3.0)
    one = {
        "dense1.W": values["dense1.W"] @ values["dense2.W"],
        "dense1.b": values["dense1.b"] @ values["dense2.W"] + values["dense2.b"],
    }
    assert build_network(Dense(3), (4,)).parameter_count == 15
    np.testing.assert_allclose(run(network, X, values), run(Dense(3), X, one), rtol=1e-12)


def test_logistic_regression_beside_the_mlp():
    assert build_network(Sequential(Dense(10, "softmax")), (784,)).parameter_count == 7850


def test_digit_network_has_13002_parameters():
    built = build_network(Sequential(Dense(16, "relu"), Dense(16, "relu"), Dense(10)), (784,))
    assert built.parameter_count == 13_002
    counts = [sum(built.parameters[name].node.type.size for name in use.parameters) for use in built.uses]
    assert counts == [12_560, 272, 170]


def test_wrong_number_of_axes_says_flatten():
    with pytest.raises(ShapeError, match=r"put Flatten\(\) before it") as caught:
        build_network(Dense(3), (28, 28))
    assert "dense1" in str(caught.value)


@pytest.mark.parametrize(
    ("units", "kind"), [(0, OptionError), (-1, OptionError), (2.5, OptionError), (True, OptionError), ("3", OptionTypeError)]
)
def test_sizes_that_make_no_sense(units, kind):
    with pytest.raises(kind, match="whole number"):
        Dense(units)


def test_dense_prints_as_it_is_written():
    for layer in (
        Dense(3), Dense(3, "relu"), Dense(3, bias=False), Dense(3, "tanh", weights=HeNormal(), biases=Constant(0.5), name="a"),
    ):  # fmt: skip
        assert eval(repr(layer), {"Dense": Dense, "HeNormal": HeNormal, "Constant": Constant}) == layer


# ---- dropout


def dropped(layer, x, seed=0):
    return run(layer, x, training=True, key=constant(random.key(seed)))


def test_dropout_keeps_its_share_and_the_expectation():
    ones = np.ones((400, 250))
    for rate in (0.2, 0.5, 0.9):
        found = dropped(Dropout(rate), ones)
        error = np.sqrt(rate * (1 - rate) / ones.size)
        assert abs((found > 0).mean() - (1 - rate)) < 5 * error
        assert abs(found.mean() - 1) < 5 * error / (1 - rate)
        np.testing.assert_allclose(found[found > 0], 1 / (1 - rate), rtol=1e-15)


def test_dropout_is_the_identity_in_use():
    assert np.array_equal(run(Dropout(0.5), X), X)
    assert np.array_equal(dropped(Dropout(0), X), X)
    built = build_network(Sequential(Dropout(0.5)), (4,))
    assert built.output is built.input


def test_dropout_mask_depends_on_name_and_key_only():
    ones = np.ones((20, 50))
    mask = dropped(Dropout(0.5, name="a"), ones)
    assert np.array_equal(mask, dropped(Dropout(0.5, name="a"), ones))
    assert np.array_equal(mask, dropped(Sequential(Flatten(), Dropout(0.5, name="a"), Flatten()), ones))
    assert not np.array_equal(mask, dropped(Dropout(0.5, name="b"), ones))
    assert not np.array_equal(mask, dropped(Dropout(0.5, name="a"), ones, seed=1))
    assert np.array_equal(mask > 0, dropped(Dropout(0.5, name="a"), ones.astype("float32")) > 0)


def test_dropout_used_twice_draws_twice():
    layer = Dropout(0.5)
    found = dropped(Sequential(layer, layer), np.ones((100, 100)))
    assert abs((found > 0).mean() - 0.25) < 0.02
    assert set(np.unique(found)) == {0.0, 4.0}


def test_dropout_gradient_passes_where_kept():
    built = build_network(Dropout(0.5), (50,), batch=2, training=True, key=constant(random.key(0)))
    (slope,) = grad(ops.sum(built.output), [built.input])
    output, found = compute([built.output, slope], {built.input: np.ones((2, 50))})
    assert np.array_equal(output, found)


def test_dropout_rates():
    for rate in (1.0, -0.1, 2, np.nan, "half", True):
        with pytest.raises(OptionError, match="rate"):
            Dropout(rate)
    assert not np.isnan(dropped(Dropout(1 - 1e-12), X)).any()


def test_dropout_without_a_key():
    with pytest.raises(GraphError, match="needs random numbers"):
        build_network(Dropout(0.5), (4,), training=True)


# ---- flatten, activation, function


def test_flatten():
    images = np.arange(24.0).reshape(2, 3, 4)
    assert np.array_equal(run(Flatten(), images), images.reshape(2, 12))
    assert np.array_equal(run(Flatten(), np.ones(3)), np.ones((3, 1)))


def test_identity_of_an_input_makes_no_second_leaf():
    for layer in (Activation("linear"), Formula("x"), Function(lambda x: x)):
        built = build_network(Sequential(layer, layer), (3,))
        assert built.output is built.input
        assert list(built.graph.leaves) == ["x"]


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (ops.tanh, "tanh1"),
        (lambda x: x * 2.0, "function1"),
        (partial(ops.mean, axis=1), "function1"),
        (ACTIVATIONS["relu"], "relu1"),
    ],
)
def test_any_function_is_a_layer(function, name):
    built = build_network(Sequential(function), (3,))
    assert [use.name for use in built.uses] == [name]
    assert built.output.scope == name


def test_what_is_no_layer():
    for wrong in (3, "relu", None, Dense):
        with pytest.raises(OptionTypeError, match="as a layer"):
            as_layer(wrong)
    with pytest.raises(OptionTypeError, match="one node"):
        build_network(Function(lambda x: 3.0), (2,))


# ---- networks


def test_sequential():
    network = Sequential(Dense(3, "tanh"), Dense(2))
    values = {"dense1.W": W, "dense1.b": B, "dense2.W": W[:3, :2], "dense2.b": B[:2]}
    np.testing.assert_allclose(run(network, X, values), np.tanh(X @ W + B) @ W[:3, :2] + B[:2], rtol=1e-13)
    assert np.array_equal(run(Sequential(), X), X)
    assert Sequential(Dense(2), input_shape=[4]).input_shape == (4,)


def test_sequential_knows_its_input():
    with pytest.raises(ShapeError, match="examples of shape"):
        build_network(Sequential(Dense(2), input_shape=(3,)), (4,))
    for wrong in (784, (0,), ("a",), (2.0,), "ab"):
        with pytest.raises(OptionError, match="input_shape"):
            Sequential(Dense(2), input_shape=wrong)


TWO_EYES = {"left": (2,), "right": (2,)}


def test_two_inputs():
    network = Network(lambda left, right: left * 10.0 + right, inputs=TWO_EYES)
    assert np.array_equal(run(network, X), 10 * X[:, :2] + X[:, 2:])
    assert network.input_shape == (4,)
    pictures = Network(lambda a, b: Flatten()(a) * b, inputs={"a": (1, 2), "b": (2,)})
    assert np.array_equal(run(pictures, X), X[:, :2] * X[:, 2:])


def test_two_inputs_of_the_wrong_width():
    with pytest.raises(ShapeError, match="left 2 \\+ right 2"):
        build_network(Network(lambda left, right: left + right, inputs=TWO_EYES), (5,))
    for wrong in ({}, {"a": 2}, {"a": (0,)}):
        with pytest.raises(OptionError):
            Network(lambda **_: None, inputs=wrong)


def test_skip_connection():
    inner = Dense(4, "tanh")
    network = Network(lambda x: inner(x) + x, inputs={"x": (4,)})
    square = np.random.default_rng(5).normal(size=(4, 4))
    found = run(network, X, {"dense1.W": square})
    np.testing.assert_allclose(found, np.tanh(X @ square) + X, rtol=1e-13)


def test_shared_layers_have_one_set_of_parameters():
    shared = Dense(3, "tanh")
    network = Network(lambda left, right: shared(left) + 2.0 * shared(right), inputs=TWO_EYES)
    built = build_network(network, (4,), batch=5)
    assert list(built.parameters) == ["dense1.W", "dense1.b"]
    assert [use.first for use in built.uses] == [True, False]
    weight = np.random.default_rng(6).normal(size=(2, 3))
    expected = np.tanh(X[:, :2] @ weight) + 2 * np.tanh(X[:, 2:] @ weight)
    np.testing.assert_allclose(run(network, X, {"dense1.W": weight}), expected, rtol=1e-13)


def test_gradient_of_a_shared_weight_is_the_sum_over_its_uses():
    shared, apart = Dense(3, "tanh"), (Dense(3, "tanh"), Dense(3, "tanh"))
    weight = np.random.default_rng(6).normal(size=(2, 3))

    def slopes(first, second):
        built = build_network(Network(lambda left, right: first(left) + 2.0 * second(right), inputs=TWO_EYES), (4,), batch=5)
        weights = [item.node for name, item in built.parameters.items() if name.endswith(".W")]
        bound = first_values(built) | dict.fromkeys(weights, weight) | {built.input: X}
        return compute(grad(ops.sum(built.output), weights), bound), (ops.sum(built.output), weights, bound)

    (together,), (total, (leaf,), bound) = slopes(shared, shared)
    separate, _ = slopes(*apart)
    np.testing.assert_allclose(together, separate[0] + separate[1], rtol=1e-13)
    numeric = numerical_gradient(lambda w: compute([total], bound | {leaf: w})[0], weight)
    np.testing.assert_allclose(together, numeric, rtol=1e-7)


def test_shared_layers_need_inputs_of_one_size():
    shared = Dense(3)
    with pytest.raises(ShapeError, match="shared layer dense1"):
        build_network(Sequential(shared, shared), (2,))


def test_names():
    built = build_network(Sequential(Dense(2), Dense(2, name="dense1x"), Dense(2), Activation("tanh")), (2,))
    assert [use.name for use in built.uses] == ["dense1", "dense1x", "dense2", "activation1"]
    early = build_network(Sequential(Dense(2, name="dense1"), Dense(2)), (2,))
    assert [use.name for use in early.uses] == ["dense1", "dense2"]


def test_name_clash():
    with pytest.raises(OptionError, match="two layers are called 'a'"):
        build_network(Sequential(Dense(2, name="a"), Dense(2, name="a")), (2,))


@pytest.mark.parametrize("name", ["my layer", "1st", "a\nb", "@x"])
def test_names_that_no_text_can_hold(name):
    with pytest.raises(OptionError, match="in Flatten"):
        build_network(Sequential(Flatten(name=name)), (2,))


def test_a_layer_outside_a_network():
    with pytest.raises(GraphError, match="outside a network"):
        Dense(2)(input_node("x", (1, 2)))


def test_layers_made_within_the_wiring_keep_their_names():
    network = Network(lambda x: Dense(2)(Dense(3)(Dense(4)(x))), inputs={"x": (2,)})
    assert list(build_network(network, (2,)).parameters)[::2] == ["dense1.W", "dense2.W", "dense3.W"]


def test_the_examples_stay_on_axis_0():
    with pytest.raises(ShapeError, match="one output to an example"):
        build_network(Function(ops.sum), (2,), batch=3)


def test_dtypes_do_not_mix():
    with pytest.raises(DtypeError):
        build_network(Dense(2), (3,), x=input_node("x", (1, 3), "float32"))


def test_built_by_hand():
    with building(dtype="float32") as build:
        y = Dense(3)(input_node("x", (2, 5), "float32"))
    assert y.dtype == "float32"
    assert build.parameters["dense1.W"].node.shape == (5, 3)
    assert parameter("w").shape == ()


def test_a_dropout_that_drops_nothing_adds_nothing() -> None:
    x = cr.input_node("x", (4, 2))
    built = cr.build_network(cr.Dropout(0.0), (2,), x=x, training=True, key=cr.input_node("key", (2,), "uint32"))
    assert built.output is x
