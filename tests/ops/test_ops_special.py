"""Values where arithmetic is delicate: NaN, infinities, zeros, empty and one-entry arrays, and the last digits."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax import lax
from op_cases import CASES, Case

from chainrule import ops
from chainrule.engines import engine_named
from chainrule.graph import REGISTRY, Graph, Type, compute, constant, input_node

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 1e30, -1e30, 1e-30]
UNARY = {
    "negative": jnp.negative, "exp": jnp.exp, "expm1": jnp.expm1, "log": jnp.log, "log1p": jnp.log1p, "sqrt": jnp.sqrt,
    "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid, "softplus": jax.nn.softplus, "relu": jax.nn.relu, "erf": lax.erf,
    "absolute": jnp.abs, "sign": jnp.sign, "floor": jnp.floor, "sin": jnp.sin, "cos": jnp.cos,
}  # fmt: skip
BINARY = {
    "add": jnp.add, "subtract": jnp.subtract, "multiply": jnp.multiply, "divide": jnp.divide, "power": jnp.power,
    "maximum": jnp.maximum, "minimum": jnp.minimum, "equal": jnp.equal, "not_equal": jnp.not_equal, "less": jnp.less,
    "less_equal": jnp.less_equal, "greater": jnp.greater, "greater_equal": jnp.greater_equal,
}  # fmt: skip


@cache
def numbers_for(name: str, dtype: str) -> tuple[np.ndarray, ...]:
    """What a function is asked for: each special number, or each pair of them."""
    if name in BINARY:
        return tuple(part.ravel() for part in np.meshgrid(np.array(SPECIAL, dtype=dtype), np.array(SPECIAL, dtype=dtype)))
    # Sine and cosine of 1e30 ask for argument reduction, which libraries do to different care.
    return (np.array([x for x in SPECIAL if name not in {"sin", "cos"} or not 1e10 < abs(x) < np.inf], dtype=dtype),)


@cache
def by_jax(dtype: str) -> dict[str, np.ndarray]:
    """What JAX has for all of them, by one program: most of the time to compile does not go by a program's length."""
    functions = UNARY | BINARY
    given = {name: numbers_for(name, dtype) for name in functions}
    found = jax.jit(lambda given: {name: function(*given[name]) for name, function in functions.items()})(given)
    return {name: np.asarray(array) for name, array in found.items()}


def value(name: str, *arrays: np.ndarray) -> np.ndarray:
    nodes = [input_node(f"x{i}", array.shape, array.dtype.name) for i, array in enumerate(arrays)]
    return np.asarray(compute([REGISTRY[name](*nodes)], dict(zip(nodes, arrays, strict=True)))[0])


def test_the_tables_have_all_float_ops_of_one_and_two_variables() -> None:
    declared = {name for name, op in REGISTRY.items() if op.kind == "elementwise" and op.decomposition is None}
    floats = {name for name in declared if not name.startswith("logical")} - {"where", "cast"}
    assert set(UNARY) | set(BINARY) == floats


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_special_numbers(name: str, dtype: str) -> None:
    (numbers,) = numbers_for(name, dtype)
    ours, theirs = value(name, numbers), by_jax(dtype)[name]
    np.testing.assert_allclose(ours, theirs, rtol=8 * np.finfo(dtype).eps)
    # NumPy's sign of -0 is 0, JAX's is -0.
    kept = ~np.isnan(ours) & ((numbers != 0) | (name != "sign"))
    np.testing.assert_array_equal(np.signbit(ours[kept]), np.signbit(theirs[kept]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BINARY)
def test_pairs_of_special_numbers(name: str, dtype: str) -> None:
    ours, theirs = value(name, *numbers_for(name, dtype)), by_jax(dtype)[name]
    np.testing.assert_allclose(ours, theirs, rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [*UNARY, *BINARY])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (0, 3), (1, 1)])
def test_scalars_empty_arrays_and_arrays_of_one(name: str, dtype: str, shape: tuple[int, ...]) -> None:
    arrays = [np.full(shape, 0.75, dtype=dtype)] * (2 if name in BINARY else 1)
    nodes = [input_node(f"x{i}", shape, dtype) for i in range(len(arrays))]
    out = REGISTRY[name](*nodes)
    (result,) = compute([out], dict(zip(nodes, arrays, strict=True)))
    assert Type.of(np.asarray(result)) == out.type
    assert out.shape == shape


@pytest.mark.parametrize("case", [case for case in CASES if case.floats and case.label != "cut"], ids=lambda case: case.id)
def test_nan_in_an_input_is_never_lost(case: Case) -> None:
    nodes, arrays = case.nodes(), [np.full_like(a, np.nan) if a.dtype.kind == "f" else a for a in case.arrays()]
    out = case.build(*nodes)
    (result,) = compute([out], dict(zip(nodes, arrays, strict=True)))
    assert np.isnan(result).any() == out.type.is_float


def test_a_nan_that_is_not_chosen_leaves_no_trace() -> None:
    chosen = ops.where(constant([True, False]), constant([1.0, np.nan]), constant([np.nan, 2.0]))
    assert compute([chosen])[0].tolist() == [1.0, 2.0]


def test_extremes_of_nan_and_infinity() -> None:
    x = constant([[1.0, np.nan, 3.0], [-np.inf, 2.0, np.inf]])
    largest, smallest, place = compute([ops.max(x, axis=1), ops.min(x, axis=1), ops.position_of_max(x)])
    np.testing.assert_array_equal(largest, [np.nan, np.inf])
    np.testing.assert_array_equal(smallest, [np.nan, -np.inf])
    assert place.tolist() == [1, 2]  # the first NaN, as NumPy and JAX say


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logistic_functions_neither_overflow_nor_lose_small_values(dtype: str) -> None:
    x = np.array([-80.0, -20.0, 20.0, 1000.0, -1000.0], dtype=dtype)
    with mpmath.workdps(60):
        exact_sigmoid = [float(1 / (1 + mpmath.exp(-mpmath.mpf(float(v))))) for v in x]
        exact_softplus = [float(mpmath.log1p(mpmath.exp(mpmath.mpf(float(v))))) for v in x]
    np.testing.assert_allclose(value("sigmoid", x), np.array(exact_sigmoid, dtype=dtype), rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(value("softplus", x), np.array(exact_softplus, dtype=dtype), rtol=4 * np.finfo(dtype).eps)


EXACT = {
    "exp": mpmath.exp, "expm1": mpmath.expm1, "log": mpmath.log, "log1p": mpmath.log1p, "sqrt": mpmath.sqrt, "sin": mpmath.sin,
    "cos": mpmath.cos, "tanh": mpmath.tanh, "erf": mpmath.erf, "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_functions_are_right_to_the_last_digits(name: str) -> None:
    x = np.concatenate([10.0 ** np.arange(-9, 2), np.random.default_rng(1).uniform(0.1, 9, 40)])
    x = x if name in {"log", "sqrt"} else np.concatenate([x, -x[x < 1]])
    with mpmath.workdps(50):
        exact = np.array([float(EXACT[name](mpmath.mpf(float(v)))) for v in x])
    np.testing.assert_allclose(value(name, x), exact, rtol=4 * np.finfo("float64").eps)


def test_division_is_rounded_as_ieee_says() -> None:
    x, y = (np.random.default_rng(i).uniform(0.1, 9, 500) for i in (0, 1))
    quotients = value("divide", x, y)
    with mpmath.workdps(60):
        assert quotients.tolist() == [float(mpmath.mpf(float(a)) / mpmath.mpf(float(b))) for a, b in zip(x, y, strict=True)]


def test_a_square_is_the_product_to_the_last_bit() -> None:
    x = np.random.default_rng(2).normal(size=10_000)
    (square,) = compute([ops.power(constant(x), 2.0)])
    assert square.tobytes() == (x * x).tobytes()


@pytest.mark.parametrize(
    ("name", "dtype", "x", "y", "expected"),
    [
        ("add", "uint8", [250, 3], [10, 4], [4, 7]),
        ("subtract", "uint32", [0, 3], [1, 1], [2**32 - 1, 2]),
        ("multiply", "int32", [2**30, -3], [4, 5], [0, -15]),
        ("maximum", "int64", [-5, 2**60], [3, 2**60 + 1], [3, 2**60 + 1]),
    ],
)
def test_whole_numbers_wrap_round_and_keep_all_digits(
    name: str, dtype: str, x: list[int], y: list[int], expected: list[int]
) -> None:
    result = value(name, np.array(x, dtype=dtype), np.array(y, dtype=dtype))
    assert result.dtype == dtype
    assert result.tolist() == expected


@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint32", "int64"])
@pytest.mark.parametrize("engine", ["reference", "native"])
def test_a_sum_of_whole_numbers_has_room_as_numpys_has(dtype: str, engine: str) -> None:
    largest = np.full(300, 255 if dtype == "uint8" else 2**31 - 1, dtype)
    leaf = input_node("x", (300,), dtype)
    graph = Graph({"all": ops.sum(leaf), "direct": ops.reduce_sum(leaf, (-1,))})
    found = engine_named(engine).compile(graph)({"x": largest})
    assert found["all"] == found["direct"] == np.sum(largest)
    assert found["all"].dtype == "int64"


def test_casting_cuts_towards_zero_and_makes_truth_of_what_is_not_zero() -> None:
    x = constant([-1.9, -0.5, 0.0, 1.9])
    whole, truth = compute([ops.cast(x, dtype="int64"), ops.cast(x, dtype="bool")])
    assert whole.tolist() == [-1, 0, 0, 1]
    assert truth.tolist() == [True, True, False, True]
