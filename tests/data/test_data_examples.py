"""Examples: dtypes, indexing, read-only views, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import Example, Examples
from chainrule.errors import DataError, DtypeError


@pytest.mark.parametrize(
    ("given_dtype", "kept"),
    [
        ("u1", "u1"),
        ("f4", "f4"),
        ("f8", "f8"),
        ("f2", "f4"),
        ("i8", "f8"),
        ("u2", "f8"),
        ("?", "f8"),
        (">f8", "f8"),
        (">f4", "f4"),
        ("O", "f8"),
    ],
)
def test_input_dtypes(given_dtype, kept):
    examples = Examples(np.ones((3, 2)).astype(given_dtype), [0, 1, 0])
    assert examples.x.dtype == np.dtype(kept)
    assert examples.x.dtype.isnative
    assert examples.y.dtype == np.int64


@pytest.mark.parametrize("kept", ["f4", "f8"])
def test_target_dtypes(kept):
    assert Examples(np.ones((3, 2)), np.ones((3, 1), kept)).y.dtype == np.dtype(kept)


def test_views_are_read_only_and_the_callers_arrays_are_not():
    x, y = np.ones((3, 2)), np.array([0, 1, 2])
    examples = Examples(x, y)
    for array in (examples.x, examples.y, examples[1:].x, examples[0].x):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7
    x[0, 0], y[0] = 5, 1
    assert np.shares_memory(examples.x, x)
    assert x.flags.writeable


def test_indexing():
    examples = Examples(np.arange(10.0).reshape(5, 2), [0, 1, 2, 3, 4])
    one = examples[-1]
    assert isinstance(one, Example)
    assert (one.x.tolist(), one.y) == ([8.0, 9.0], 4)
    assert isinstance(one.y, int)
    assert isinstance(examples[np.int64(2)], Example)
    assert examples[1:3].y.tolist() == [1, 2]
    assert examples[[4, 0, 0]].y.tolist() == [4, 0, 0]
    assert examples[np.array([True, False, True, False, False])].y.tolist() == [0, 2]
    assert len(examples[[]]) == 0
    assert [example.y for example in examples] == [0, 1, 2, 3, 4]
    assert Examples(np.ones((2, 1)), np.ones((2, 3)))[0].y.shape == (3,)


def test_repr():
    assert repr(Examples(np.zeros((4, 28, 28), "u1"), [0] * 4)) == "Examples(4 × (28, 28) uint8, labels)"
    assert repr(Examples(np.zeros((4, 2)), np.zeros((4, 3)))) == "Examples(4 × (2,) float64, targets (3,) float64)"


@pytest.mark.parametrize("index", [5, -6, [0, 5], np.array([True, False])])
def test_no_such_example(index):
    with pytest.raises(DataError, match=r"these 5 examples have no example .*\n.*indices from 0 to 4"):
        Examples(np.ones((5, 2)), [0] * 5)[index]


@pytest.mark.parametrize("index", [[0.5], [[0, 1]]])
def test_no_index(index):
    with pytest.raises(DataError, match="the index has shape"):
        Examples(np.ones((5, 2)), [0] * 5)[index]


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (np.ones((3, 2)), [0, 1], DataError, r"x holds 3 examples \(shape \(3, 2\)\) and y holds 2 \(shape \(2,\)\)"),
        (5.0, [0], DataError, r"x is 5.0, a single value\n"),
        ([[1], [2, 3]], [0, 1], DataError, "rows of x differ in length"),
        (np.ones((2, 1)), [0.5, 1.5], DataError, r"y has shape \(2,\) and dtype float64"),
        (np.ones((2, 1)), [[0], [1]], DataError, r"y has shape \(2, 1\) and dtype int64"),
        (np.ones((2, 1)), ["a", "b"], DataError, "y has shape"),
        ([["a"], ["b"]], [0, 1], DtypeError, "x has dtype <U1"),
        ([[1j], [2j]], [0, 1], DtypeError, "x has dtype complex128"),
        (np.array([[1], [None], ["tall"]], object), [0, 1, 1], DataError, "not all numbers"),
    ],
)
def test_refusals(x, y, error, message):
    with pytest.raises(error, match=message):
        Examples(x, y)


@given(st.integers(0, 20), st.slices(20))
def test_slices_are_those_of_the_arrays(count, which):
    examples = Examples(np.arange(count)[:, None], np.arange(count))
    assert examples[which].y.tolist() == list(range(count))[which]
