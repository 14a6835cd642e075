"""Which numbers an output can reach, against numbers that networks with random weights give; and how networks read their inputs."""

from __future__ import annotations

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.graph import Node, compute
from chainrule.nn import ACTIVATIONS, build_network, output_range, read_input

INF = math.inf
KNOWN = {
    "linear": (-INF, INF), "step": (0, 1), "sigmoid": (0, 1), "tanh": (-1, 1), "relu": (0, INF), "leaky_relu": (-INF, INF),
    "elu": (-1, INF), "exp": (0, INF), "softplus": (0, INF), "silu": (-0.2784645427610738, INF),
    "gelu": (-0.16997120747990369, INF), "softmax": (0, 1),
}  # fmt: skip
FORMULAS = {
    "z**2": (0, INF), "exp(-z**2)": (0, 1), "log(1+z**2)": (0, INF), "1/(1+exp(-z))": (0, 1), "sin(z)": (-1, 1), "exp(z)": (0, INF),
    "z*exp(-z**2)": (-math.exp(-0.5) / math.sqrt(2), math.exp(-0.5) / math.sqrt(2)), "5*tanh(z)+2": (-3, 7), "-relu(z)": (-INF, 0),
    "min(max(z,0),6)": (0, 6), "z/(1+abs(z))": (-1, 1), "z if z>0 else 0.1*z": (-INF, INF), "sqrt(abs(z))": (0, INF),
    "1-exp(-z**2)": (0, 1), "z**3": (-INF, INF), "3 - softplus(z)": (-INF, 3), "abs(z) + 2": (2, INF),
}  # fmt: skip
RECURRENT = {
    cr.RNN(2): (-1, 1), cr.RNN(2, activation="relu"): (0, INF), cr.LSTM(2): (-1, 1), cr.GRU(2, return_sequences=True): (-1, 1),
    cr.Bidirectional(cr.GRU(2)): (-1, 1), cr.RNN(2, activation="linear"): (-INF, INF),
}  # fmt: skip


def _bounds(layer: object, shape: tuple[int, ...]) -> tuple[float, float]:
    found = output_range(build_network(layer, shape).output)
    return float(found.low.min()), float(found.high.max())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_range_of_every_activation_as_part_of_a_layer_and_as_a_layer(name: str) -> None:
    np.testing.assert_allclose(_bounds(cr.Sequential(cr.Dense(3, name)), (2,)), KNOWN[name], atol=1e-6)
    np.testing.assert_allclose(_bounds(cr.Sequential(cr.Dense(3), cr.Activation(name)), (2,)), KNOWN[name], atol=1e-6)
    assert (ACTIVATIONS[name].lowest, ACTIVATIONS[name].highest) == pytest.approx(KNOWN[name])


@pytest.mark.parametrize("text", FORMULAS)
def test_the_range_of_formulas(text: str) -> None:
    found = _bounds(cr.Sequential(cr.Dense(2), cr.Formula(text)), (3,))
    np.testing.assert_allclose(found, FORMULAS[text], atol=1e-5)


@pytest.mark.parametrize("layer", RECURRENT, ids=repr)
def test_the_range_of_layers_with_a_memory(layer: object) -> None:
    assert _bounds(cr.Sequential(layer), (4, 3)) == RECURRENT[layer]


def test_outputs_of_several_kinds_side_by_side() -> None:
    chance, size, free = cr.Dense(1, "sigmoid"), cr.Dense(1, "relu"), cr.Dense(2)
    built = build_network(lambda x: ops.concatenate(chance(x), size(x), free(x), axis=1), (2,))
    found = output_range(built.output)
    np.testing.assert_array_equal(found.low, [[0, 0, -INF, -INF]])
    np.testing.assert_array_equal(found.high, [[1, INF, INF, INF]])


def test_layers_behind_a_bounded_one_keep_or_lift_its_bounds() -> None:
    images = (6, 6, 1)
    assert _bounds(cr.Sequential(cr.Conv2D(2, 3, activation="relu"), cr.GlobalAveragePool()), images) == (0, INF)
    assert _bounds(cr.Sequential(cr.Conv2D(2, 3, activation="tanh"), cr.Flatten()), images) == (-1, 1)
    assert _bounds(cr.Sequential(cr.Dense(3, "tanh"), cr.Dense(1)), (2,)) == (-INF, INF)
    assert _bounds(cr.Sequential(cr.Dense(3, "relu"), cr.Residual(cr.Dense(3, "relu"))), (2,)) == (0, INF)
    assert _bounds(cr.Sequential(cr.Dense(3, "relu"), cr.Residual(cr.Dense(3))), (2,)) == (-INF, INF)


@pytest.mark.parametrize("seed", range(20))
def test_no_number_lies_outside_of_the_range(seed: int) -> None:
    """Random expressions of random numbers, as large as they come."""
    random = np.random.default_rng(seed)
    unary = [ops.tanh, ops.sigmoid, ops.relu, ops.absolute, ops.negative, ops.softplus, ops.sin, ops.erf, lambda z: z * z]
    binary = [ops.add, ops.subtract, ops.multiply, ops.maximum, ops.minimum, lambda a, b: ops.where(ops.greater(a, b), a, b)]

    def network(x: Node) -> Node:
        made = [cr.Dense(2)(x), cr.Dense(2)(x)]
        for _ in range(6):
            one, other = (made[int(place)] for place in random.integers(0, len(made), 2))
            kind = random.integers(0, 3)
            made.append(unary[random.integers(len(unary))](one) if kind else binary[random.integers(len(binary))](one, other))
        return made[-1]

    built = build_network(network, (3,), batch=50)
    found = output_range(built.output)
    values = {item.node: random.normal(0, 3, item.node.shape) for item in built.parameters.values()}
    for size in (0.1, 1.0, 100.0):
        (out,) = compute([built.output], {built.input: random.normal(0, size, built.input.shape), **values})
        assert np.all(out >= found.low - 1e-5)
        assert np.all(out <= found.high + 1e-5)


# ---- how inputs are read


def _reading(layer: object, shape: tuple[int, ...]):
    built = build_network(layer, shape)
    return read_input(built)


def test_numbers_of_one_kind_differ_in_place_and_time_only() -> None:
    assert _reading(cr.Sequential(cr.Dense(1)), (3,)).groups.tolist() == [0, 1, 2]
    assert _reading(cr.Sequential(cr.LSTM(2)), (2, 3)).groups.tolist() == [[0, 1, 2]] * 2
    assert _reading(cr.Sequential(cr.Conv2D(2, 2)), (2, 2, 2)).groups.tolist() == [[[0, 1]] * 2] * 2
    image = cr.Sequential(cr.Reshape((2, 2, 1)), cr.Conv2D(2, 2))
    assert _reading(image, (4,)).groups.tolist() == [0] * 4
    assert _reading(image, (2, 2)).groups.tolist() == [[0, 0], [0, 0]]
    assert _reading(cr.Sequential(cr.Flatten(), cr.Dense(1)), (2, 2, 1)).groups.tolist() == [[[0], [0]]] * 2


def test_positions_are_what_becomes_whole_numbers() -> None:
    assert _reading(cr.Sequential(cr.Embedding(5, 2), cr.LSTM(2)), (3,)).positions.all()
    assert _reading(cr.Sequential(cr.Reshape((3,)), cr.OneHot(5), cr.Flatten()), (3, 1)).positions.all()
    words, numbers = cr.Embedding(5, 2), cr.Dense(1)

    def wired(x: Node) -> Node:
        ids = ops.reshape(ops.slice_axis(x, 1, 0, 1), shape=(x.shape[0],))
        return numbers(ops.concatenate(words(ids), ops.slice_axis(x, 1, 1, 4), axis=1))

    found = _reading(wired, (4,))
    assert found.positions.tolist() == [True, False, False, False]
    assert not _reading(cr.Sequential(cr.Dense(1)), (3,)).positions.any()
