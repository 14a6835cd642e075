"""Every activation: values, derivatives to second order against JAX, kinks, declared ranges, and the two recognisers."""

import math

import jax
import numpy as np
import pytest
from nn_judges import complex_step, derivatives, numerical_gradient, run, value

from chainrule import ops
from chainrule.derivatives import grad
from chainrule.errors import OptionError, OptionTypeError, ShapeError
from chainrule.graph import Graph, compute, input_node, parameter
from chainrule.nn import (
    ACTIVATIONS,
    Activation,
    Dense,
    Formula,
    build_network,
    log_softmax,
    sigmoid_input,
    softmax,
    softmax_input,
)
from chainrule.nn.activations import leaky_relu

jax.config.update("jax_enable_x64", True)

JAX = {
    "linear": lambda z: z,
    "step": lambda z: jax.numpy.where(z > 0, 1.0, 0.0),
    "sigmoid": jax.nn.sigmoid,
    "tanh": jax.numpy.tanh,
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "exp": jax.numpy.exp,
    "softplus": jax.nn.softplus,
    "silu": jax.nn.silu,
    "gelu": lambda z: jax.nn.gelu(z, approximate=False),
    "softmax": lambda z: jax.nn.softmax(z, axis=-1),
}
SCALAR = [name for name in ACTIVATIONS if name != "softmax"]
SMOOTH = ["linear", "sigmoid", "tanh", "elu", "exp", "softplus", "silu"]
POINTS = np.concatenate([np.linspace(-8.03, 8.11, 41), [-30.0, -1e-3, 1e-3, 30.0]])


def test_every_activation_has_a_judge():
    assert JAX.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-14), ("float32", 4e-7)])
def test_values_agree_with_jax(name, dtype, tolerance):
    z = POINTS.reshape(5, 9).astype(dtype)
    found = value(ACTIVATIONS[name], z)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, np.asarray(jax.jit(JAX[name])(z)), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", SCALAR)
def test_first_and_second_derivative_agree_with_jax(name):
    leaf = input_node("x", POINTS.shape)
    (slope,) = grad(ops.sum(ACTIVATIONS[name](leaf)), [leaf])
    judge = jax.grad(JAX[name])
    by_jax, bent = jax.jit(jax.vmap(judge))(POINTS), jax.jit(jax.vmap(jax.grad(judge)))(POINTS)
    if slope is None:
        assert "no gradient" in ACTIVATIONS[name].kink
        assert not np.any(by_jax)
        return
    np.testing.assert_allclose(compute([slope], {leaf: POINTS})[0], by_jax, rtol=1e-12, atol=1e-14)
    (bend,) = grad(ops.sum(slope), [leaf])
    if bend is None:
        assert not np.any(bent)
    else:
        np.testing.assert_allclose(compute([bend], {leaf: POINTS})[0], bent, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", SMOOTH)
def test_derivative_agrees_with_the_complex_step(name):
    z = np.linspace(-4.0, 4.0, 33) + 0.01
    np.testing.assert_allclose(derivatives(ACTIVATIONS[name], z, 1)[0], complex_step(ACTIVATIONS[name], z), rtol=1e-12)


@pytest.mark.parametrize("name", ["gelu", "relu", "leaky_relu"])
def test_derivative_agrees_with_central_differences(name):
    z = np.linspace(-3.0, 3.0, 24) + 0.013
    numeric = numerical_gradient(lambda array: float(np.sum(value(ACTIVATIONS[name], array))), z)
    np.testing.assert_allclose(derivatives(ACTIVATIONS[name], z, 1)[0], numeric, rtol=1e-7, atol=1e-9)


def test_softmax_jacobian_to_second_order():
    z = np.random.default_rng(0).normal(size=(3, 4))
    weight = np.random.default_rng(1).normal(size=(3, 4))
    leaf = input_node("z", z.shape)
    (slope,) = grad(ops.sum(softmax(leaf) * weight), [leaf])

    def judge(array):
        return (jax.nn.softmax(array, axis=-1) * weight).sum()

    np.testing.assert_allclose(compute([slope], {leaf: z})[0], jax.jit(jax.grad(judge))(z), rtol=1e-12, atol=1e-15)
    (bend,) = grad(ops.sum(slope * slope), [leaf])
    second = jax.jit(jax.grad(lambda array: (jax.grad(judge)(array) ** 2).sum()))(z)
    np.testing.assert_allclose(compute([bend], {leaf: z})[0], second, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_large_numbers_give_no_nan(name, dtype):
    far = 80 if name == "exp" else 1e4  # exp(10⁴) is no number of any dtype
    z = np.array([[-far, far], [far, far], [-far, -far], [0.0, -0.0]], dtype)
    assert np.isfinite(value(ACTIVATIONS[name], z)).all()
    leaf = input_node("z", z.shape, dtype)
    (slope,) = grad(ops.sum(ACTIVATIONS[name](leaf) * np.array([[1.0, 2.0]], dtype)), [leaf])
    if slope is not None:
        assert np.isfinite(compute([slope], {leaf: z})[0]).all()


LIMITS = {
    "linear": (-math.inf, math.inf), "step": (0, 1), "sigmoid": (0, 1), "tanh": (-1, 1), "relu": (0, math.inf),
    "leaky_relu": (-math.inf, math.inf), "elu": (-1, math.inf), "exp": (0, math.inf), "softplus": (0, math.inf),
    # A product ∞·0, which no rule gives a value: NaN, as their docstrings say (and as JAX and PyTorch have it).
    "silu": (math.nan, math.inf), "gelu": (math.nan, math.inf),
}  # fmt: skip


@pytest.mark.parametrize("name", SCALAR)
def test_infinite_input(name):
    np.testing.assert_array_equal(value(ACTIVATIONS[name], np.array([-math.inf, math.inf])), LIMITS[name])


@pytest.mark.parametrize("name", SCALAR)
def test_nan_shows(name):
    expected_nan = name != "step"
    assert np.isnan(value(ACTIVATIONS[name], np.array([math.nan]))[0]) == expected_nan


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_declared_range_holds_and_is_tight(name):
    found = ACTIVATIONS[name]
    z = np.linspace(-60.0, 60.0, 240_000)
    a = value(found, z.reshape(-1, 3) if name == "softmax" else z)
    assert a.min() >= found.lowest - 1e-15
    assert a.max() <= found.highest + 1e-15
    if name != "softmax":
        if math.isfinite(found.lowest):
            assert a.min() == pytest.approx(found.lowest, abs=1e-7)
        if math.isfinite(found.highest):
            assert a.max() == pytest.approx(found.highest, abs=1e-7)


def test_rule_at_the_kink():
    zero = np.zeros(1)
    assert derivatives(ACTIVATIONS["relu"], zero, 1)[0] == 0.0
    assert "0 at z = 0" in ACTIVATIONS["relu"].kink
    assert derivatives(ACTIVATIONS["leaky_relu"], zero, 1)[0] == 0.01
    assert "0.01 at z = 0" in ACTIVATIONS["leaky_relu"].kink
    assert derivatives(ACTIVATIONS["elu"], zero, 1)[0] == 1.0
    assert value(ACTIVATIONS["step"], zero)[0] == 0.0


def test_sigmoid_slope_golden_numbers():
    z = np.linspace(-10, 10, 2001)
    slope = derivatives(ACTIVATIONS["sigmoid"], z, 1)[0]
    assert slope.max() == 0.25
    assert z[slope.argmax()] == pytest.approx(0.0, abs=1e-12)
    assert f"{0.25**10:.1e}" == "9.5e-07"
    # Ten sigmoids in a row: the slope is at most 0.25 to the 10.
    assert derivatives(lambda x: _repeated(ACTIVATIONS["sigmoid"], x, 10), z, 1)[0].max() <= 0.25**10


def _repeated(function, x, times):
    for _ in range(times):
        x = function(x)
    return x


def test_leaky_slope_can_be_chosen():
    np.testing.assert_allclose(value(lambda z: leaky_relu(z, 0.2), np.array([-1.0, 2.0])), [-0.2, 2.0])


# ---- softmax


def test_softmax_has_its_three_steps():
    made = softmax(input_node("z", (2, 3)))
    assert made.op is ops.softmax
    a = ops.decompose(Graph({"a": made}))[0].outputs["a"]
    total = a.inputs[1]
    assert a.op is ops.divide
    assert a.inputs[0].op is ops.exp
    assert a.inputs[0].inputs[0].op is ops.subtract
    assert total.op is ops.broadcast_to


def test_softmax_sums_to_one_and_does_not_mind_a_shift():
    z = np.random.default_rng(0).normal(size=(6, 5)) * 10
    p = value(softmax, z)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(value(softmax, z + 1234.5), p, rtol=1e-11)
    np.testing.assert_allclose(value(lambda x: softmax(x, axis=0), z).sum(axis=0), 1.0, rtol=1e-14)
    np.testing.assert_allclose(value(log_softmax, z), np.log(p), rtol=1e-12, atol=1e-13)


def test_log_softmax_keeps_what_softmax_rounds_to_zero():
    z = np.array([[0.0, 1e4]])
    assert value(softmax, z)[0, 0] == 0.0
    np.testing.assert_array_equal(value(log_softmax, z), [[-1e4, 0.0]])


def test_temperature():
    z = np.array([[1.0, 2.0, 4.0]])
    np.testing.assert_allclose(value(lambda x: softmax(x, temperature=2.0), z), value(softmax, z / 2), rtol=1e-15)
    np.testing.assert_allclose(value(lambda x: softmax(x, temperature=1e6), z), 1 / 3, atol=1e-6)
    np.testing.assert_allclose(value(lambda x: softmax(x, temperature=0.01), z), [[0, 0, 1]], atol=1e-12)
    for bad in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(OptionError, match="temperature"):
            softmax(input_node("z", (1, 3)), temperature=bad)


def test_softmax_of_an_example_without_axes_is_refused():
    with pytest.raises(ShapeError, match="activation1"):
        build_network(Activation("softmax"), (), batch=3)


# ---- recognition


def test_softmax_input_finds_the_logits():
    z = input_node("z", (4, 3))
    assert softmax_input(softmax(z)) is z
    assert softmax_input(softmax(z).named("p")) is z
    assert softmax_input(softmax(z, axis=0)) is None
    assert softmax_input(ops.sigmoid(z)) is None
    assert softmax_input(z) is None
    assert softmax_input(softmax(z) * 1.0) is None


def test_softmax_written_by_hand_is_found():
    z = input_node("z", (4, 3))
    e = ops.exp(z)
    assert softmax_input(e / ops.sum(e, -1, keepdims=True)) is z


def test_a_shift_by_class_stays_part_of_the_logits():
    z, b = input_node("z", (4, 3)), parameter("b", (3,))
    e = ops.exp(z - b)
    found = softmax_input(e / ops.sum(e, -1, keepdims=True))
    assert found is e.inputs[0]


def test_division_by_the_sums_of_other_rows_is_no_softmax():
    # A square batch whose sums lost their axis: NumPy's rule would line them up with the columns.
    z = input_node("z", (3, 3))
    e = ops.exp(z)
    assert softmax_input(e / ops.sum(e, -1)) is None
    assert softmax_input(e / ops.max(e, -1, keepdims=True)) is None
    assert softmax_input(e / ops.sum(ops.exp(z), -1, keepdims=True)) is None


def test_sigmoid_input():
    z = input_node("z", (4, 1))
    assert sigmoid_input(ops.sigmoid(z)) is z
    assert sigmoid_input(ops.tanh(z)) is None


# ---- names


def test_unknown_activation_is_suggested():
    with pytest.raises(OptionError, match="sigmoid"):
        Dense(3, "sigmiod")
    with pytest.raises(OptionError, match="Formula"):
        Activation("zzz")
    with pytest.raises(OptionTypeError):
        Dense(3, ops.relu)


def test_the_printed_formulas_are_read_back():
    z = np.linspace(-3, 3, 25).reshape(1, -1)
    for name in ("linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "exp", "softplus", "silu", "gelu", "step"):
        text = ACTIVATIONS[name].formula if name not in {"linear", "step"} else {"linear": "z + 0", "step": "z > 0"}[name]
        np.testing.assert_allclose(run(Formula(text), z), value(ACTIVATIONS[name], z), rtol=1e-13, atol=1e-15, err_msg=name)
