"""Passes on small graphs, before and after as text, with the trace that they leave; and that no pass changes a number."""

from __future__ import annotations

import numpy as np
import pytest
from random_graphs import outputs, random_graph

from chainrule import ops
from chainrule.derivatives import grad
from chainrule.graph import (
    Graph,
    Node,
    check,
    compute,
    constant,
    dead_code,
    fold_constants,
    input_node,
    parse_graph,
    rewrite_nodes,
    run_passes,
    scope,
    share_common,
)
from chainrule.ops import PASSES


def rewritten(rewrite, before: str) -> tuple[str, str]:
    graph, step = rewrite(parse_graph(before))
    check(graph)
    return str(graph), str(step)


def test_constants_are_folded() -> None:
    before = """\
x: float64[2] = input()
%0: float64[] = constant(value=2.0)
%1: float64[] = constant(value=3.0)
six: float64[] = multiply(%0, %1)  @layer
%2: float64[2] = broadcast_to(six, shape=(2,))
%3: float64[2] = add(x, %2)
return y=%3"""
    after, trace = rewritten(fold_constants, before)
    assert (
        after
        == """\
x: float64[2] = input()
six: float64[] = constant(value=6.0)  @layer
%0: float64[2] = broadcast_to(six, shape=(2,))
%1: float64[2] = add(x, %0)
%2: float64[] = constant(value=2.0)
%3: float64[] = constant(value=3.0)
return y=%1"""
    )
    assert (
        trace
        == """\
fold constants: 6 -> 6 nodes, 1 changes
  - six: float64[] = multiply(%0, %1)  @layer
  + six: float64[] = constant(value=6.0)  @layer"""
    )


def test_broadcasts_and_what_depends_on_leaves_are_not_folded() -> None:
    row = constant([1.0, 2.0])
    wide = ops.broadcast_to(row, shape=(3, 2))
    graph, step = fold_constants(Graph({"row": ops.exp(row), "wide": wide, "y": input_node("x") * 2.0}))
    assert [node.op.name for node in graph.outputs.values()] == ["constant", "broadcast_to", "multiply"]
    assert len(step.changes) == 1


def test_folding_gives_no_warning_and_keeps_what_is_not_a_number() -> None:
    graph, _ = fold_constants(Graph({"y": ops.log(constant([-1.0, 0.0])) / constant([0.0, 0.0])}))
    np.testing.assert_array_equal(graph.outputs["y"].attributes["value"], [np.nan, -np.inf])


def test_common_subexpressions_are_shared() -> None:
    before = """\
x: float64[] = input()
%0: float64[] = constant(value=0.5)
%1: float64[] = constant(value=0.5)
%2: float64[] = multiply(x, %0)
%3: float64[] = multiply(x, %1)
%4: float64[] = add(%2, %3)
return y=%4"""
    after, trace = rewritten(share_common, before)
    assert (
        after
        == """\
x: float64[] = input()
%0: float64[] = constant(value=0.5)
%1: float64[] = multiply(x, %0)
%2: float64[] = add(%1, %1)
return y=%2"""
    )
    assert (
        trace
        == """\
share common subexpressions: 6 -> 4 nodes, 2 changes
  - %0: float64[] = constant(value=0.5)
  + %1: float64[] = constant(value=0.5)
  - %1: float64[] = multiply(x, %0)
  + %2: float64[] = multiply(x, %0)"""
    )


def test_what_only_looks_alike_is_not_shared() -> None:
    x = input_node("x", (2, 2))
    distinct: list[Node] = [
        constant(0.0), constant(-0.0), constant(float("nan")), constant(0.0, "float32"), constant([0.0]), constant(0),
        ops.transpose(x, axes=(0, 1)), ops.transpose(x, axes=(1, 0)), ops.reduce_sum(x, axes=(0,)), ops.reduce_max(x, axes=(0,)),
        ops.cast(x, dtype="int32"), ops.cast(x, dtype="int64"), x - x, x + x, input_node("y", (2, 2)),
    ]  # fmt: skip
    graph = Graph({f"o{i}": node for i, node in enumerate(distinct)})
    after, step = share_common(graph)
    assert step.changes == ()
    assert str(after) == str(graph)


def test_nan_constants_of_the_same_bits_are_shared() -> None:
    graph, _ = share_common(Graph({"a": constant(float("nan")), "b": constant(float("nan"))}))
    assert graph.outputs["a"] is graph.outputs["b"]


def test_dead_code_is_dropped() -> None:
    before = """\
x: float64[] = input()
%0: float64[] = tanh(x)
%1: float64[] = exp(x)
idle: float64[] = input()
return y=%0"""
    after, trace = rewritten(dead_code, before)
    assert after == "x: float64[] = input()\n%0: float64[] = tanh(x)\nreturn y=%0"
    assert (
        trace
        == """\
drop dead code: 4 -> 2 nodes, 2 changes
  - %1: float64[] = exp(x)
  - idle: float64[] = input()"""
    )


X, V = input_node("x", (2, 3)), input_node("v", (3,))
WHOLE = input_node("n", (2,), "int64")
IDENTITIES: list[tuple[str, Node, Node]] = [
    ("x·1", X * 1.0, X),
    ("1·x", 1.0 * X, X),
    ("x/1", X / 1.0, X),
    ("x − 0", X - 0.0, X),
    ("x + 0", X + 0.0, X),
    ("0 + x", 0.0 + X, X),
    ("x^1", X**1.0, X),
    ("x²", X**2.0, X * X),
    ("−(−x)", ops.negative(-X), X),
    ("four minus signs", ops.negative(ops.negative(ops.negative(ops.negative(X)))), X),
    ("n·1 of whole numbers", WHOLE * 1, WHOLE),
    ("1 as an array", X * np.ones((2, 3)), X),
    ("two transposes", ops.transpose(ops.transpose(X, axes=(1, 0)), axes=(1, 0)), X),
    ("no transpose", ops.transpose(X, axes=(0, 1)), X),
    ("two reshapes", ops.reshape(ops.reshape(X, shape=(6,)), shape=(3, 2)), ops.reshape(X, shape=(3, 2))),
    ("there and back", ops.reshape(ops.reshape(X, shape=(6,)), shape=(2, 3)), X),
    (
        "two broadcasts",
        ops.broadcast_to(ops.broadcast_to(V, shape=(2, 3)), shape=(4, 2, 3)),
        ops.broadcast_to(V, shape=(4, 2, 3)),
    ),
    ("no broadcast", ops.broadcast_to(X, shape=(2, 3)), X),
    ("no cast", ops.cast(X, dtype="float64"), X),
    ("a sum over no axes", ops.reduce_sum(X, axes=()), X),
    ("several at once", ops.negative(-((X * 1.0 + 0.0) / 1.0)), X),
]
KEPT: list[tuple[str, Node]] = [
    ("x·0 is not 0 where x is NaN", X * 0.0),
    ("x/x is not 1 where x is 0", X / X),
    ("x − x is not 0 where x is infinite", X - X),
    ("x^0 is left to the reader", X**0.0),
    ("0 − x", 0.0 - X),
    ("1/x", 1.0 / X),
    ("x + 1e-300", X + 1e-300),
    ("a cast that loses digits", ops.cast(ops.cast(X, dtype="float32"), dtype="float64")),
    ("three-axis transposes that are no inverse", ops.transpose(input_node("t", (2, 3, 4)), axes=(1, 2, 0))),
    ("(x·3)/3", (X * 3.0) / 3.0),
    ("an empty array is not all ones", input_node("e", (0,)) * np.ones(0)),
]


@pytest.mark.parametrize(("before", "after"), [row[1:] for row in IDENTITIES], ids=[row[0] for row in IDENTITIES])
def test_algebra_that_changes_no_number(before: Node, after: Node) -> None:
    graph, step = ops.simplify_algebra(Graph({"y": before}))
    assert str(dead_code(graph)[0]) == str(Graph({"y": after}))
    assert step.changes


@pytest.mark.parametrize("node", [row[1] for row in KEPT], ids=[row[0] for row in KEPT])
def test_algebra_that_would_change_a_number_is_left_alone(node: Node) -> None:
    graph, step = ops.simplify_algebra(Graph({"y": node}))
    assert str(graph) == str(Graph({"y": node}))
    assert step.changes == ()


def test_the_trace_of_algebra() -> None:
    x = input_node("x")
    with scope("dense1"):
        y = ((ops.negative(-x)) ** 2.0).named("z")
    _, step = ops.simplify_algebra(Graph({"y": y}))
    assert (
        str(step)
        == """\
simplify algebra: 5 -> 4 nodes, 2 changes
  - %1: float64[] = negative(%0)  @dense1
  + x: float64[] = input()
  - z: float64[] = power(x, %0)  @dense1
  + z: float64[] = multiply(x, x)  @dense1"""
    )


def test_a_name_stays_with_the_quantity() -> None:
    x = input_node("x")
    graph, _ = ops.simplify_algebra(
        Graph({"y": (ops.tanh(x) * 1.0).named("a"), "z": (ops.tanh(x).named("t") * 1.0).named("u")})
    )
    assert [node.name for node in graph.outputs.values()] == ["a", "t"]


def test_passes_run_in_turn_and_each_leaves_a_step() -> None:
    x = input_node("x", (2,))
    graph = Graph({"y": x * 1.0 + (x * constant(2.0) + x * (constant(1.0) + 1.0))})
    after, trace = run_passes(graph, ops.PASSES)
    assert (
        str(after)
        == """\
x: float64[2] = input()
%0: float64[] = constant(value=2.0)
%1: float64[2] = broadcast_to(%0, shape=(2,))
%2: float64[2] = multiply(x, %1)
%3: float64[2] = add(%2, %2)
%4: float64[2] = add(x, %3)
return y=%4"""
    )
    sizes = [(14, 14), (14, 13), (13, 13), (13, 13), (13, 8), (8, 6)]
    assert [(step.nodes_before, step.nodes_after) for step in trace] == sizes
    assert trace[3].changes


def test_a_rule_of_ones_own_is_asked_at_each_node_with_inputs_rewritten() -> None:
    x = input_node("x")
    with scope("deep"):
        graph = Graph({"y": ops.exp(ops.sin(x))})
    after, step = rewrite_nodes("cosines", graph, lambda node: ops.cos(*node.inputs) if node.op is ops.sin else None)
    assert (
        str(dead_code(after)[0])
        == "x: float64[] = input()\n%0: float64[] = cos(x)  @deep\n%1: float64[] = exp(%0)  @deep\nreturn y=%1"
    )
    assert (step.name, len(step.changes)) == ("cosines", 1)


@pytest.mark.parametrize("rewrite", ops.SIMPLIFICATIONS, ids=lambda rewrite: rewrite.__name__)
@pytest.mark.parametrize("seed", range(8))
def test_a_pass_keeps_values_to_the_bit_and_twice_is_once(rewrite, seed: int) -> None:
    graph, values = random_graph(seed)
    values["x"] = np.where(np.arange(values["x"].size).reshape(values["x"].shape) % 2, values["x"], np.nan)
    values["b/1"] = np.where(np.arange(values["b/1"].size).reshape(values["b/1"].shape) % 2, values["b/1"], np.inf)
    after, _ = rewrite(graph)
    assert str(rewrite(after)[0]) == str(after)
    for one, other in zip(outputs(graph, values), outputs(after, values), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_sum_of_pieces_side_by_side_is_one_array(axis: int) -> None:
    # The derivative by what was cut into pieces: each piece among zeros, added up.
    x = input_node("x", (4, 6))
    cut = [ops.slice_axis(x, axis, *ends) for ends in ((0, 1), (1, 3), (3, x.shape[axis]))]
    (g,) = grad(sum((ops.sum(ops.sin(piece)) for piece in cut), constant(0.0)), [x])
    assert g is not None
    graph, _ = run_passes(Graph({"g": g}), PASSES)
    assert "concatenate(" in str(graph)
    assert "pad(" not in str(graph)
    values = np.random.default_rng(0).normal(size=(4, 6))
    np.testing.assert_array_equal(compute([graph.outputs["g"]], graph.bind({"x": values}))[0], np.cos(values))


@pytest.mark.parametrize("ends", [((0, 2), (3, 6)), ((0, 4), (3, 6)), ((1, 3), (3, 6)), ((0, 3), (3, 5))])
def test_pieces_with_gaps_or_overlaps_stay_a_sum(ends: tuple[tuple[int, int], ...]) -> None:
    x = input_node("x", (2, 6))
    (g,) = grad(sum((ops.sum(ops.sin(ops.slice_axis(x, 1, *end))) for end in ends), constant(0.0)), [x])
    assert g is not None
    graph, _ = run_passes(Graph({"g": g}), PASSES)
    values = np.random.default_rng(0).normal(size=(2, 6))
    counted = sum(np.isin(np.arange(6), range(*end)).astype(float) for end in ends)
    np.testing.assert_allclose(
        compute([graph.outputs["g"]], graph.bind({"x": values}))[0], counted * np.cos(values), rtol=1e-15
    )
