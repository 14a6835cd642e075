"""Networks whose derivatives are known by other means: three neurons in a chain, a shared weight through time, two linear layers."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import ops
from chainrule.derivatives import grad, require_gradients
from chainrule.graph import Node, compute, input_node, parameter

# ---- three neurons in a chain, the cost (a − y)²

W, B = (0.7, -1.2, 0.9), (0.1, 0.3, -0.2)


def chain() -> tuple[list[Node], Node, dict[Node, np.ndarray], list[Node]]:
    weights = [parameter(f"w{i}") for i in (1, 2, 3)]
    biases = [parameter(f"b{i}") for i in (1, 2, 3)]
    a, y = input_node("a0"), input_node("y")
    bound = {a: np.float64(0.6), y: np.float64(1.0), **dict(zip(weights, map(np.float64, W), strict=True))}
    bound |= dict(zip(biases, map(np.float64, B), strict=True))
    activations = []
    for w, b in zip(weights, biases, strict=True):
        a = ops.sigmoid(w * a + b)
        activations.append(a)
    return activations, (a - y) ** 2.0, bound, [*weights, *biases]


def test_three_neurons_forward() -> None:
    activations, cost, bound, _ = chain()
    np.testing.assert_allclose(compute(activations, bound), [0.62715, 0.38875, 0.53740], rtol=0, atol=5e-6)
    np.testing.assert_allclose(compute([cost], bound), [0.214000], rtol=0, atol=5e-7)


def test_three_neurons_backward() -> None:
    _, cost, bound, leaves = chain()
    slopes = np.array(compute(require_gradients(cost, leaves), bound))
    np.testing.assert_allclose(slopes[:3], [0.0082815, -0.0308490, -0.0894147], rtol=0, atol=5e-8)
    np.testing.assert_allclose(slopes[3:], [0.0138026, -0.0491894, -0.2300068], rtol=0, atol=5e-8)


def test_three_neurons_by_the_chain_rule_written_out() -> None:
    activations, cost, bound, leaves = chain()
    a1, a2, a3 = (float(value) for value in compute(activations, bound))
    delta3 = 2 * (a3 - 1) * a3 * (1 - a3)
    delta2 = delta3 * W[2] * a2 * (1 - a2)
    delta1 = delta2 * W[1] * a1 * (1 - a1)
    expected = [delta1 * 0.6, delta2 * a1, delta3 * a2, delta1, delta2, delta3]
    np.testing.assert_allclose(compute(require_gradients(cost, leaves), bound), expected, rtol=1e-13)


# ---- a recurrent network, written out for twelve steps

STEPS, UNITS = 12, 3
generator = np.random.default_rng(12)
RECURRENT = generator.normal(size=(UNITS, UNITS)) * 0.9
INPUTS = generator.normal(size=(STEPS, 1, UNITS))


def unrolled(weights: list[Node]) -> tuple[Node, dict[Node, np.ndarray]]:
    """The cost, with the recurrent weight of step t given by weights[t]."""
    inputs = [input_node(f"x{t}", (1, UNITS)) for t in range(STEPS)]
    state = inputs[0] * 0.0
    for x, weight in zip(inputs, weights, strict=True):
        state = ops.tanh(state @ weight + x)
    return ops.sum(state * state), dict(zip(inputs, INPUTS, strict=True))


def shared_value(value: np.ndarray) -> float:
    w = parameter("W", (UNITS, UNITS))
    cost, bound = unrolled([w] * STEPS)
    return float(compute([cost], {**bound, w: value})[0])


def test_the_derivative_by_a_shared_weight_is_the_sum_over_the_steps_not_the_average() -> None:
    w = parameter("W", (UNITS, UNITS))
    cost, bound = unrolled([w] * STEPS)
    (shared,) = compute(require_gradients(cost, [w]), {**bound, w: RECURRENT})
    own = [parameter(f"W{t}", (UNITS, UNITS)) for t in range(STEPS)]
    cost, bound = unrolled(own)
    parts = compute(require_gradients(cost, own), {**bound, **dict.fromkeys(own, RECURRENT)})
    summed, average = np.sum(parts, axis=0), np.mean(parts, axis=0)
    differences = np.empty_like(RECURRENT)
    for place in np.ndindex(RECURRENT.shape):
        slopes = []
        for h in (1e-3, 2e-3):  # Richardson: the error is of order h^4
            ahead, behind = RECURRENT.copy(), RECURRENT.copy()
            ahead[place] += h
            behind[place] -= h
            slopes.append((shared_value(ahead) - shared_value(behind)) / (2 * h))
        differences[place] = (4 * slopes[0] - slopes[1]) / 3
    assert np.max(np.abs(summed - shared)) <= 1e-14
    assert np.max(np.abs(summed - differences)) <= 1e-9
    assert np.max(np.abs(average - differences)) > 0.05
    assert np.count_nonzero([np.max(np.abs(part)) > 1e-6 for part in parts]) > 3, "several steps contribute"


# ---- a linear layer of a linear layer is a linear layer


def test_two_linear_layers_are_one() -> None:
    """4-16-3 without activation has 131 parameters and says no more than 15 do."""
    shapes = {"W1": (4, 16), "b1": (16,), "W2": (16, 3), "b2": (3,)}
    leaves = {name: parameter(name, shape) for name, shape in shapes.items()}
    assert sum(leaf.type.size for leaf in leaves.values()) == 131
    values = {name: generator.normal(size=shape) for name, shape in shapes.items()}
    x = input_node("x", (50, 4))
    deep = (x @ leaves["W1"] + leaves["b1"]) @ leaves["W2"] + leaves["b2"]
    weight, bias = parameter("W", (4, 3)), parameter("b", (3,))
    assert weight.type.size + bias.type.size == 15
    bound = {x: generator.normal(size=(50, 4)), **{leaves[name]: value for name, value in values.items()}}
    bound |= {weight: values["W1"] @ values["W2"], bias: values["b1"] @ values["W2"] + values["b2"]}
    one, other = compute([deep, x @ weight + bias], bound)
    np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    (slope,) = grad(ops.sum(deep), [x])
    assert slope is not None
    rows = compute([slope], bound)[0]
    np.testing.assert_allclose(rows, np.tile(bound[weight].sum(axis=1), (50, 1)), rtol=1e-12, atol=1e-12)


def test_with_an_activation_between_they_are_not_one() -> None:
    x = input_node("x", (3, 1))
    deep = ops.tanh(x * 2.0) * 3.0
    low, middle, high = compute([deep], {x: np.array([[-1.0], [0.0], [2.0]])})[0].ravel()
    assert abs((middle - low) / 1.0 - (high - middle) / 2.0) > 1


@pytest.mark.parametrize("factor", [0.5, 1.0])
def test_a_factor_of_the_cost_is_a_factor_of_its_gradient(factor: float) -> None:
    _, cost, bound, leaves = chain()
    once, scaled = (compute(require_gradients(y, leaves), bound) for y in (cost, cost * factor))
    np.testing.assert_allclose(np.array(once) * factor, scaled, rtol=1e-14)
