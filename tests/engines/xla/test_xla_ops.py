"""All ops × {float32, float64}: the xla engine against the reference engine, values, gradients, special numbers, random bits."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jax", reason="the xla engine needs JAX")

from chainrule import ops
from chainrule.derivatives import vjp
from chainrule.engines import ReferenceEngine
from chainrule.engines.xla.engine import XlaEngine
from chainrule.engines.xla.lowering import LOWERINGS, is_known
from chainrule.errors import GraphError, PositionError
from chainrule.graph import REGISTRY, Graph, Node, constant, input_node
from chainrule.ops.declare import op

sys.path.insert(0, str(Path(__file__).parents[2] / "ops"))
from op_cases import CASES, Case

TOLERANCE = {"float32": 2e-6, "float64": 4e-15}
"""Relative to the largest entry: some units in the last place, for functions by another polynomial and sums in another order."""
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e-30, 89.0, -104.0, np.inf, -np.inf, np.nan, 3.0, 7.0, -1e-3, 2.0, -3e38]
TOGETHER = 60
"""Cases in one program: most of what compiling takes does not go by a program's length."""


def engine() -> XlaEngine:
    return XlaEngine(ReferenceEngine())


def agree(found: np.ndarray, wanted: np.ndarray, name: str, scale: float = 1.0) -> None:
    """The same type and, to rounding, the same numbers; NaN and infinities in the same places."""
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape), name
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(found, wanted, name)
        return
    tolerance = TOLERANCE[wanted.dtype.name]
    size = np.abs(wanted[np.isfinite(wanted)]).max(initial=scale)
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * size, equal_nan=True, err_msg=name)


def test_the_table_knows_every_op_that_is_made_of_no_others() -> None:
    unknown = [name for name, op in REGISTRY.items() if op.decomposition is None and not is_known(op)]
    assert unknown == []
    assert set(LOWERINGS) <= set(REGISTRY)


def built(case: Case, number: int, dtype: str) -> tuple[dict[str, Node], dict[str, np.ndarray]]:
    """The value and the gradients of a case, over leaves of its own."""
    arrays = case.arrays(dtype)
    leaves = [input_node(f"c{number}x{i}", value.shape, value.dtype.name) for i, value in enumerate(arrays)]
    node = case.build(*leaves)
    outputs = {f"c{number}.y": node}
    if case.smooth and node.type.is_float:
        floats = [leaf for leaf in leaves if leaf.type.is_float]
        weight = constant(np.random.default_rng(0).uniform(0.5, 1.5, node.shape).astype(node.dtype))
        outputs |= {f"c{number}.g{i}": g for i, g in enumerate(vjp([node], floats, [weight])) if g is not None}
    used = Graph(outputs).leaves
    return outputs, {leaf.name: array for leaf, array in zip(leaves, arrays, strict=True) if leaf.name in used}


@cache
def both(start: int, dtype: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    outputs: dict[str, Node] = {}
    values: dict[str, np.ndarray] = {}
    for number, case in enumerate(CASES[start : start + TOGETHER], start):
        made, given = built(case, number, dtype)
        outputs |= made
        values |= given
    graph = Graph(outputs)
    with np.errstate(all="ignore"):
        return engine().compile(graph)(values), ReferenceEngine().compile(graph)(values)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.id for case in CASES])
def test_value_and_gradient_of_each_op(number: int, dtype: str) -> None:
    found, wanted = both(number // TOGETHER * TOGETHER, dtype)
    mine = [name for name in wanted if name.startswith(f"c{number}.")]
    assert mine
    for name in mine:
        agree(found[name], wanted[name], name)


FUNCTIONS = ["exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "sigmoid", "softplus", "relu", "erf", "absolute", "sign",
             "floor", "negative"]  # fmt: skip
PAIRS = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "equal", "not_equal", "less", "less_equal", "greater",
         "greater_equal", "power"]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_numbers(dtype: str) -> None:
    numbers = np.array(SPECIAL).astype(dtype)
    x, y = input_node("x", (len(numbers), 1), dtype), input_node("y", (len(numbers),), dtype)
    graph = Graph(
        {
            **{name: getattr(ops, name)(x) for name in FUNCTIONS},
            **{name: getattr(ops, name)(x, y) for name in PAIRS},
            **{
                f"{name}.of.rows": getattr(ops, name)(ops.add(x, y), axes=(0,))
                for name in ("reduce_max", "reduce_min", "reduce_sum")
            },
            "argmax": ops.argmax(ops.add(x, y), axis=1),
        }
    )
    with np.errstate(all="ignore"):
        values = {"x": numbers[:, None], "y": numbers}
        found, wanted = engine().compile(graph)(values), ReferenceEngine().compile(graph)(values)
    for name in wanted:
        agree(found[name], wanted[name], name, scale=0.0)


def test_random_numbers_are_ours_to_the_last_bit() -> None:
    key = ops.random_fold(input_node("key", (2,), "uint32"), input_node("word", (), "uint32"))
    graph = Graph({"bits": ops.random_bits(key, shape=(5, 7)), "uniform": ops.random.uniform(key, (1001,)), "key": key})
    values = {"key": ops.random.key(2**40 + 5), "word": ops.random.stream("dropout1")}
    found, wanted = engine().compile(graph)(values), ReferenceEngine().compile(graph)(values)
    for name in wanted:
        assert found[name].tobytes() == wanted[name].tobytes(), name


def test_what_lies_outside_its_axis_is_named_as_by_the_reference_engine() -> None:
    x, i = input_node("x", (3, 2), "float32"), input_node("i", (2,), "int64")
    values = {"x": np.zeros((3, 2), "f"), "i": np.array([0, -3])}
    graphs = [Graph({"y": ops.gather(x, i, axis=0)}), Graph({"y": ops.scatter_add(x, i, x[:2], axis=0)})]
    for graph in graphs:
        told: list[str] = []
        for each in (engine(), ReferenceEngine()):
            with pytest.raises(PositionError) as error:
                each.compile(graph)(values)
            told.append(str(error.value))
        assert told[0] == told[1]


def test_an_op_of_ones_own_runs_by_what_it_is_made_of_and_is_refused_without() -> None:
    @op(lambda x: x, "doubled({0})", "2 {0}", kind="elementwise", differentiable=False)
    def doubled(x: np.ndarray) -> np.ndarray:
        """Twice x."""
        return x * 2

    try:
        graph = Graph({"y": doubled(input_node("x", (2,)))})
        with pytest.raises(GraphError, match=r"xla engine was given the op doubled[\s\S]*engines\.xla\.lowering"):
            engine().compile(graph)
        doubled.decompose(lambda x: x + x)
        assert engine().compile(graph)({"x": np.array([1.0, 2.0])})["y"].tolist() == [2.0, 4.0]
    finally:
        del REGISTRY["doubled"]


def test_the_users_own_jax_stays_in_its_mode() -> None:
    import jax

    before = bool(jax.config.jax_enable_x64), jax.numpy.arange(3).dtype
    x = input_node("x", (3,), "float64")
    assert engine().compile(Graph({"y": x * x}))({"x": np.arange(3.0)})["y"].dtype == np.float64
    assert (bool(jax.config.jax_enable_x64), jax.numpy.arange(3).dtype) == before
