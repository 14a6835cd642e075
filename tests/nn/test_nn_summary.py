"""The table of a network: the golden counts, ranges, sharing."""

import pytest

from chainrule.errors import OptionError
from chainrule.nn import (
    Activation,
    Dense,
    Dropout,
    Flatten,
    Formula,
    Function,
    Network,
    Sequential,
    parse_network,
    range_badge,
    summary,
)


def test_digit_network():
    """Spec E6, E14: 12 560 + 272 + 170 = 13 002, of which 12 960 weights and 42 biases; the input is no layer."""
    found = summary(parse_network("784-16-16-10"))
    assert [row.parameters for row in found.rows] == [12_560, 272, 170]
    assert (found.total, found.weights, found.biases, found.layers) == (13_002, 12_960, 42, 3)
    text = str(found)
    assert "12 560 + 272 + 170 = 13 002 (12 960 weights + 42 biases)" in text
    assert "layers: 3 (the input is not counted as a layer)" in text


def test_rows():
    net = Sequential(
        Flatten(), Dense(8, "tanh", bias=False), Dropout(0.5), Activation("sigmoid"),
        Formula("W·i", {"W": (2, 8)}, name="last"), Function(lambda x: x * 2.0), input_shape=(2, 3),
    )  # fmt: skip
    rows = summary(net).rows
    assert [row.name for row in rows] == ["flatten1", "dense1", "dropout1", "activation1", "last", "function1"]
    assert [row.kind for row in rows] == ["flatten", "dense", "dropout", "activation", "formula", "function"]
    assert [row.input for row in rows] == [(2, 3), (6,), (8,), (8,), (8,), (2,)]
    assert [row.output for row in rows] == [(6,), (8,), (8,), (8,), (2,), (2,)]
    assert [row.parameters for row in rows] == [0, 48, 0, 0, 16, 0]
    assert [row.range for row in rows] == ["", "[−1, 1]", "", "[0, 1]", "", ""]
    assert [row.description for row in rows[1:5]] == ["tanh(x·W)", "Dropout(0.5)", "sigmoid: 1/(1 + exp(−z))", "W·i"]
    assert summary(net).biases == 0


def test_shared_layers_count_once():
    shared = Dense(4)
    found = summary(Sequential(shared, shared), (4,))
    assert [row.parameters for row in found.rows] == [20, 0]
    assert [row.shared for row in found.rows] == [False, True]
    assert (found.total, found.layers) == (20, 1)
    assert "shared" in str(found)
    assert "as above" in str(found)


def test_shapes_from_the_network_or_given():
    assert summary(Network(lambda a, b: Dense(2)(a) + b, {"a": (3,), "b": (2,)})).total == 8
    assert summary(Sequential(Dense(2)), (3,)).total == 8
    with pytest.raises(OptionError, match="table\\(network, \\(784,\\)\\)"):
        summary(Sequential(Dense(2)))
    assert str(summary(Sequential(), (3,))).endswith("layers: 0 (the input is not counted as a layer)")


def test_range_badges():
    assert range_badge("step") == "[0, 1]"
    assert range_badge("silu") == "[−0.278, ∞)"
    assert range_badge("elu") == "[−1, ∞)"
