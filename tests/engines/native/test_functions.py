"""The elementwise functions of the native engine: errors against mpmath, NumPy's special values, the same bits for all widths."""

import math

import numpy as np
import pytest
from function_cases import DTYPES, LANES, TRUE, UNARY, any_bits, compiled, trial_numbers, ulps, written

from chainrule.engines.native.functions import ULP

BOTH = pytest.mark.parametrize("element", DTYPES)
NUMPY = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "sin": np.sin, "cos": np.cos, "tanh": np.tanh,
    "sigmoid": lambda x: np.reciprocal(1 + np.exp(-x)), "softplus": lambda x: np.logaddexp(x, x.dtype.type(0)),
    "erf": lambda x: np.array([math.erf(number) for number in x.tolist()], x.dtype), "power": np.power,
}  # fmt: skip


def same(x, y):
    """Equal, −0 told from 0, one NaN as good as another."""
    return (np.isnan(x) & np.isnan(y)) | ((x == y) & (np.signbit(x) == np.signbit(y)))


def test_every_function_states_its_error():
    assert set(ULP) == set(TRUE) == {*UNARY, "power"}
    assert all(set(bounds) == set(DTYPES) for bounds in ULP.values())


@BOTH
@pytest.mark.parametrize("name", UNARY)
def test_errors_are_within_what_is_stated(name, element):
    x = trial_numbers(name, element)
    errors = ulps(name, element, compiled(name, element)[16](x), x)
    worst = errors.argmax()
    assert errors[worst] <= ULP[name][element], f"{name}({x[worst]!r}): {errors[worst]:.3f} ulp"


SPECIAL = {
    "exp": ["tiny", "large"], "expm1": ["tiny", "large"], "log": [-1.0, -1e-30, -1e30, 1.0], "log1p": ["tiny", -1.0, -1.5, -1e30],
    "sin": ["tiny"], "cos": ["tiny"], "tanh": ["tiny", "large"], "sigmoid": ["tiny", "large"], "softplus": ["large"], "erf": ["large"],
}  # fmt: skip
"""Where the result is a whole number, ±∞, NaN or the argument itself, so that there is no last digit to differ in."""


@BOTH
@pytest.mark.parametrize("name", UNARY)
def test_special_values_are_numpys(name, element):
    info = np.finfo(DTYPES[element])
    tiny = np.array([info.smallest_subnormal, 3 * info.smallest_subnormal, info.tiny, 1e-20], info.dtype)
    large = np.array([info.max, 1e30, 2000.0], info.dtype)
    words = {"tiny": [*tiny, *-tiny], "large": [*large, *-large]}
    extra = [number for entry in SPECIAL[name] for number in words.get(entry, [entry])]
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, *extra], info.dtype)
    with np.errstate(all="ignore"):
        expected = NUMPY[name](x)
    result = compiled(name, element)[16](x)
    wrong = ~same(result, expected)
    assert not wrong.any(), f"{name}({x[wrong]}) gave {result[wrong]}, not {expected[wrong]}"


@BOTH
@pytest.mark.parametrize("name", [*UNARY, "power"])
def test_all_widths_give_the_same_bits(name, element):
    random = np.random.default_rng(1)
    odd = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 2.0**20, 2.0**20 + 1, 1e30]
    x = np.concatenate([random.uniform(-5, 5, 200), any_bits(element, 200, random), odd]).astype(DTYPES[element])
    arguments = [x] if name != "power" else [x, random.choice([2.0, 3.0, 0.5, -1.5, np.nan], len(x)).astype(x.dtype)]
    results = [compiled(name, element)[lanes](*arguments) for lanes in LANES]
    for result in results[1:]:
        assert same(result, results[0]).all()


@BOTH
def test_tiny_numbers_come_back_unchanged(element):
    x = any_bits(element, 500, np.random.default_rng(2))
    x = x[abs(x) < 2.0 ** (-27 if element == "float" else -56)]
    for name in ("expm1", "log1p", "sin", "tanh"):
        assert same(compiled(name, element)[8](x), x).all(), name


@BOTH
def test_sigmoid_is_zero_only_where_exp_overflows(element):
    last = DTYPES[element](-88.72283935546875 if element == "float" else -709.782712893384)
    below = np.nextafter(last, -np.inf, dtype=last.dtype)
    result = compiled("sigmoid", element)[1](np.array([last, below, below * 2], DTYPES[element]))
    assert result[0] > 0
    assert not result[1:].any()


@BOTH
def test_powers(element):
    random = np.random.default_rng(3)
    x = random.uniform(0, 9, 400).astype(DTYPES[element])
    y = random.uniform(-9, 9, 400).astype(x.dtype)
    power = compiled("power", element)[16]
    assert ulps("power", element, power(x, y), x, y).max() <= ULP["power"][element]
    assert np.array_equal(power(-x, np.full_like(x, 2)), x * x)
    bases, exponents = np.meshgrid(
        [0.0, -0.0, 1.0, -1.0, -2.0, 0.5, np.inf, -np.inf, np.nan], [0.0, 2.0, 3.0, -1.0, 0.5, np.inf, np.nan]
    )
    bases, exponents = bases.ravel().astype(x.dtype), exponents.ravel().astype(x.dtype)
    with np.errstate(all="ignore"):
        expected = np.where(exponents == 2, bases * bases, np.power(bases, exponents))
    assert np.allclose(power(bases, exponents), expected, rtol=4 * np.finfo(x.dtype).eps, atol=0, equal_nan=True)


def test_far_angles_cost_the_near_ones_nothing():
    x = np.random.default_rng(4).uniform(-9, 9, 64).astype(np.float32)
    mixed = x.copy()
    mixed[::3] = 1e9
    for name in ("sin", "cos"):
        sine = compiled(name, "float")[16]
        near = np.arange(64) % 3 != 0
        assert np.array_equal(sine(x)[near], sine(mixed)[near])


def test_code_is_straight_but_for_what_the_c_library_does():
    for name in UNARY:
        text, declarations = written(name, "float", 8, 1)
        outside = {line.split("@")[1].split("(")[0] for line in declarations if "@llvm." not in line}
        assert outside == ({name} if name in {"sin", "cos"} else set())
        assert " fast " not in text
        assert "reassoc" not in text
