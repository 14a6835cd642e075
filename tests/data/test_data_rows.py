"""Rows where they lie: chosen without a copy, asked block by block, with NumPy's own bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import Examples, RandomSplit, Scaling, from_arrays, rows
from chainrule.data.distinct import distinct
from chainrule.data.rows import Rows
from chainrule.data.splits import SplitIndices
from chainrule.data.statistics import UnitRange
from chainrule.errors import DataError


@pytest.fixture
def stays(monkeypatch):
    """Even a few rows stay where they lie, blocks are short, and several threads look."""
    monkeypatch.setattr(rows, "COPIED", 0)
    monkeypatch.setattr(rows, "COPIED_OF_A_FILE", 0)
    monkeypatch.setattr(rows, "BLOCK", 200)
    monkeypatch.setattr("chainrule.data.statistics.BLOCK", 1000)
    monkeypatch.setattr(rows, "_SHARED", 0)
    monkeypatch.setattr(rows, "threads", lambda: 3)


X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


def test_chosen_rows_stay_where_they_lie(stays):
    examples = Examples(X, np.arange(50) % 2)
    some = examples[np.arange(40, 5, -1)]
    assert some.inputs.table is some.inputs.staying(slice(2)).table
    assert np.shares_memory(some.inputs.table, X)
    assert some.inputs.index is some.targets.index
    assert np.array_equal(some.x, X[40:5:-1])
    assert np.array_equal(some[2:4].x, X[[38, 37]])
    assert np.array_equal(some[-1].x, X[6])
    assert np.array_equal(some[3].x, X[37])
    assert np.array_equal(np.concatenate([block.copy() for _, block in some.inputs.blocks()]), some.x)
    assert not some.x.flags.writeable
    assert some.y.tolist() == [n % 2 for n in range(40, 5, -1)]


def test_few_rows_are_copied():
    examples = Examples(X, np.arange(50) % 2)
    assert not np.shares_memory(examples[np.arange(4)].x, X)
    assert np.shares_memory(examples[:4].x, X)


@pytest.mark.parametrize("place", [0, 11, 34])
def test_the_first_number_that_is_not_finite_is_found(stays, place):
    x = X.copy()
    x[place + 3, 1] = np.inf
    x[45] = np.nan
    found = Rows(x)[np.arange(3, 50)]
    assert not found.is_finite
    assert found.first_not_finite() == (place, 1)
    assert Rows(X)[np.arange(3, 50)].is_finite


SHAPES = [(300, 1), (100, 2), (257, 7), (40, 3, 2), (40, 3, 1), (33, 4, 4, 3), (31, 5, 4, 1), (500,), (90, 130)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_scalings_have_the_bits_of_the_whole_array(stays, monkeypatch, shape, dtype):
    """As NumPy computes them of the whole array in float64, which is what earlier versions did."""
    monkeypatch.setattr("chainrule.data.statistics._SEGMENT", 128)
    random = np.random.default_rng(len(shape))
    table = (random.normal(size=shape) * 50 + 1000).astype(dtype)
    chosen = np.flatnonzero(random.random(shape[0]) < 0.7)
    x = table[chosen].astype(np.float64)
    axes = tuple(range(max(1, x.ndim - 1)))
    low, high = x.min(axis=axes), x.max(axis=axes)
    unit = (x - low) / (high - low)
    found = Scaling.standardise(Rows(table, chosen))
    assert found.offset.tobytes() == np.asarray(low + (high - low) * unit.mean(axis=axes)).tobytes()
    assert found.factor.tobytes() == np.asarray(1 / ((high - low) * unit.std(axis=axes))).tobytes()
    assert found == Scaling.standardise(table[chosen])


BEFORE_2_3 = tuple(map(int, np.__version__.split(".")[:2])) < (2, 3)
ONE_COLUMN = pytest.mark.skipif(BEFORE_2_3, reason="NumPy before 2.3 adds up a single column in another order")


@pytest.mark.parametrize("shape", [(100_003, 2), (40_001, 5), pytest.param((300_007, 1), marks=ONE_COLUMN), (3001, 6, 5, 1)])
def test_large_arrays_too(shape):
    x = np.random.default_rng(1).normal(size=shape)
    axes = tuple(range(x.ndim - 1))
    low, high = x.min(axis=axes), x.max(axis=axes)
    unit = (x - low) / (high - low)
    mean, deviation = UnitRange.of(x).moments()
    assert mean.tobytes() == unit.mean(axis=axes).tobytes()
    assert deviation.tobytes() == unit.std(axis=axes).tobytes()


def test_a_data_set_is_the_same_wherever_its_rows_lie(stays, monkeypatch):
    y = np.arange(50) % 3
    there = from_arrays(X, y)
    assert np.shares_memory(there.train.inputs.table, X)
    monkeypatch.setattr(rows, "COPIED", 2**26)
    copied = from_arrays(X, y)
    assert not np.shares_memory(copied.train.inputs.table, X)
    assert there.hash == copied.hash
    assert there.info.to_json() == copied.info.to_json()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_known_to_be_finite_is_not_asked_again(stays, monkeypatch, bad):
    asked = []
    monkeypatch.setattr(rows, "is_finite", lambda block: asked.append(block.shape) or bool(np.isfinite(block).all()))
    table = Rows(X.copy())
    assert table.is_finite
    assert table[np.arange(10)].is_finite
    assert table[3:7].is_finite
    assert sum(count for count, _ in asked) == len(X)
    table.table[9, 1] = bad
    chosen = Rows(table.table)[np.array([3, 9])]
    assert not chosen.is_finite
    assert not np.isfinite(chosen.limits[1]).all()
    assert not chosen.is_finite
    assert chosen.first_not_finite() == (1, 1)


@pytest.mark.parametrize("shape", [(1, 3), (2000, 3), (700, 2, 3), (5, 2000), (1031,)])
def test_least_and_largest_numbers(shape):
    x = np.random.default_rng(3).normal(size=shape)
    axes = tuple(range(max(1, x.ndim - 1)))
    low, high = Rows(x).limits
    assert np.array_equal(low, np.atleast_1d(x.min(axis=axes)))
    assert np.array_equal(high, np.atleast_1d(x.max(axis=axes)))


@given(
    st.lists(st.integers(-(2**40), 2**40) | st.integers(-5, 5), min_size=1),
    st.sampled_from(["i8", "u8", "i4", "u4", "u1", "i1"]),
)
def test_distinct_values_are_those_of_numpy(values, dtype):
    array = np.array(values).astype(dtype)
    found = distinct(array)
    expected, codes, counts = np.unique(array, return_inverse=True, return_counts=True)
    assert np.array_equal(found.values, expected)
    assert found.values.dtype == array.dtype
    assert np.array_equal(found.codes, codes)
    assert np.array_equal(found.counts, counts)


@pytest.mark.parametrize("shape", [(50, 3), (50, 2, 3), (50,)])
@pytest.mark.parametrize("dtype", ["f4", "f8", "u1"])
@pytest.mark.parametrize("chosen", [None, np.arange(40, 5, -1)])
def test_rows_are_written_where_they_are_wanted(shape, dtype, chosen):
    x = (np.random.default_rng(0).normal(size=shape) * 9).astype("i4").astype(dtype)
    found = Rows(x, chosen) if chosen is not None else Rows(x)
    for columns in [slice(0, shape[-1])] + [slice(1, 3)] * (len(shape) > 1):
        expected = found.array()[4:20][..., columns] if len(shape) > 1 else found.array()[4:20]
        for to in ("f4", "f8"):
            out = np.zeros(expected.size, to).reshape(-1, expected.shape[-1] if len(shape) > 1 else 1)
            found.write(out, 4, 20, columns if len(shape) > 1 else slice(None))
            assert np.array_equal(out.reshape(expected.shape), expected)


def test_where_one_part_stays_the_others_do(monkeypatch):
    monkeypatch.setattr(rows, "COPIED", 400)
    data = from_arrays(X, np.arange(50) % 2)
    assert data.test is not None
    assert data.test.inputs.nbytes < 400 < data.train.inputs.nbytes
    assert np.shares_memory(data.train.inputs.table, X)
    assert np.shares_memory(data.test.inputs.table, X)
    assert data.test.inputs.index is data.test.targets.index


class SomeOfThem:
    """A split that leaves out the last examples."""

    def parts(self, y):
        return SplitIndices(np.arange(20), np.arange(20, 30), np.arange(30, len(y) - 5))


@pytest.mark.parametrize("split", [None, RandomSplit(), SomeOfThem()])
@pytest.mark.parametrize("scaling", ["auto", "minmax", "none"])
@pytest.mark.parametrize("place", [0, 23, 49])
def test_a_number_that_is_not_finite_is_named_by_its_place_before_the_split(stays, split, scaling, place):
    x = X.copy()
    x[place, 2] = np.inf
    with pytest.raises(DataError, match=f"x is inf at example {place}, feature 2"):
        from_arrays(x, np.arange(50) % 2, split=split, scaling=scaling)
    y = np.random.default_rng(2).normal(size=(50, 2))
    y[place, 1] = np.nan
    with pytest.raises(DataError, match=f"y is nan at example {place}, feature 1"):
        from_arrays(X, y, split=split, scaling=scaling)
