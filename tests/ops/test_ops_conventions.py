"""Derivatives where mathematics leaves a choice: what each op's `convention` says is what comes out, and what JAX says too."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import op_cases  # noqa: F401  (switches JAX to float64)
import pytest

from chainrule import ops
from chainrule.derivatives import grad
from chainrule.graph import REGISTRY, Node, compute, constant, input_node, topological_order


def slopes(build: Callable[..., Node], *values: object) -> list[np.ndarray | None]:
    arrays = [np.asarray(value, dtype=np.float64) for value in values]
    nodes = [input_node(f"x{i}", array.shape) for i, array in enumerate(arrays)]
    gradients = grad(ops.sum(build(*nodes)), nodes)
    return [None if g is None else compute([g], dict(zip(nodes, arrays, strict=True)))[0] for g in gradients]


# op, its text, build, the point, our derivatives there, whether JAX says the same
KINKS = [
    ("relu", "at 0 the derivative is 0", ops.relu, jax.nn.relu, (0.0,), (0.0,), True),
    # JAX chooses 1 here: the slope to the right.
    ("absolute", "at 0 the derivative is 0", ops.absolute, jnp.abs, (0.0,), (0.0,), False),
    ("sqrt", "at 0 the derivative is +∞", ops.sqrt, jnp.sqrt, (0.0,), (np.inf,), True),
    ("maximum", "where x = y each gets half of the gradient", ops.maximum, jnp.maximum, (2.0, 2.0), (0.5, 0.5), True),
    ("minimum", "where x = y each gets half of the gradient", ops.minimum, jnp.minimum, (2.0, 2.0), (0.5, 0.5), True),
    # JAX gives NaN for the first of these and for the second's exponent: 0·∞.
    ("power", "where x = y = 0 the derivative by x is 0", ops.power, jnp.power, (0.0, 0.0), (0.0, 0.0), False),
    ("power", "where x = 0 the derivative by y is 0", ops.power, jnp.power, (0.0, -1.0), (-np.inf, 0.0), False),
    ("power", "where x = 0 the derivative by y is 0", ops.power, jnp.power, (0.0, 2.0), (0.0, 0.0), True),
    ("power", "where x = 0 the derivative by y is 0", ops.power, jnp.power, (0.0, 1.0), (1.0, 0.0), True),
    ("norm", "of a row of zeros the derivative is 0", ops.norm, jnp.linalg.norm, ([0.0, 0.0],), ([0.0, 0.0],), False),
    (
        "poisson_loss",
        "where y = 0 the derivative by y is 0",
        ops.poisson_loss,
        lambda z, y: jnp.exp(z) - y * z + jax.scipy.special.xlogy(y, y) - y,
        (0.0, 0.0),
        (1.0, 0.0),
        False,
    ),
    (
        "margin",
        "equals share the runner-up's part",
        lambda z: ops.margin(z, constant(np.array(0))),
        lambda z: z[0] - jnp.max(z[1:]),
        ([3.0, 1.0, 1.0],),
        ([1.0, -0.5, -0.5],),
        True,
    ),
    ("reduce_max", "each gets an equal part", ops.max, jnp.max, ([3.0, 1.0, 3.0],), ([0.5, 0.0, 0.5],), True),
    ("reduce_min", "each gets an equal part", ops.min, jnp.min, ([1.0, 1.0, 3.0],), ([0.5, 0.5, 0.0],), True),
]


@pytest.mark.parametrize(("name", "text", "build", "judge", "point", "expected", "as_jax"), KINKS)
def test_the_derivative_at_a_kink(name, text, build, judge, point, expected, as_jax) -> None:
    assert text in REGISTRY[name].convention
    ours = slopes(build, *point)
    for mine, wanted in zip(ours, expected, strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-15)
    theirs = jax.jit(jax.grad(lambda *xs: jnp.sum(judge(*xs)), tuple(range(len(point)))))(*map(np.asarray, point))
    agrees = all(np.allclose(mine, other, rtol=1e-15, equal_nan=False) for mine, other in zip(ours, theirs, strict=True))
    assert agrees is as_jax


NO_GRADIENT = {
    "runner_up": lambda x: ops.runner_up(x, constant(np.array(0))),
    "sign": ops.sign,
    "floor": ops.floor,
    "stop_gradient": ops.stop_gradient,
    "cast": lambda x: ops.cast(ops.cast(x, dtype="int64"), dtype="float64"),
    "argmax": lambda x: ops.cast(ops.argmax(x, axis=0), dtype="float64"),
    "one_hot": lambda x: ops.one_hot(ops.cast(x, dtype="int64"), classes=3, dtype="float64"),
    "random_bits": lambda x: ops.cast(ops.random_bits(ops.cast(x, dtype="uint32"), shape=(3,)), dtype="float64"),
    "random_fold": lambda x: ops.cast(ops.random_fold(ops.cast(x, dtype="uint32"), constant(1, "uint32")), dtype="float64"),
}


@pytest.mark.parametrize("name", NO_GRADIENT)
def test_ops_that_let_no_gradient_pass_give_none(name: str) -> None:
    assert "no gradient" in REGISTRY[name].convention
    x = input_node("x", (2,))
    assert grad(ops.sum(NO_GRADIENT[name](x)), [x]) == [None]


def test_each_convention_is_tested_here() -> None:
    said = {name for name, op in REGISTRY.items() if op.convention}
    assert said == {kink[0] for kink in KINKS} | set(NO_GRADIENT)


def test_the_step_of_the_perceptron() -> None:
    x = input_node("x", (4,))
    step = ops.heaviside(x)
    (values,) = compute([step], {x: np.array([-1.0, 0.0, -0.0, 2.0])})
    assert values.tolist() == [0.0, 0.0, 0.0, 1.0]
    assert values.dtype == np.float64
    assert grad(ops.sum(step), [x]) == [None]


def test_where_only_the_exponent_is_zero_all_derivatives_of_a_power_are_the_true_ones() -> None:
    x, y = input_node("x"), input_node("y")
    first = grad(x**y, [x, y])
    point = {x: np.float64(2.0), y: np.float64(0.0)}
    by_base, by_exponent = (g for g in first if g is not None)
    assert compute([by_base, by_exponent], point) == [0.0, np.log(2.0)]
    mixed = [grad(by_base, [y])[0], grad(by_exponent, [x])[0]]
    assert compute([g for g in mixed if g is not None], point) == [0.5, 0.5]


def test_a_cast_between_floats_passes_the_gradient_in_the_inputs_dtype() -> None:
    x = input_node("x", (2,))
    (g,) = grad(ops.sum(ops.cast(x, dtype="float32") * 3.0), [x])
    assert g is not None
    assert g.type == x.type
    assert compute([g], {x: np.ones(2)})[0].tolist() == [3.0, 3.0]


@pytest.mark.parametrize("name", [name for name, op in REGISTRY.items() if op.kind == "elementwise" and not op.keywords])
def test_an_op_with_one_slope_everywhere_says_that_it_is_finite(name: str) -> None:
    op = REGISTRY[name]
    leaves = [input_node(f"x{i}", (3,), "bool" if name == "where" and i == 0 else "float64") for i in range(op.arity or 0)]
    if op.vjp_rule is None or not (out := op(*leaves)).type.is_float:
        return
    parts = [part for part in op.vjp_rule(input_node("g", (3,)), out, *leaves) if part is not None]
    if not {out, *leaves} & set(topological_order(parts)):
        assert op.finite_slope


def test_whose_slope_is_finite_says_so() -> None:
    finite = {name for name, op in REGISTRY.items() if op.finite_slope}
    assert finite == {"add", "subtract", "negative", "cast", "tanh", "sigmoid", "softplus", "relu", "absolute"}


def test_what_networks_bend_with_says_so() -> None:
    bending = {name for name, op in REGISTRY.items() if op.is_activation}
    assert bending == {"sin", "cos", "tanh", "sigmoid", "softplus", "relu", "erf"}


def test_a_cast_of_whole_numbers_passes_no_gradient() -> None:
    whole, x = input_node("n", (2,), "int64"), input_node("x", (2,))
    assert grad(ops.sum(ops.cast(whole, dtype="float64") * x), [whole, x])[0] is None
    assert grad(ops.sum(ops.cast(ops.cast(x, dtype="int64"), dtype="float64")), [x]) == [None]


def test_a_gradient_read_from_a_table_with_nan_and_infinity_is_clean() -> None:
    table = input_node("table", (3,))
    (g,) = grad(ops.sum(ops.gather(table, constant([2, 2]), axis=0)), [table])
    assert g is not None
    assert compute([g], {table: np.array([np.nan, np.inf, 1.0])})[0].tolist() == [0.0, 0.0, 2.0]


def test_a_nan_has_nan_for_derivative_of_the_largest_entry() -> None:
    (g,) = slopes(ops.max, [np.nan, 1.0])
    assert g is not None
    assert np.isnan(g).all()
