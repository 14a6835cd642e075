"""Random graphs, loops and functions of rows end to end: the native engine against the reference engine, in both float types."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest
from random_graphs import random_graph, smooth
from random_loops import random_loop
from random_rows import random_rows

from chainrule.derivatives import grad
from chainrule.engines import ReferenceEngine
from chainrule.engines.native.engine import NativeEngine
from chainrule.graph import Graph

SIZE = int(os.environ.get("CAMPAIGN_SIZE", "20"))
GUARDED_EVERY = 10
"""Each so many-th graph runs in the debug build: a step outside a buffer ends the process, a number nobody wrote is NaN."""
TOLERANCE = {"float32": 4e-4, "float64": 1e-12}
"""Of the largest entry. Two orders of summation and two sets of polynomials differ by some units in the last place, which ten or
twenty ops in a row, some of them ill-conditioned, made 313 units (in float64 63) in the worst of two thousand graphs; ten times
that is allowed."""
ROWS = 20
"""In the batch that rows are compared with."""
MARGIN = {"float32": 1e-4, "float64": 1e-9}
"""Nearer than this to a kink, the last digit may decide on which side of it a number falls."""


@pytest.fixture(scope="module", autouse=True)
def no_cache() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAINRULE_CACHE", "off")
        yield


def engine(seed: int) -> NativeEngine:
    return NativeEngine(2, is_guarded=seed % GUARDED_EVERY == 0)


def close(found: np.ndarray, wanted: np.ndarray, dtype: str) -> bool:
    """NaN and infinities in the same places, and the rest the same to rounding."""
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    if wanted.dtype.kind != "f":
        return np.array_equal(found, wanted)
    finite = np.isfinite(wanted)
    size = np.abs(wanted[finite]).max(initial=1.0)
    with np.errstate(invalid="ignore"):
        return np.allclose(found, wanted, rtol=0.0, atol=TOLERANCE[dtype] * size, equal_nan=True)


def with_gradients(seed: int, dtype: str) -> tuple[Graph, dict[str, np.ndarray]]:
    """A random graph with the gradient of its cost by each leaf among its outputs, and values."""
    graph, values = random_graph(seed, dtype)
    gradients = grad(graph.outputs["cost"], list(graph.leaves.values()))
    graph = Graph({**graph.outputs, **{f"g{i}": g for i, g in enumerate(gradients) if g is not None}})
    return graph, {name: values[name] for name in graph.leaves}


def compare(graph: Graph, values: dict[str, np.ndarray], seed: int, dtype: str) -> None:
    wanted, found = ReferenceEngine().compile(graph)(values), engine(seed).compile(graph)(values)
    assert list(found) == list(wanted)
    for name in wanted:
        if not close(found[name], wanted[name], dtype):
            assert not smooth(graph, values, MARGIN[dtype]), f"{name} of seed {seed}: {found[name]} and not {wanted[name]}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(SIZE))
def test_values_and_gradients_of_a_random_graph(seed: int, dtype: str) -> None:
    compare(*with_gradients(seed, dtype), seed, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(SIZE))
def test_nan_and_infinity_go_the_same_ways(seed: int, dtype: str) -> None:
    graph, values = with_gradients(seed, dtype)
    generator = np.random.default_rng([seed, 22])
    for name, value in values.items():
        special = generator.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], value.shape).astype(dtype)
        values[name] = np.where(generator.random(value.shape) < 0.4, special, value)
    with np.errstate(all="ignore"):
        compare(graph, values, seed, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(SIZE))
def test_state_records_and_rows_of_a_random_loop(seed: int, dtype: str) -> None:
    drawn = random_loop(seed, dtype)
    results: list[dict[str, np.ndarray]] = []
    for runs, steps in ((ReferenceEngine(), None), (engine(seed), None), (engine(seed), 1)):
        state = drawn.fresh_state()
        program = runs.compile_loop(drawn.loop, drawn.tables, drawn.replicas, steps)
        left = program.run(program.load(state), drawn.order, drawn.sizes, drawn.scalars)
        results.append({**state, **{f"recorded {name}": value for name, value in {**left.records, **left.stacked}.items()}})
    wanted, found, quick = results
    assert list(found) == list(wanted)
    for name in wanted:
        assert close(found[name], wanted[name], dtype), f"{name} of seed {seed}: {found[name]} and not {wanted[name]}"
        # Code that is made quickly for little work gives the same bits.
        assert quick[name].tobytes() == found[name].tobytes(), f"{name} of seed {seed}: {quick[name]} and not {found[name]}"


@pytest.mark.parametrize("seed", range(SIZE))
def test_a_row_gives_the_same_bits_alone_and_in_any_batch(seed: int) -> None:
    dtype = ("float32", "float64")[seed % 2]
    graph, width = random_rows(seed, dtype, ROWS)
    x = np.random.default_rng([seed, 24]).normal(size=(ROWS, width)).astype(dtype)
    whole = engine(seed).compile(graph)({"x": x})
    for name, wanted in ReferenceEngine().compile(graph)({"x": x}).items():
        assert close(whole[name], wanted, dtype) or not smooth(graph, {"x": x}, MARGIN[dtype]), f"{name} of seed {seed}"
    for rows in (1, 3, 16):
        found = engine(seed).compile(random_rows(seed, dtype, rows)[0])({"x": x[:rows]})
        for name, value in found.items():
            assert np.array_equal(value, whole[name][:rows], equal_nan=True), f"{name} of {rows} rows of seed {seed}"
