"""Ops as NumPy's users write them: axes from the end, attributes in their place, NumPy's numbers and arrays on either side."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from chainrule import ops
from chainrule.errors import DtypeError, GraphError, OptionError, ShapeError
from chainrule.graph import Node, compute, constant, input_node

NUMBERS = np.random.default_rng(0).normal(size=(2, 3, 4))
X = constant(NUMBERS)
PLACES = constant([1, 0])
SQUARE = np.random.default_rng(1).normal(size=(3, 3))


def value(node: Node) -> np.ndarray:
    return compute([node])[0]


@pytest.mark.parametrize("axis", [-1, -2, -3, 0, 1, 2, np.int64(-1)])
def test_an_axis_counts_from_the_end_as_in_numpy(axis):
    for ours, theirs in (
        (ops.argmax(X, axis=axis), np.argmax(NUMBERS, axis)),
        (ops.argmax(X, axis), np.argmax(NUMBERS, axis)),
        (ops.position_of_max(X, axis), np.argmax(NUMBERS, axis)),
        (ops.concatenate(X, X, axis=axis), np.concatenate([NUMBERS, NUMBERS], axis)),
        (ops.flip(X, axes=(axis,)), np.flip(NUMBERS, axis)),
        (ops.gather(X, PLACES, axis=axis), np.take(NUMBERS, [1, 0], axis)),
        (ops.reduce_sum(X, axes=(axis,)), np.sum(NUMBERS, axis)),
        (ops.reduce_max(X, (axis,)), np.max(NUMBERS, axis)),
        (ops.sum(X, axis), np.sum(NUMBERS, axis)),
        (ops.slice_axis(X, axis, -2, 2), np.take(NUMBERS, np.arange(NUMBERS.shape[axis])[-2:2], axis)),
    ):
        assert np.array_equal(value(ours), theirs)
    for node in (ops.gather(X, PLACES, axis=axis), ops.argmax(X, axis=axis)):
        assert node.attributes["axis"] == axis % 3, "a graph holds axes counted from 0"
    updates = ops.gather(X, PLACES, axis=axis)
    spread = value(ops.scatter_add(X, PLACES, updates, axis=axis))
    assert np.array_equal(spread, value(ops.scatter_add(X, PLACES, updates, axis=axis % 3)))


@pytest.mark.parametrize("axes", [(-1, 0, 1), (2, 1, 0), (0, -1, -2)])
def test_axes_in_another_order(axes):
    assert np.array_equal(value(ops.transpose(X, axes)), np.transpose(NUMBERS, axes))
    assert np.array_equal(value(ops.transpose(X)), NUMBERS.T)
    assert np.array_equal(value(ops.flip(X)), np.flip(NUMBERS))


def test_windows_count_their_axes_from_the_end_too():
    how = {"taps": (2,), "strides": (1,), "dilations": (1,)}
    seen = ops.windows(X, axes=(-2,), **how)
    assert np.array_equal(value(seen), value(ops.windows(X, axes=(1,), **how)))
    back = {"extents": (3,), "strides": (1,), "dilations": (1,)}
    assert np.array_equal(value(ops.overlap_add(seen, axes=(-2,), **back)), value(ops.overlap_add(seen, axes=(1,), **back)))


@pytest.mark.parametrize("axis", [3, -4, 10**30, -(10**30)])
def test_an_axis_that_there_is_not_is_refused(axis):
    for make in (ops.argmax, ops.sum, ops.position_of_max, lambda x, axis: ops.concatenate(x, axis=axis)):
        with pytest.raises((ShapeError, OptionError), match="axis"):
            make(X, axis)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: ops.reshape(X, (24,), (6, 4)), GraphError, "reshape was given 3 values"),
        (lambda: ops.reshape(X, shap=(24,)), GraphError, "the attribute 'shap'"),
        (lambda: ops.reshape(X), GraphError, "reshape was given no shape"),
        (lambda: ops.reshape(), GraphError, "reshape was given 0 values"),
        (lambda: ops.reshape(X, "24"), OptionError, "shape='24' in reshape"),
        (lambda: ops.reshape(X, (2.5,)), OptionError, r"shape=\(2.5,\) in reshape"),
        (lambda: ops.transpose(X, axes=(0.0, 1, 2)), OptionError, "axes="),
        (lambda: X + "a", DtypeError, "'a'"),
        (lambda: X + None, DtypeError, "None"),
        (lambda: X * [[1], [2, 3]], DtypeError, "constant|stands"),
    ],
)
def test_what_an_op_cannot_take_is_said(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(
    "operation",
    [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul, operator.lt, operator.le,
     operator.gt, operator.ge],
)  # fmt: skip
def test_an_array_may_stand_on_either_side(operation):
    positive = np.abs(SQUARE) + 0.5
    for left, right in ((positive, constant(SQUARE)), (constant(positive), SQUARE)):
        if operation is operator.pow:
            left = abs(left) if isinstance(left, Node) else left
        ours = operation(left, right)
        assert isinstance(ours, Node)
        plain = [value(side) if isinstance(side, Node) else side for side in (left, right)]
        assert np.array_equal(value(ours), operation(*plain), equal_nan=True)


@pytest.mark.parametrize("number", [np.float64(0.3), np.float32(0.5), np.int64(2), np.array(0.25), np.array(3), 0.7, 2])
def test_numbers_take_the_dtype_of_the_node_beside_them(number):
    half = input_node("half", (2,), "float32")
    for made in (half * number, number * half, half + number, number - half, half / number, number / half, half**number):
        assert made.dtype == "float32"
    with pytest.raises(DtypeError, match="one dtype"):
        half * np.full(2, 0.3)
    given = np.array([1.5, -2.5], np.float32)
    assert np.array_equal(compute([half * number], {half: given})[0], given * np.float32(number))


def test_numbers_that_a_whole_dtype_does_not_hold_are_refused():
    whole = input_node("whole", (2,), "uint8")
    assert (whole + np.int64(3)).dtype == "uint8"
    for number in (np.float64(0.5), np.int64(300), -1, np.array(2.5)):
        with pytest.raises(DtypeError, match="stands beside uint8"):
            whole + number


@pytest.mark.parametrize("given", [10000, 10000.0, np.int64(10000), np.array(10000), np.float32(10000)])
def test_what_is_bound_becomes_what_its_leaf_holds(given):
    x = input_node("x")
    power = x * x * x * x * x * x
    assert compute([power, ops.relu(x)], {x: given}) == [1e24, 10000.0]


@pytest.mark.parametrize(
    ("dtype", "given"),
    [
        ("float64", "2"), ("float64", None), ("float64", np.ones(2)), ("float64", [1.0]), ("int64", 0.5), ("uint8", 300), ("uint8", -1),
        ("float32", np.ones((), object)), ("bool", 2), ("float64", np.array("a")),
    ],
)  # fmt: skip
def test_what_a_leaf_cannot_hold_is_refused(dtype, given):
    x = input_node("x", (), dtype)
    with pytest.raises((DtypeError, ShapeError)):
        compute([x], {x: given})


def test_whole_numbers_become_floats_only_where_each_stays_what_it_is():
    x = input_node("x", (2,))
    assert compute([x * 2.0], {x: np.array([1, 2**53])})[0].tolist() == [2.0, 2.0**54]
    with pytest.raises(DtypeError):
        compute([x], {x: np.array([1, 2**53 + 1])})
    half = input_node("half", (1,), "float32")
    with pytest.raises(DtypeError):
        compute([half], {half: np.array([0.1])})
