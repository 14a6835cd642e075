"""First values: mean, variance and limits against their formulas, and what they depend on."""

import math

import numpy as np
import pytest
from nn_judges import first_values

from chainrule.errors import OptionError
from chainrule.graph import compute, constant
from chainrule.nn import (
    Constant,
    Dense,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LeCunNormal,
    LeCunUniform,
    Normal,
    Sequential,
    Uniform,
    Zeros,
    build_network,
)
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.initialisers import suited_to
from chainrule.ops import random

SHAPE = (300, 500)
COUNT = 150_000
# Expected mean, variance, limit (infinite: normal), and kurtosis E(x − mean)⁴/variance², which the variance's own error needs.
UNIFORM, NORMAL = 1.8, 3.0
CASES = {
    "normal": (Normal(), 0.0, 1.0, math.inf, NORMAL),
    "normal 2 ± 3": (Normal(2.0, 3.0), 2.0, 9.0, math.inf, NORMAL),
    "uniform": (Uniform(), 0.0, 0.1**2 / 12, 0.05, UNIFORM),
    "uniform 1 ... 3": (Uniform(1.0, 3.0), 2.0, 4 / 12, 1.0, UNIFORM),
    "glorot uniform": (GlorotUniform(), 0.0, 2 / 800, math.sqrt(6 / 800), UNIFORM),
    "glorot normal": (GlorotNormal(), 0.0, 2 / 800, math.inf, NORMAL),
    "he uniform": (HeUniform(), 0.0, 2 / 300, math.sqrt(6 / 300), UNIFORM),
    "he normal": (HeNormal(), 0.0, 2 / 300, math.inf, NORMAL),
    "lecun uniform": (LeCunUniform(), 0.0, 1 / 300, math.sqrt(3 / 300), UNIFORM),
    "lecun normal": (LeCunNormal(), 0.0, 1 / 300, math.inf, NORMAL),
}


def numbers(initialiser, shape=SHAPE, seed=0, name="dense1.W"):
    key = random.random_fold(constant(random.key(seed)), constant(random.stream(name)))
    return compute([initialiser(key, shape)])[0]


@pytest.mark.parametrize("case", CASES)
def test_mean_variance_and_limits(case):
    initialiser, mean, variance, limit, kurtosis = CASES[case]
    found = numbers(initialiser)
    assert found.shape == SHAPE
    assert found.dtype == "float64"
    # Bounds of five standard errors of the estimates: passed by chance but for 6 in 10 million.
    assert abs(found.mean() - mean) < 5 * math.sqrt(variance / COUNT)
    assert abs(found.var() - variance) < 5 * variance * math.sqrt((kurtosis - 1) / COUNT)
    assert np.abs(found - mean).max() <= limit
    if limit < math.inf:
        assert np.abs(found - mean).max() > 0.9999 * limit
    fourth = np.mean((found - mean) ** 4) / variance**2
    assert fourth == pytest.approx(kurtosis, rel=0.03)


def test_fixed_values():
    assert not numbers(Zeros(), (3, 2)).any()
    np.testing.assert_array_equal(numbers(Constant(0.25), (4,)), 0.25)


def test_same_key_same_bits_other_key_other_numbers():
    assert np.array_equal(numbers(Normal()), numbers(Normal()))
    assert not np.any(numbers(Normal()) == numbers(Normal(), seed=1))


def test_parameters_are_independent():
    first, second = numbers(Normal(), name="dense1.W"), numbers(Normal(), name="dense2.W")
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 5 / math.sqrt(COUNT)
    rows = numbers(Normal())
    assert abs(np.corrcoef(rows[0], rows[1])[0, 1]) < 5 / math.sqrt(500)


def test_parameters_do_not_depend_on_their_neighbours():
    """A layer's first values are a function of seed and name: what stands beside it does not shift them."""
    short = build_network(Sequential(Dense(3, name="head")), (4,))
    long = build_network(Sequential(Dense(4), Dense(3, name="head")), (4,))
    values = [first_values(built, seed=5)[built.parameters["head.W"].node] for built in (short, long)]
    assert np.array_equal(*values)


def test_convolution_shapes_count_their_field():
    found = numbers(HeNormal(), (5, 5, 8, 400))
    assert found.var() == pytest.approx(2 / 200, rel=0.03)


@pytest.mark.parametrize("kind", [GlorotUniform, GlorotNormal, HeUniform, HeNormal, LeCunNormal, LeCunUniform])
def test_a_bias_has_no_fan(kind):
    with pytest.raises(OptionError, match="fan-in"):
        numbers(kind(), (3,))


def test_values_that_make_no_sense():
    for make in (
        lambda: Constant(math.nan),
        lambda: Constant("a"),
        lambda: Normal(0.0, -1.0),
        lambda: Normal(math.inf),
        lambda: Uniform(1.0, 0.0),
        lambda: Uniform(low=True),
    ):
        with pytest.raises(OptionError):
            make()


def test_what_suits_an_activation():
    assert suited_to("relu") == HeNormal()
    assert suited_to("tanh") == suited_to("linear") == GlorotUniform()
    kin = {"relu", "leaky_relu", "elu", "silu", "gelu", "softplus"}
    assert {name for name in ACTIVATIONS if suited_to(name) == HeNormal()} == kin
    built = build_network(Sequential(Dense(3, "relu"), Dense(2), Dense(2, weights=Normal())), (4,))
    assert [item.initialiser for item in built.parameters.values()] == [
        HeNormal(), Zeros(), GlorotUniform(), Zeros(), Normal(), Zeros(),
    ]  # fmt: skip
