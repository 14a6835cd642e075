"""All ops × {float32, float64} × shapes: the native engine against the reference engine, values, gradients, special numbers."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule import ops
from chainrule.derivatives import vjp
from chainrule.engines import ReferenceEngine, engine_named
from chainrule.graph import Graph, Node, constant, input_node

sys.path.insert(0, str(Path(__file__).parents[2] / "ops"))
from op_cases import CASES, Case

TOLERANCE = {"float32": 2e-6, "float64": 4e-15}
"""Relative to the largest term: some units in the last place, for functions by another polynomial and sums in another order."""
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e-30, 89.0, -104.0, np.inf, -np.inf, np.nan, 3.0, 7.0, -1e-3, 2.0, 1e-40, -3e38]


def agree(graph: Graph, values: dict[str, np.ndarray], *, scale: float = 1.0) -> None:
    """Both engines give the same types and, to rounding, the same numbers; NaN and infinities in the same places."""
    wanted, found = ReferenceEngine().compile(graph)(values), engine_named("native").compile(graph)(values)
    assert list(found) == list(wanted)
    for name, expected in wanted.items():
        assert (found[name].dtype, found[name].shape) == (expected.dtype, expected.shape), name
        if expected.dtype.kind != "f":
            np.testing.assert_array_equal(found[name], expected, name)
            continue
        size = np.abs(expected[np.isfinite(expected)]).max(initial=scale)
        tolerance = TOLERANCE[expected.dtype.name]
        np.testing.assert_allclose(found[name], expected, rtol=tolerance, atol=tolerance * size, equal_nan=True, err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_value_and_gradient_of_each_op(case: Case, dtype: str) -> None:
    leaves = case.nodes(dtype)
    values = {leaf.name: array for leaf, array in zip(leaves, case.arrays(dtype), strict=True)}
    node = case.build(*leaves)
    outputs = {"y": node}
    if case.smooth and node.type.is_float:
        floats = [leaf for leaf in leaves if leaf.type.is_float]
        weight = constant(np.random.default_rng(0).uniform(0.5, 1.5, node.shape).astype(node.dtype))
        outputs |= {f"g{i}": g for i, g in enumerate(vjp([node], floats, [weight])) if g is not None}
    leaves_used = Graph(outputs).leaves
    agree(Graph(outputs), {name: value for name, value in values.items() if name in leaves_used})


FUNCTIONS = ["exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "sigmoid", "softplus", "relu", "erf", "absolute", "sign",
             "floor", "negative"]  # fmt: skip
PAIRS = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "equal", "not_equal", "less", "less_equal", "greater",
         "greater_equal", "power"]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_numbers_of_functions(name: str, dtype: str) -> None:
    x = input_node("x", (len(SPECIAL),), dtype)
    with np.errstate(all="ignore"):
        agree(Graph({"y": getattr(ops, name)(x)}), {"x": np.array(SPECIAL).astype(dtype)}, scale=0.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PAIRS)
def test_special_numbers_of_pairs(name: str, dtype: str) -> None:
    count = len(SPECIAL)
    x, y = input_node("x", (count, 1), dtype), input_node("y", (count,), dtype)
    with np.errstate(all="ignore"):
        numbers = np.array(SPECIAL).astype(dtype)
        agree(Graph({"z": getattr(ops, name)(x, y)}), {"x": numbers[:, None], "y": numbers}, scale=0.0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8", "uint32"])
@pytest.mark.parametrize(
    "shape", [(1,), (2,), (7,), (16,), (33,), (3, 5), (5, 17), (2, 1, 40), (40, 2), (1, 1), (0,), (3, 0), (0, 4)]
)
def test_reductions_over_every_choice_of_axes(shape: tuple[int, ...], dtype: str) -> None:
    x = input_node("x", shape, dtype)
    random = np.random.default_rng(3)
    value = (random.normal(size=shape) if dtype.startswith("f") else random.integers(0, 200, shape)).astype(dtype)
    outputs: dict[str, Node] = {}
    for axes in [(axis,) for axis in range(len(shape))] + [tuple(range(len(shape)))]:
        outputs[f"sum{axes[0]}.{len(axes)}"] = ops.reduce_sum(x, axes=axes)
        if all(shape[axis] for axis in axes):
            outputs[f"max{axes[0]}.{len(axes)}"] = ops.reduce_max(x, axes=axes)
            outputs[f"min{axes[0]}.{len(axes)}"] = ops.reduce_min(x, axes=axes)
            outputs[f"argmax{axes[0]}.{len(axes)}"] = ops.argmax(x, axis=axes[0])
    agree(Graph(outputs), {"x": value}, scale=float(np.abs(value).sum()) if value.size else 1.0)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_and_ties_in_reductions(dtype: str, axis: int) -> None:
    random = np.random.default_rng(1)
    value = random.choice([1.0, 2.0, np.nan, -np.inf, np.inf, 0.0], (21, 23)).astype(dtype)
    value[3], value[:, 5] = -np.inf, 1.0
    x = input_node("x", value.shape, dtype)
    named = {"max": ops.reduce_max(x, axes=(axis,)), "min": ops.reduce_min(x, axes=(axis,)), "argmax": ops.argmax(x, axis=axis)}
    with np.errstate(all="ignore"):
        agree(Graph({**named, "sum": ops.reduce_sum(x, axes=(axis,))}), {"x": value})


SIDES = [0, 1, 2, 3, 8, 10, 16, 17, 31, 64]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(24))
def test_matrix_products_of_all_layouts(seed: int, dtype: str) -> None:
    random = np.random.default_rng(seed)
    outputs: dict[str, Node] = {}
    values: dict[str, np.ndarray] = {}
    largest = 1.0
    for number in range(4):
        m, k, n = (int(random.choice(SIDES)) for _ in range(3))
        operands = []
        for label, shape in (("a", (m, k)), ("b", (k, n))):
            turned = bool(random.integers(2))
            leaf = input_node(f"{label}{number}", shape[::-1] if turned else shape, dtype)
            values[leaf.name] = random.normal(size=leaf.shape).astype(dtype)
            operands.append(ops.swap_last(leaf) if turned else leaf)
        product = ops.matmul(*operands)
        bias = input_node(f"c{number}", (n,), dtype)
        values[bias.name] = random.normal(size=n).astype(dtype)
        outputs[f"p{number}"] = ops.relu(product + bias) if random.integers(2) else product
        outputs[f"q{number}"] = (
            ops.tanh(outputs[f"p{number}"] * 0.1) + ops.cast(ops.greater(product, 0.0), dtype=dtype) * product
        )
        largest = max(largest, float(k))
    used = Graph(outputs).leaves
    agree(Graph(outputs), {name: value for name, value in values.items() if name in used}, scale=4 * largest)


def test_a_large_product_is_packed_and_shared() -> None:
    random = np.random.default_rng(0)
    for turned in (False, True):
        a, b = input_node("a", (130, 300), "float32"), input_node("b", (257, 300) if turned else (300, 257), "float32")
        product = ops.matmul(a, ops.swap_last(b) if turned else b)
        values = {"a": random.normal(size=a.shape).astype("f"), "b": random.normal(size=b.shape).astype("f")}
        agree(Graph({"y": product, "z": ops.relu(product)}), values, scale=100.0)


def test_a_position_outside_its_axis_is_named() -> None:
    x, i = input_node("x", (3, 2), "float32"), input_node("i", (2,), "int64")
    graph = Graph({"y": ops.gather(x, i, axis=0)})
    with pytest.raises(IndexError, match="3"):
        engine_named("native").compile(graph)({"x": np.zeros((3, 2), "f"), "i": np.array([0, 3])})
