"""Splits: disjoint, complete, reproducible, and each true to its rule."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import GroupSplit, RandomSplit, StratifiedSplit, TimeSplit
from chainrule.errors import DataError, OptionError

FRACTIONS = st.tuples(st.sampled_from([0, 0.1, 0.2, 0.33, 0.5]), st.sampled_from([0, 0.1, 0.25, 0.4]))
LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(np.array)


def check_complete(parts, count):
    everything = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(everything.tolist()) == list(range(count))
    assert len(parts.train) >= 1
    assert all(part.dtype == np.int64 for part in (parts.train, parts.validation, parts.test))


@given(st.integers(1, 80), FRACTIONS, st.integers(0, 5))
def test_random_split(count, fractions, seed):
    test, validation = fractions
    y = np.zeros((count, 1))
    try:
        parts = RandomSplit(test, validation, seed).parts(y)
    except DataError:
        assert count < 1 + bool(test) + bool(validation)
        return
    check_complete(parts, count)
    for part, fraction in ((parts.test, test), (parts.validation, validation)):
        assert len(part) >= bool(fraction)
        assert abs(len(part) - fraction * count) < 1.01
    assert (np.diff(parts.train) > 0).all()
    again = RandomSplit(test, validation, seed).parts(y)
    assert np.array_equal(parts.test, again.test)


def test_another_seed_gives_another_split():
    y = np.zeros((100, 1))
    assert not np.array_equal(RandomSplit(seed=0).parts(y).test, RandomSplit(seed=1).parts(y).test)


@given(LABELS, FRACTIONS, st.integers(0, 5))
def test_stratified_split(y, fractions, seed):
    test, validation = fractions
    try:
        parts = StratifiedSplit(test, validation, seed).parts(y)
    except DataError:
        # One of each class is for training; of the others the test part may take all.
        spare = len(y) - len(np.unique(y))
        tests = max(1, int(test * len(y) + 0.5)) if test else 0
        assert spare < bool(test) or (validation and spare <= tests)
        return
    check_complete(parts, len(y))
    for label in np.unique(y):
        count = (y == label).sum()
        assert (y[parts.train] == label).any()
        for part, fraction in ((parts.test, test), (parts.validation, validation)):
            assert (y[part] == label).sum() <= np.ceil(count * fraction) + 1
    if test:
        assert len(parts.test) >= 1


def test_stratified_shares_are_exact_where_they_can_be():
    y = np.repeat([0, 1, 2], [50, 100, 150])
    parts = StratifiedSplit(0.2, 0.1, seed=3).parts(y)
    assert np.bincount(y[parts.test]).tolist() == [10, 20, 30]
    assert np.bincount(y[parts.validation]).tolist() == [5, 10, 15]


def test_stratified_keeps_a_rare_class_in_training():
    y = np.array([0] * 99 + [1])
    parts = StratifiedSplit(0.5).parts(y)
    assert 99 in parts.train


@pytest.mark.parametrize("y", [np.zeros((5, 1)), np.zeros(5)])
def test_stratified_needs_labels(y):
    with pytest.raises(DataError, match="StratifiedSplit was given targets of shape"):
        StratifiedSplit().parts(y)


def test_stratified_with_one_example_per_class():
    with pytest.raises(DataError, match="5 examples are too few for 5 classes"):
        StratifiedSplit().parts(np.arange(5))


@given(st.lists(st.integers(0, 7), min_size=1, max_size=60), FRACTIONS, st.integers(0, 5))
def test_groups_stay_whole(groups, fractions, seed):
    test, validation = fractions
    try:
        parts = GroupSplit(groups, test, validation, seed).parts(np.zeros((len(groups), 1)))
    except DataError as trouble:
        assert "too few" in str(trouble)  # noqa: PT017
        return
    check_complete(parts, len(groups))
    sets = [{groups[index] for index in part} for part in (parts.train, parts.validation, parts.test)]
    assert sum(map(len, sets)) == len(set(groups))
    rounded_up = [max(1, int(share * len(groups) + 0.5)) if share else 0 for share in fractions]
    gives_back = sum(rounded_up) - len(groups) + 1  # where rounding up would leave nothing to train on
    assert len(parts.test) >= rounded_up[0] - max(gives_back, 0)


@given(st.lists(st.integers(0, 30), min_size=2, max_size=60), FRACTIONS)
def test_the_future_is_tested(times, fractions):
    test, validation = fractions
    try:
        parts = TimeSplit(times, test, validation).parts(np.zeros((len(times), 1)))
    except DataError as trouble:
        assert "too few" in str(trouble)  # noqa: PT017
        return
    check_complete(parts, len(times))
    ordered = [[times[index] for index in part] for part in (parts.train, parts.validation, parts.test)]
    for part in ordered:
        assert part == sorted(part)
    held = [part for part in ordered if part]
    assert all(max(earlier) < min(later) for earlier, later in pairwise(held))
    assert bool(len(parts.test)) == bool(test)


def test_times_can_be_dates():
    dates = ["2024-03-01", "2023-12-31", "2024-01-15", "2024-02-02T12:00"]
    assert TimeSplit(dates, 0.25).parts(np.zeros((4, 1))).test.tolist() == [0]
    assert TimeSplit(np.array(dates, "datetime64[m]"), 0.25).parts(np.zeros((4, 1))).test.tolist() == [0]
    assert TimeSplit(["9", "10", "11", "8"], 0.25).parts(np.zeros((4, 1))).test.tolist() == [2]
    with pytest.raises(DataError, match=r"cannot be put in order .*\n.*ISO"):
        TimeSplit(["01.03.2024", "31.12.2023"], 0.5).parts(np.zeros((2, 1)))


def test_ties_in_time_move_the_cut():
    parts = TimeSplit([1, 2, 2, 2, 2, 2, 2, 3], 0.5).parts(np.zeros((8, 1)))
    assert parts.test.tolist() == [1, 2, 3, 4, 5, 6, 7]
    with pytest.raises(DataError, match="they all have the same time"):
        TimeSplit([5, 5, 5], 0.3).parts(np.zeros((3, 1)))


@pytest.mark.parametrize("make", [RandomSplit, StratifiedSplit, lambda **o: GroupSplit([1], **o)])
@pytest.mark.parametrize(
    "options",
    [
        {"test": -0.1},
        {"test": 1.0},
        {"test": 0.6, "validation": 0.4},
        {"test": float("nan")},
        {"seed": -1},
        {"seed": 0.5},
        {"seed": True},
    ],
)
def test_options_that_make_no_sense(make, options):
    with pytest.raises(OptionError):
        make(**options)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (RandomSplit(), r"1 example is too few for all parts"),
        (GroupSplit([1, 1]), r"groups has shape \(2,\) and there are 1 examples"),
        (GroupSplit("patient"), "groups='patient' names a column"),
        (TimeSplit("date"), "times='date' names a column"),
        (TimeSplit([None]), "times has the missing value None at example 0"),
        (GroupSplit([float("nan")]), "groups has the missing value nan at example 0"),
    ],
)
def test_refusals(split, message):
    with pytest.raises(DataError, match=message):
        split.parts(np.zeros((1, 1)))


def test_times_of_several_zones_are_put_in_order_without_a_word():
    texts = ["2024-03-01T12:00+01:00", "2024-03-01T11:30Z", "2024-03-01T05:45-06:00", "2024-03-01T13:50+02:00"]
    wanted = np.argsort([datetime.fromisoformat(text).timestamp() for text in texts])
    found = TimeSplit(texts, test=0.25).parts(np.zeros((4, 1)))
    assert [*found.train, *found.test] == wanted.tolist()
