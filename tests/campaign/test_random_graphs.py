"""Random graphs by the number: text round trips, passes keep values, gradients against a complex step or differences."""

from __future__ import annotations

import os

import numpy as np
import pytest
from random_graphs import outputs, random_graph, smooth

from chainrule import ops
from chainrule.derivatives import grad
from chainrule.engines import ReferenceEngine
from chainrule.graph import REGISTRY, Graph, Node, check, compute, dead_code, parse_graph, run_passes

SIZE = int(os.environ.get("CAMPAIGN_SIZE", "20"))
STEP = 1e-20


def same_bits_but_signs_of_zero(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


@pytest.mark.parametrize("seed", range(SIZE))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_text_and_passes_of_a_random_graph(seed: int, dtype: str) -> None:
    graph, values = random_graph(seed, dtype)
    leaves = [leaf for leaf in graph.leaves.values() if leaf.op.name == "parameter"]
    gradients = grad(graph.outputs["cost"], leaves)
    graph = check(
        Graph({**graph.outputs, **{f"g{i}": g for i, g in enumerate(gradients) if g is not None}}, unused=graph.nodes)
    )
    again = check(parse_graph(str(graph)))
    assert str(again) == str(graph)
    expected = outputs(graph, values)
    for one, other in zip(expected, outputs(again, values), strict=True):
        assert one.tobytes() == other.tobytes()
    for rewrite in (*ops.PASSES, *ops.PASSES):
        after, step = rewrite(graph)
        check(after)
        assert parse_graph(str(after)).nodes
        assert (step.changes == ()) == (str(after) == str(graph))
        assert str(rewrite(after)[0]) == str(after), "a pass twice is the pass once"
        found = outputs(after, values)
        for one, other in zip(expected, found, strict=True):
            # What an op is made of computes the same by other steps: equal to rounding. All other passes keep every bit.
            assert same_bits_but_signs_of_zero(one, other) or (rewrite.__name__ == "decompose" and nearly(one, other))
        graph, expected = after, found


def nearly(one: np.ndarray, other: np.ndarray) -> bool:
    size = np.abs(one[np.isfinite(one)]).max(initial=1.0)
    return np.allclose(one, other, rtol=0.0, atol=1e3 * float(np.finfo(one.dtype).eps) * size, equal_nan=True)


@pytest.mark.parametrize("seed", range(SIZE))
def test_passes_keep_nan_and_infinity(seed: int) -> None:
    graph, values = random_graph(seed)
    generator = np.random.default_rng(seed)
    for name, value in values.items():
        values[name] = np.where(
            generator.random(value.shape) < 0.5, generator.choice([np.nan, np.inf, -np.inf, 0.0], value.shape), value
        )
    expected = outputs(graph, values)
    after, _ = run_passes(graph, ops.SIMPLIFICATIONS)
    for one, other in zip(expected, outputs(after, values), strict=True):
        assert same_bits_but_signs_of_zero(one, other)


@pytest.mark.parametrize("seed", range(SIZE))
def test_gradients_of_a_random_graph(seed: int) -> None:
    trials = (random_graph(seed + 1_000_003 * trial) for trial in range(100))
    graph, values = next(found for found in trials if judged(found[0]) and smooth(*found))
    graph, _ = dead_code(graph)
    cost, bound = graph.outputs["cost"], graph.bind({name: value for name, value in values.items() if name in graph.leaves})
    leaves = list(bound)
    first = grad(cost, leaves)
    by_complex = all(node.op is not ops.erf for node in graph.nodes)
    along(cost, first, bound, by_complex=by_complex)
    generator = np.random.default_rng(seed)
    contracted = ops.sum(ops.sin(cost) * 0.0)
    for g in first:
        if g is not None:
            contracted = contracted + ops.sum(g * generator.uniform(0.5, 1.5, g.shape))
    along(contracted, grad(contracted, leaves), bound, by_complex=by_complex)


def judged(graph: Graph) -> bool:
    """Whether one of the two methods can judge it: erf takes no complex numbers, and differences see through stop_gradient."""
    return not {ops.erf, ops.stop_gradient} <= {node.op for node in graph.nodes}


def along(y: Node, gradients: list[Node | None], bound: dict[Node, np.ndarray], *, by_complex: bool) -> None:
    """The gradient times a direction against the slope along it, for each leaf."""
    generator = np.random.default_rng(1)
    for (leaf, value), g in zip(bound.items(), gradients, strict=True):
        direction = generator.uniform(0.5, 1.5, leaf.shape)
        terms = np.zeros(leaf.shape) if g is None else compute([g], bound)[0] * direction
        ours, scale = float(np.sum(terms)), max(1.0, float(np.sum(np.abs(terms))))
        if by_complex:
            slope = float(np.imag(compute([y], {**bound, leaf: value + 1j * STEP * direction})[0])) / STEP
        else:
            near, far = (
                (
                    compute([y], {**bound, leaf: value + h * direction})[0]
                    - compute([y], {**bound, leaf: value - h * direction})[0]
                )
                / (2 * h)
                for h in (5e-5, 1e-4)
            )
            slope = float(4 * near - far) / 3
        assert abs(ours - slope) <= (1e-11 if by_complex else 1e-7) * scale


@pytest.mark.parametrize("seed", range(SIZE))
def test_the_planned_engine_gives_the_values_of_the_meanings(seed: int) -> None:
    graph, values = random_graph(seed)
    program = ReferenceEngine().compile(graph)
    given = {name: value for name, value in values.items() if name in graph.leaves}
    found = program(given)
    assert list(found) == list(graph.outputs)
    for name, wanted in zip(graph.outputs, outputs(graph, values), strict=True):
        assert (found[name].dtype, found[name].shape) == (wanted.dtype, wanted.shape)
        size = np.abs(wanted[np.isfinite(wanted)]).max(initial=1.0) if wanted.dtype.kind == "f" else 1.0
        np.testing.assert_allclose(found[name], wanted, rtol=1e-9, atol=1e-11 * size, equal_nan=True)
    again = program(given)
    assert all(found[name].tobytes() == again[name].tobytes() for name in found)


def test_the_random_graphs_reach_all_float_ops() -> None:
    used = {node.op.name for seed in range(200) for node in random_graph(seed)[0].nodes}
    # Windows are tried with the convolutions, losses of rows with their networks, in both engines and to second order.
    of_rows = {"softmax", "softmax_error", "softmax_cross_entropy", "margin", "runner_up", "norm"}
    assert set(REGISTRY) - used == {"equal", "random_bits", "random_fold", "windows", "overlap_add", "scan"} | of_rows
