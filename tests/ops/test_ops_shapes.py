"""Generated shapes, axes and broadcasts: values against NumPy written plainly, gradients against a complex step."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, broadcastable_shapes, mutually_broadcastable_shapes

from chainrule import ops
from chainrule.derivatives import grad
from chainrule.graph import Graph, Node, Type, check, compute, constant, input_node, parse_graph

SETTINGS = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
SHAPES = array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
SOME = array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)
STEP = 1e-20


def numbers(shape: Sequence[int], seed: int) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).uniform(0.3, 2.0, shape)


def agree(build: Callable[..., Node], expected: np.ndarray, *arrays: np.ndarray, exact: bool = True) -> None:
    """Value, type, text, and the derivative along a random direction to second order."""
    nodes = [input_node(f"x{i}", array.shape, array.dtype.name) for i, array in enumerate(arrays)]
    values = dict(zip(nodes, arrays, strict=True))
    out = build(*nodes)
    (value,) = compute([out], values)
    assert Type.of(np.asarray(value)) == out.type
    assert out.type == Type.of(np.asarray(expected))
    if exact:
        np.testing.assert_array_equal(value, expected)
    else:
        np.testing.assert_allclose(value, expected, rtol=1e-14, atol=1e-14)
    # tanh makes the second derivative of a linear op something else than nothing.
    cost = ops.sum(ops.tanh(out) * constant(numbers(out.shape, 77)))
    floats = [i for i, array in enumerate(arrays) if array.dtype == np.float64]
    wrt = [nodes[i] for i in floats]
    first = grad(cost, wrt)
    contracted = constant(0.0)
    for i, g in zip(floats, first, strict=True):
        assert g is not None
        assert g.type == nodes[i].type
        contracted = contracted + ops.sum(g * constant(numbers(g.shape, 90 + i)))
    for y, gradients in ((cost, first), (contracted, grad(contracted, wrt))):
        for i, g in zip(floats, gradients, strict=True):
            direction = numbers(arrays[i].shape, 50 + i)
            (moved,) = compute([y], {**values, nodes[i]: arrays[i] + 1j * STEP * direction})
            slope = float(np.imag(moved)) / STEP
            ours = 0.0 if g is None else float(np.sum(compute([g], values)[0] * direction))
            assert abs(ours - slope) <= 1e-11 * max(1.0, abs(slope))
    graph = check(Graph({"out": out, **{f"g{i}": g for i, g in zip(floats, first, strict=True) if g is not None}}))
    assert str(parse_graph(str(graph))) == str(graph)


@SETTINGS
@given(
    mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=4), st.sampled_from(["+", "-", "*", "/", "**"])
)
def test_arithmetic_with_broadcasts(shapes, sign: str) -> None:
    x, y = (numbers(shape, i) for i, shape in enumerate(shapes.input_shapes))
    apply = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b}.get(
        sign, lambda a, b: a**b
    )
    agree(apply, np.asarray(apply(x, y)), x, y, exact=sign != "**")


@SETTINGS
@given(mutually_broadcastable_shapes(num_shapes=3, max_dims=3, min_side=0, max_side=3))
def test_choice_with_broadcasts(shapes) -> None:
    condition, x, y = (numbers(shape, i) for i, shape in enumerate(shapes.input_shapes))
    truth = condition < 1.0
    expected = np.where(truth, x, y)
    agree(lambda a, b: ops.where(constant(truth), a, b), expected, x, y)


@SETTINGS
@given(SHAPES)
def test_sums_over_every_set_of_axes(shape: tuple[int, ...]) -> None:
    x = numbers(shape, 0)
    for count in range(len(shape) + 1):
        for axes in itertools.combinations(range(len(shape)), count):
            expected = np.asarray(x.sum(axis=axes))
            node = input_node("x", shape)
            reduced, kept = ops.sum(node, axes), ops.sum(node, axes, keepdims=True)
            values = compute([reduced, kept], {node: x})
            np.testing.assert_allclose(values[0], expected, rtol=1e-14)
            assert kept.shape == x.sum(axis=axes, keepdims=True).shape == values[1].shape
    last = tuple(range(len(shape) - 1))
    agree(lambda node: ops.sum(node, last), np.asarray(x.sum(axis=last)), x, exact=False)


@SETTINGS
@given(array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=3), st.data())
def test_largest_and_smallest(shape: tuple[int, ...], data: st.DataObject) -> None:
    axes = tuple(sorted(data.draw(st.sets(st.integers(0, len(shape) - 1)))))
    x = np.random.default_rng(5).permutation(int(np.prod(shape))).reshape(shape) / 7.0
    agree(lambda node: ops.reduce_max(node, axes=axes), np.asarray(x.max(axis=axes)), x)
    agree(lambda node: ops.reduce_min(node, axes=axes), np.asarray(x.min(axis=axes)), x)


@SETTINGS
@given(SHAPES, st.randoms(use_true_random=False))
def test_transpose(shape: tuple[int, ...], random) -> None:
    axes = list(range(len(shape)))
    random.shuffle(axes)
    x = numbers(shape, 0)
    expected = np.empty([shape[axis] for axis in axes])
    for place in np.ndindex(*expected.shape):
        source = [0] * len(shape)
        for i, axis in enumerate(axes):
            source[axis] = place[i]
        expected[place] = x[tuple(source)]
    agree(lambda node: ops.transpose(node, axes=tuple(axes)), expected, x)


@SETTINGS
@given(SHAPES, st.integers(0, 3))
def test_reshape(shape: tuple[int, ...], cut: int) -> None:
    x = numbers(shape, 0)
    new = (*shape[:cut], int(np.prod(shape[cut:])), 1)
    agree(lambda node: ops.reshape(node, shape=new), x.ravel().reshape(new), x)


@SETTINGS
@given(st.data())
def test_broadcast_to(data: st.DataObject) -> None:
    target = data.draw(SHAPES)
    source = data.draw(broadcastable_shapes(target, max_dims=len(target), min_side=0, max_side=4))
    source = tuple(
        1 if old not in {1, new} else old for old, new in zip(source, target[len(target) - len(source) :], strict=True)
    )
    x = numbers(source, 0)
    agree(lambda node: ops.broadcast_to(node, shape=target), x + np.zeros(target), x)


@SETTINGS
@given(SOME, st.data())
def test_slices_with_steps(shape: tuple[int, ...], data: st.DataObject) -> None:
    bounds = []
    for extent in shape:
        start, stop = sorted(data.draw(st.tuples(st.integers(0, extent), st.integers(0, extent))))
        bounds.append((start, stop, data.draw(st.integers(1, 5))))
    starts, stops, steps = zip(*bounds, strict=True)
    x = numbers(shape, 0)
    expected = x[np.ix_(*(list(range(*bound)) for bound in bounds))]
    agree(lambda node: ops.slice_axes(node, starts=starts, stops=stops, steps=steps), expected, x)


@SETTINGS
@given(SOME, st.data())
def test_pads_with_gaps(shape: tuple[int, ...], data: st.DataObject) -> None:
    few = st.tuples(*[st.integers(0, 2)] * len(shape))
    low, high, interior = data.draw(few), data.draw(few), data.draw(few)
    x = numbers(shape, 0)
    extents = [a + max(0, n + (n - 1) * gap) + b for a, n, b, gap in zip(low, shape, high, interior, strict=True)]
    expected = np.zeros(extents)
    for place in np.ndindex(*shape):
        expected[tuple(a + i * (gap + 1) for a, i, gap in zip(low, place, interior, strict=True))] = x[place]
    agree(lambda node: ops.pad(node, low=low, high=high, interior=interior), expected, x)


@SETTINGS
@given(SOME, st.data())
def test_concatenate(shape: tuple[int, ...], data: st.DataObject) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    extents = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    arrays = [numbers((*shape[:axis], extent, *shape[axis + 1 :]), i) for i, extent in enumerate(extents)]
    agree(lambda *nodes: ops.concatenate(*nodes, axis=axis), np.concatenate(arrays, axis), *arrays)


@SETTINGS
@given(SOME, st.data())
def test_flip(shape: tuple[int, ...], data: st.DataObject) -> None:
    axes = tuple(data.draw(st.sets(st.integers(0, len(shape) - 1))))
    x = numbers(shape, 0)
    order = [range(n)[::-1] if axis in axes else range(n) for axis, n in enumerate(shape)]
    agree(lambda node: ops.flip(node, axes=axes), x[np.ix_(*map(list, order))] if x.size else x, x)


@SETTINGS
@given(mutually_broadcastable_shapes(signature="(m,k),(k,n)->(m,n)", max_dims=2, min_side=0, max_side=4))
def test_matrix_products_with_batches(shapes) -> None:
    x, y = (numbers(shape, i) for i, shape in enumerate(shapes.input_shapes))
    expected = (x[..., :, :, None] * y[..., None, :, :]).sum(axis=-2)
    agree(lambda a, b: a @ b, expected, x, y, exact=False)


@SETTINGS
@given(
    array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4),
    array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=4),
    st.data(),
)
def test_gather_and_scatter_with_repeats(shape: tuple[int, ...], places: tuple[int, ...], data: st.DataObject) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    dtype = data.draw(st.sampled_from(["int32", "int64", "uint8", "uint32"]))
    indices = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, shape[axis], places).astype(dtype)
    x = numbers(shape, 0)
    before, behind = (slice(None),) * axis, (slice(None),) * (len(shape) - axis - 1)
    read = np.empty((*shape[:axis], *places, *shape[axis + 1 :]))
    for place in np.ndindex(*places):
        read[(*before, *place, *behind)] = x[(*before, indices[place], *behind)]
    agree(lambda node, i: ops.gather(node, i, axis=axis), read, x, indices)
    updates, written = numbers(read.shape, 3), x.copy()
    for place in np.ndindex(*places):
        written[(*before, indices[place], *behind)] += updates[(*before, *place, *behind)]
    agree(lambda node, i, u: ops.scatter_add(node, i, u, axis=axis), written, x, indices, updates, exact=False)
