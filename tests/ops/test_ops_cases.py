"""All ops x {value, type, gradient of first and second order, text, notation}, from one table of cases."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from op_cases import CASES, Case, weights

from chainrule.derivatives import grad
from chainrule.graph import LEAVES, REGISTRY, Graph, Node, Type, check, compute, formula, parse_graph
from chainrule.ops import decompose
from chainrule.ops import sum as total

EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
SMOOTH = pytest.mark.parametrize("case", [case for case in CASES if case.smooth and case.floats], ids=lambda case: case.id)
STEP = 1e-20
TOGETHER = 40
"""How many cases JAX judges by one program: most of the time that it takes to compile does not go by a program's length."""


def test_each_op_has_a_case_and_a_known_set_has_derivatives() -> None:
    named = {op.name for op in LEAVES}
    assert {case.op for case in CASES} == set(REGISTRY) - named
    differentiated = {case.op for case in CASES if case.smooth and case.floats}
    assert differentiated == {name for name, op in REGISTRY.items() if op.vjp_rule is not None}


def test_an_op_without_derivative_says_so() -> None:
    silent = {
        "equal",
        "not_equal",
        "less",
        "less_equal",
        "greater",
        "greater_equal",
        "logical_and",
        "logical_or",
        "logical_not",
    }
    without = {name for name, op in REGISTRY.items() if op.vjp_rule is None and not op.convention and op not in LEAVES}
    assert without == silent, "only what gives truth values may leave it unsaid"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", [case for case in CASES if REGISTRY[case.op].decomposition], ids=lambda case: case.id)
def test_what_an_op_is_made_of_gives_what_it_means(case: Case, dtype: str) -> None:
    nodes = case.nodes(dtype)
    whole = Graph({"y": case.build(*nodes)})
    apart = check(decompose(whole)[0])
    assert case.op not in {node.op.name for node in apart.nodes}
    values = dict(zip(nodes, case.arrays(dtype), strict=True))
    (found,), (wanted,) = (compute([graph.outputs["y"]], values) for graph in (apart, whole))
    np.testing.assert_allclose(
        found, wanted, rtol=1e-12 if dtype == "float64" else 1e-5, atol=1e-12 if dtype == "float64" else 1e-6
    )


@cache
def group_of(case: Case) -> tuple[Case, ...]:
    """The cases that are judged together with this one."""
    start = CASES.index(case) // TOGETHER * TOGETHER
    return tuple(CASES[start : start + TOGETHER])


@cache
def values_by_jax(group: tuple[Case, ...], dtype: str) -> dict[str, np.ndarray]:
    """What JAX computes for the cases of a group, by their ids."""
    given = {case.id: case.arrays(dtype) for case in group}
    found = jax.jit(lambda given: {case.id: case.judge(*given[case.id]) for case in group})(given)
    return {name: np.asarray(value) for name, value in found.items()}


@EVERY
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_value_and_type(case: Case, dtype: str) -> None:
    arrays, nodes = case.arrays(dtype), case.nodes(dtype)
    out = case.build(*nodes)
    assert case.op in {node.op.name for node in Graph({"out": out}).nodes}
    (value,) = compute([out], dict(zip(nodes, arrays, strict=True)))
    expected = values_by_jax(group_of(case), dtype)[case.id]
    assert Type.of(np.asarray(value)) == out.type
    assert Type.of(expected) == out.type
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(value, expected, rtol=0 if case.exact else 16 * eps, atol=0 if case.exact else 4 * eps)


def scalar(case: Case, nodes: list[Node]) -> Node:
    out = case.build(*nodes)
    return total(out * weights(out, 20))


def contracted(case: Case, nodes: list[Node]) -> tuple[Node, list[Node]]:
    """The sum over inputs of gradient · fixed vector, and the gradients."""
    wrt = [nodes[i] for i in case.floats]
    gradients = grad(scalar(case, nodes), wrt)
    assert None not in gradients
    terms = [total(g * weights(g, 30 + i)) for i, g in enumerate(gradients) if g is not None]
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result, [g for g in gradients if g is not None]


def numeric(y: Node, nodes: list[Node], arrays: list[np.ndarray], which: int, *, by_complex: bool) -> np.ndarray:
    """The derivative of the scalar y by one input, entry by entry, from values of y alone."""
    x = arrays[which]
    slopes = np.empty(x.shape)
    for place in np.ndindex(x.shape):

        def at(step: complex, place: tuple[int, ...] = place) -> np.ndarray:
            moved = x.astype(complex) if isinstance(step, complex) else x.copy()
            moved[place] += step
            return compute([y], {**dict(zip(nodes, arrays, strict=True)), nodes[which]: moved})[0]

        if by_complex:
            slopes[place] = np.imag(at(1j * STEP)) / STEP
        else:  # Richardson's extrapolation of central differences: error of order h^4
            near, far = ((at(h) - at(-h)) / (2 * h) for h in (1e-3, 2e-3))
            slopes[place] = (4 * near - far) / 3
    return slopes


def close(ours: np.ndarray, other: np.ndarray, tolerance: float) -> None:
    assert ours.shape == other.shape
    np.testing.assert_allclose(ours, other, rtol=0, atol=tolerance * max(1.0, float(np.max(np.abs(other), initial=0.0))))


@SMOOTH
def test_first_derivative_against_complex_step_or_differences(case: Case) -> None:
    nodes, arrays = case.nodes(), case.arrays()
    y = scalar(case, nodes)
    gradients = grad(y, [nodes[i] for i in case.floats])
    for which, g in zip(case.floats, gradients, strict=True):
        assert g is not None
        assert g.type == nodes[which].type
        (ours,) = compute([g], dict(zip(nodes, arrays, strict=True)))
        close(ours, numeric(y, nodes, arrays, which, by_complex=case.complex_step), 1e-11 if case.complex_step else 1e-9)
        differences = numeric(y, nodes, arrays, which, by_complex=False)
        close(ours, differences, 1e-8)


@SMOOTH
def test_second_derivative_against_complex_step_or_differences(case: Case) -> None:
    nodes, arrays = case.nodes(), case.arrays()
    y, _ = contracted(case, nodes)
    for which, g in zip(case.floats, grad(y, [nodes[i] for i in case.floats]), strict=True):
        expected = numeric(y, nodes, arrays, which, by_complex=case.complex_step)
        ours = np.zeros(nodes[which].shape) if g is None else compute([g], dict(zip(nodes, arrays, strict=True)))[0]
        close(ours, expected, 1e-11 if case.complex_step else 1e-8)


def both_orders(case: Case) -> Callable[..., tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]]:
    """JAX's function from a case's inputs of floats to the second derivatives that `contracted` speaks of, and the first."""
    nodes, arrays, places = case.nodes(), case.arrays(), tuple(range(len(case.floats)))
    cotangent = weights(case.build(*nodes), 20).attributes["value"]
    vectors = [weights(nodes[i], 30 + place).attributes["value"] for place, i in enumerate(case.floats)]

    def scalar_by_jax(*floats: jax.Array) -> jax.Array:
        full = list(map(jnp.asarray, arrays))
        for i, value in zip(case.floats, floats, strict=True):
            full[i] = value
        return jnp.sum(case.judge(*full) * cotangent)

    def contracted_by_jax(*floats: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        slopes = jax.grad(scalar_by_jax, places)(*floats)
        return sum(jnp.sum(g * v) for g, v in zip(slopes, vectors, strict=True)), slopes

    return jax.grad(contracted_by_jax, places, has_aux=True)


@cache
def derivatives_by_jax(group: tuple[Case, ...]) -> dict[str, Any]:
    """The derivatives of both orders that JAX computes for the smooth cases of a group, by their ids."""
    smooth = [case for case in group if case.smooth and case.floats]
    functions = {case.id: both_orders(case) for case in smooth}
    given = {case.id: [case.arrays()[i] for i in case.floats] for case in smooth}
    return jax.jit(lambda given: {name: function(*given[name]) for name, function in functions.items()})(given)


@SMOOTH
def test_derivatives_of_both_orders_against_jax(case: Case) -> None:
    nodes, arrays = case.nodes(), case.arrays()
    values = dict(zip(nodes, arrays, strict=True))
    first, gradients = contracted(case, nodes)
    bends, slopes = derivatives_by_jax(group_of(case))[case.id]
    for ours, theirs in zip(compute(gradients, values), slopes, strict=True):
        close(ours, np.asarray(theirs), 1e-13)
    curvatures = grad(first, [nodes[i] for i in case.floats])
    for which, ours, theirs in zip(case.floats, curvatures, bends, strict=True):
        close(np.zeros(nodes[which].shape) if ours is None else compute([ours], values)[0], np.asarray(theirs), 1e-12)


@EVERY
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_text_round_trip_of_the_op_and_its_gradient(case: Case, dtype: str) -> None:
    nodes = case.nodes(dtype)
    outputs = {"out": case.build(*nodes)}
    if case.smooth and case.floats:
        gradients = grad(scalar(case, nodes), [nodes[i] for i in case.floats])
        outputs |= {f"g{i}": g for i, g in enumerate(gradients) if g is not None}
    graph = check(Graph(outputs))
    again = check(parse_graph(str(graph)))
    assert str(again) == str(graph)
    values = {f"x{i}": value for i, value in enumerate(case.arrays(dtype))}
    values = {name: value for name, value in values.items() if name in graph.leaves}
    ours = compute(graph.outputs.values(), graph.bind(values))
    for one, other in zip(ours, compute(again.outputs.values(), again.bind(values)), strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


@EVERY
def test_notation_is_written_in_both_styles(case: Case) -> None:
    out = case.build(*case.nodes())
    text, latex = formula(out, depth=99), formula(out, style="latex", depth=99)
    for name in (node.name for node in Graph({"out": out}).leaves.values()):
        assert name in text
        assert rf"\mathrm{{{name}}}" in latex
    assert "{" not in text
    assert "}" not in text
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\left") == latex.count(r"\right")
    for piece in (text, latex):
        assert piece.count("(") == piece.count(")")


@EVERY
def test_no_op_changes_its_inputs(case: Case) -> None:
    nodes, arrays = case.nodes(), case.arrays()
    before = [array.copy() for array in arrays]
    compute([case.build(*nodes)], dict(zip(nodes, arrays, strict=True)))
    for kept, array in zip(before, arrays, strict=True):
        assert kept.tobytes() == array.tobytes()
