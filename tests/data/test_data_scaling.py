"""Scaling: what it learns, that it can be undone and kept, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule.data import Scaling
from chainrule.data.scaling import choose_scaling
from chainrule.errors import DataError, FileFormatError, OptionError, ShapeError

TABLES = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.floats(-1e6, 1e6).map(lambda v: round(v, 3))
)


@given(TABLES)
def test_standardise_gives_mean_0_and_deviation_1(x):
    scaled = Scaling.standardise(x).apply(x)
    constant = x.max(axis=0) == x.min(axis=0)
    assert np.allclose(scaled.mean(axis=0), 0, atol=1e-6)
    assert np.allclose(scaled.std(axis=0), np.where(constant, 0, 1), atol=1e-6)


@given(TABLES)
def test_minmax_gives_0_to_1(x):
    scaled = Scaling.minmax(x).apply(x)
    constant = x.max(axis=0) == x.min(axis=0)
    assert np.allclose(scaled.min(axis=0), 0)
    assert np.allclose(scaled.max(axis=0), np.where(constant, 0, 1))


@given(TABLES)
def test_undo_and_json_round_trip(x):
    scaling = Scaling.standardise(x)
    assert np.allclose(scaling.undo(scaling.apply(x)), x, rtol=1e-12, atol=1e-6)
    kept = Scaling.from_json(json.loads(json.dumps(scaling.to_json())))
    assert kept == scaling
    assert hash(kept) == hash(scaling)


def test_agrees_with_numpy():
    x = np.random.default_rng(0).normal(3, 7, (1000, 5))
    scaling = Scaling.standardise(x)
    np.testing.assert_allclose(scaling.offset, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scaling.factor, 1 / x.std(axis=0), rtol=1e-12)


def test_constant_features_get_factor_1():
    x = np.column_stack([np.full(10, 0.1), np.arange(10)])
    scaling = Scaling.standardise(x)
    assert scaling.factor[0] == 1
    assert scaling.apply(x)[:, 0].tolist() == [0] * 10
    assert Scaling.minmax(x).factor[0] == 1


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_extreme_sizes_do_not_overflow(size):
    x = np.array([[-1.0], [0.0], [1.0]]) * size
    np.testing.assert_allclose(Scaling.standardise(x).apply(x)[:, 0], [-np.sqrt(1.5), 0, np.sqrt(1.5)])


def test_dtypes_and_shapes():
    images = np.full((2, 4), 255, np.uint8)
    scaling = Scaling(0, 1 / 255)
    assert scaling.apply(images).dtype == np.float64
    assert scaling.apply(images.astype(np.float32)).dtype == np.float32
    assert scaling.undo(np.float32([1.0])).dtype == np.float32
    assert scaling.apply(images[0]).shape == (4,)
    assert scaling.offset.dtype == np.float64
    assert scaling.shape == ()
    with pytest.raises(ValueError, match="read-only"):
        scaling.offset[()] = 1
    with pytest.raises(ShapeError, match=r"x has shape \(5, 3\) and the scaling was made for examples of shape \(2,\)"):
        Scaling([0, 0], 1).apply(np.ones((5, 3)))
    with pytest.raises(ShapeError):
        Scaling([0, 0], 1).undo(np.ones((5, 1)))  # would silently become (5, 2)


def test_none_changes_nothing_and_equality():
    x = np.random.default_rng(0).normal(size=(3, 2))
    assert np.array_equal(Scaling.none().apply(x), x)
    assert Scaling.none() == Scaling(0, 1)
    assert Scaling.none() != Scaling(0, 2)
    assert Scaling.none() != "none"
    assert repr(Scaling.standardise(np.ones((3, 9)))) == "Scaling(<(9,)>, <(9,)>)"


@pytest.mark.parametrize(
    ("offset", "factor", "message"),
    [
        (0, 0, "factor of the scaling is 0.0"),
        (np.nan, 1, "offset of the scaling is nan"),
        ([0, 0], [1, np.inf], r"factor .* is inf at \[1\]"),
    ],
)
def test_refuses_what_cannot_be_undone(offset, factor, message):
    with pytest.raises(DataError, match=message):
        Scaling(offset, factor)


def test_refuses_a_spread_beyond_float64():
    with pytest.raises(DataError, match="scaling"):
        Scaling.minmax([[-1e308], [1e308]])
    with pytest.raises(DataError, match="factor of the scaling is inf"):
        Scaling.minmax([[0.0], [5e-324]])
    with pytest.raises(DataError, match="at least one example"):
        Scaling.standardise(np.empty((0, 3)))


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {},
        {"offset": 0},
        {"offset": "a", "factor": 1},
        {"offset": 0, "factor": 0},
        {"offset": [[1], [1, 2]], "factor": 1},
    ],
)
def test_from_json_refuses_other_content(content):
    with pytest.raises(FileFormatError, match="Scaling"):
        Scaling.from_json(content)


def test_choose_scaling():
    mine = Scaling(1, 2)
    assert choose_scaling(mine, [[0.0]]) is mine
    assert choose_scaling("none", [[5.0]]) == Scaling.none()
    with pytest.raises(OptionError, match="scaling='zscore'"):
        choose_scaling("zscore", [[0.0]])
