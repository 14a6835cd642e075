"""Reverse mode: paths sum, unused nodes are named, products follow from it, and the lectures' golden numbers come out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.errors import GraphError, ShapeError
from chainrule.grad import require_gradients
from chainrule.graph import evaluate, input_node, parameter

jax.config.update("jax_enable_x64", True)


def test_a_value_used_twice_gets_both_paths():
    """b = a + a, c = b + b: whoever passes b's derivative on before it is complete gets 2 or 8 instead of 4."""
    a = input_node("a")
    b = a + a
    c = b + b
    by_a, by_b = cr.grad(c, [a, b])
    assert evaluate([by_a, by_b], {a: np.float64(3.0)}) == [4.0, 2.0]


def test_any_node_by_any_node():
    x = input_node("x")
    u = ops.exp(x)
    v = u * x
    w = ops.sin(v) + u
    derivatives = cr.grad(w, [w, v, u, x])
    values = evaluate(derivatives, {x: np.float64(0.3)})
    e = np.exp(0.3)
    cosine = np.cos(e * 0.3)
    np.testing.assert_allclose(values, [1.0, cosine, cosine * 0.3 + 1.0, cosine * (e * 0.3 + e) + e], rtol=1e-14)


def test_what_is_unused_is_said_to_be_unused():
    x, other = input_node("x"), parameter("other")
    assert cr.grad(x * x, [other]) == [None]
    assert cr.grad(ops.stop_gradient(x) * 2.0, [x]) == [None]
    assert cr.grad(ops.floor(x) * 2.0, [x]) == [None]
    with pytest.raises(GraphError, match="no gradient reaches other") as caught:
        require_gradients(x * x, [x, other])
    assert "perceptron rule" in caught.value.remedy


def test_asking_twice_gives_the_same_and_changes_nothing():
    x = input_node("x", (3,))
    y = ops.sum(ops.tanh(x) * x)
    before = str(cr.Graph({"y": y}))
    first, second = cr.grad(y, [x]), cr.grad(y, [x])
    assert str(cr.Graph({"g": first[0]})) == str(cr.Graph({"g": second[0]}))
    assert str(cr.Graph({"y": y})) == before


def test_only_a_scalar_has_a_gradient():
    with pytest.raises(ShapeError, match="a scalar") as caught:
        cr.grad(input_node("x", (3,)) * 2.0, [])
    assert "sum(y)" in caught.value.remedy
    with pytest.raises(ShapeError):
        cr.grad(ops.sum(input_node("n", (3,), "int64")), [])


def test_gradients_carry_the_layer_that_they_belong_to():
    built = cr.build_network(cr.Sequential(cr.Dense(3, "tanh"), cr.Dense(1)), (2,))
    gradients = cr.grad(ops.sum(built.output), [item.node for item in built.parameters.values()])
    scopes = {node.scope for node in cr.Graph({f"g{i}": g for i, g in enumerate(gradients)}).nodes}
    assert {"grad/dense1", "grad/dense2"} <= scopes


def ours(x, w1, b1, w2):
    hidden = ops.tanh(x @ w1 + b1)
    return ops.sum(ops.exp(hidden @ w2) * ops.sin(hidden @ w2))


def jaxs(x, w1, b1, w2):
    hidden = jnp.tanh(x @ w1 + b1)
    return jnp.sum(jnp.exp(hidden @ w2) * jnp.sin(hidden @ w2))


SHAPES = {"x": (5, 3), "w1": (3, 4), "b1": (4,), "w2": (4, 2)}


@pytest.fixture
def network():
    random = np.random.default_rng(0)
    leaves = [input_node(name, shape) for name, shape in SHAPES.items()]
    values = [random.normal(size=shape) for shape in SHAPES.values()]
    tangents = [random.normal(size=shape) for shape in SHAPES.values()]
    return leaves, values, tangents


def test_gradient_equals_jax(network):
    leaves, values, _ = network
    mine = evaluate(cr.grad(ours(*leaves), leaves), dict(zip(leaves, values, strict=True)))
    for one, other in zip(mine, jax.grad(jaxs, argnums=(0, 1, 2, 3))(*values), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_jvp_equals_jax(network):
    leaves, values, tangents = network
    given = [input_node(f"t_{leaf.name}", leaf.shape) for leaf in leaves]
    mine = cr.jvp(ours(*leaves), leaves, given)
    bound = dict(zip([*leaves, *given], [*values, *tangents], strict=True))
    (found,) = evaluate([mine], bound)
    np.testing.assert_allclose(found, jax.jvp(jaxs, tuple(values), tuple(tangents))[1], rtol=1e-12)


def test_jvp_of_many_outputs_equals_differences():
    x, t = input_node("x", (4,)), input_node("t", (4,))
    y = ops.sin(x) * ops.sum(x * x)
    random = np.random.default_rng(1)
    value, tangent = random.normal(size=4), random.normal(size=4)
    (found,) = evaluate([cr.jvp(y, [x], [t])], {x: value, t: tangent})
    (stepped,) = evaluate([y], {x: value + 1e-30j * tangent})
    np.testing.assert_allclose(found, stepped.imag / 1e-30, rtol=1e-13)
    assert cr.jvp(y, [input_node("z")], [input_node("tz")]) is None


def test_hvp_equals_jax_and_is_symmetric(network):
    leaves, values, tangents = network
    given = [input_node(f"t_{leaf.name}", leaf.shape) for leaf in leaves]
    products = cr.hvp(ours(*leaves), leaves, given)
    bound = dict(zip([*leaves, *given], [*values, *tangents], strict=True))
    mine = evaluate(products, bound)
    wanted = jax.jvp(jax.grad(jaxs, argnums=(0, 1, 2, 3)), tuple(values), tuple(tangents))[1]
    for one, other in zip(mine, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)
    others = [np.random.default_rng(9).normal(size=t.shape) for t in tangents]
    turned = evaluate(products, {**bound, **dict(zip(given, others, strict=True))})
    forth = sum(float((u * h).sum()) for u, h in zip(others, mine, strict=True))
    back = sum(float((t * h).sum()) for t, h in zip(tangents, turned, strict=True))
    assert abs(forth - back) <= 1e-10 * abs(forth)


def test_vjp_checks_types(network):
    leaves, _, _ = network
    with pytest.raises(ShapeError, match="cotangent"):
        cr.vjp([leaves[0]], leaves, [input_node("g", (2,))])
    with pytest.raises(ShapeError, match="tangent"):
        cr.jvp(ours(*leaves), leaves[:1], [input_node("t", (2,))])


# ---- golden numbers


def test_three_neurons_in_a_chain():
    """C(w1, b1, w2, b2, w3, b3) with one neuron a layer: a, C and all six derivatives."""
    names = ["w1", "b1", "w2", "b2", "w3", "b3"]
    p = {name: parameter(name) for name in names}
    a = input_node("a0")
    activations = []
    for layer in "123":
        a = ops.sigmoid(p[f"w{layer}"] * a + p[f"b{layer}"])
        activations.append(a)
    cost = (a - 1.0) ** 2.0
    values = {"w1": 0.7, "w2": -1.2, "w3": 0.9, "b1": 0.1, "b2": 0.3, "b3": -0.2, "a0": 0.6}
    leaves = cr.Graph({"C": cost}).leaves
    bound = {leaves[name]: np.float64(value) for name, value in values.items()}
    np.testing.assert_allclose(evaluate(activations, bound), [0.62715, 0.38875, 0.53740], atol=5e-6)
    np.testing.assert_allclose(evaluate([cost], bound), [0.214000], atol=5e-7)
    weights = evaluate(cr.grad(cost, [p["w1"], p["w2"], p["w3"]]), bound)
    biases = evaluate(cr.grad(cost, [p["b1"], p["b2"], p["b3"]]), bound)
    np.testing.assert_allclose(weights, [0.0082815, -0.0308490, -0.0894147], atol=5e-8)
    np.testing.assert_allclose(biases, [0.0138026, -0.0491894, -0.2300068], atol=5e-8)


def test_a_weight_shared_over_time_gets_the_sum_not_the_average():
    """A recurrent net unrolled by hand over 12 steps; each step's proposal is had by giving each step a leaf of its own."""
    steps, size = 12, 3
    random = np.random.default_rng(0)
    inputs, start = random.normal(size=(steps, 2, size)), np.zeros((2, size))
    recurrent, entering = random.normal(size=(size, size)) * 0.6, random.normal(size=(size, size)) * 0.7

    def cost(weights):
        h = cr.constant(start)
        for step in range(steps):
            h = ops.tanh(cr.constant(inputs[step]) @ cr.constant(entering) + h @ weights[step])
        return ops.sum(h * h)

    shared = parameter("W", (size, size))
    (total,) = evaluate(cr.grad(cost([shared] * steps), [shared]), {shared: recurrent})
    apart = [parameter(f"W{step}", (size, size)) for step in range(steps)]
    proposals = evaluate(cr.grad(cost(apart), apart), dict.fromkeys(apart, recurrent))
    differences = np.zeros((size, size))
    for i, j in np.ndindex(size, size):
        bump = np.zeros((size, size))
        bump[i, j] = 1e-5
        (high,), (low,) = (evaluate([cost([shared] * steps)], {shared: recurrent + s * bump}) for s in (1, -1))
        differences[i, j] = (high - low) / 2e-5
    assert np.abs(sum(proposals) - differences).max() <= 1e-9
    np.testing.assert_allclose(total, sum(proposals), rtol=1e-12, atol=1e-14)
    assert np.abs(sum(proposals) / steps - differences).max() > 0.05
