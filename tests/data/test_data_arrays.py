"""from_arrays: targets, splits, scalings learned on the training part only, duplicates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from chainrule.data import GroupSplit, RandomSplit, Scaling, from_arrays
from chainrule.errors import ChainruleError, DataError, OptionError

RANDOM = np.random.default_rng(7)
X = RANDOM.normal(5, 3, (50, 4))


@pytest.mark.parametrize(
    ("y", "classes", "labels"),
    [
        (["dog", "cat", "dog", "ant"] * 5, ("ant", "cat", "dog"), [2, 1, 2, 0]),
        ([0, 1, 2, 1] * 5, ("0", "1", "2"), [0, 1, 2, 1]),
        ([-1, 1, 1, -1] * 5, ("-1", "1"), [0, 1, 1, 0]),
        ([3, 12, 3, 12] * 5, ("3", "12"), [0, 1, 0, 1]),
        ([True, False, False, True] * 5, ("False", "True"), [1, 0, 0, 1]),
        (np.array(["b", "a"] * 10, object), ("a", "b"), [1, 0, 1, 0]),
        (np.array([1, 0] * 10, object), ("0", "1"), [1, 0, 1, 0]),
        (pd.Series(["x", "y"] * 10), ("x", "y"), [0, 1, 0, 1]),
        (np.array([1, 0] * 10, np.uint8), ("0", "1"), [1, 0, 1, 0]),
    ],
)
def test_classes(y, classes, labels):
    data = from_arrays(X[:20], y, split=RandomSplit(test=0))
    assert data.classes == classes
    assert data.train.y[:4].tolist() == labels
    assert data.target_scaling is None


def test_class_names_given():
    data = from_arrays(X[:4], [2, 0, 1, 0], classes=("a", "b", "c"), split=RandomSplit(test=0))
    assert data.train.y.tolist() == [2, 0, 1, 0]
    data = from_arrays(X[:4], ["c", "a", "b", "a"], classes=("c", "b", "a"), split=RandomSplit(test=0))
    assert data.train.y.tolist() == [0, 2, 1, 2]
    with pytest.raises(DataError, match=r"y is 'bb' at example 1\n.*'c', 'b', 'a'\n.*did you mean 'b'"):
        from_arrays(X[:2], ["c", "bb"], classes=("c", "b", "a"))
    with pytest.raises(DataError, match="label 7 at example 1 of the training part"):
        from_arrays(X[:4], [0, 7, 1, 0], classes=("a", "b", "c"), split=RandomSplit(test=0))


def test_numbers():
    one = from_arrays(X, X[:, 0])
    assert one.train.y.shape == (40, 1)
    assert one.test.y.shape == (10, 1)
    assert from_arrays(X[:, 0], X[:, 1]).input_shape == (1,)
    assert from_arrays(X, X[:, :3]).target_size == 3
    assert from_arrays(X, np.arange(50), task="regression").task == "regression"
    assert from_arrays(X, np.array([0.0, 1.0] * 25), task="classification").classes == ("0", "1")
    assert from_arrays(X, np.array([0.5, 1] * 25, object)).task == "regression"
    assert from_arrays(X.astype("f4"), X[:, :1].astype("f4")).train.y.dtype == np.float32


def test_scalings_are_learned_from_the_training_part_only():
    data = from_arrays(X, X[:, :2] * 10, split=RandomSplit(test=0.3, validation=0.2))
    np.testing.assert_allclose(data.scaling.apply(data.train.x).mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(data.scaling.apply(data.train.x).std(axis=0), 1)
    np.testing.assert_allclose(data.target_scaling.apply(data.train.y).std(axis=0), 1)
    assert abs(data.scaling.apply(X).mean(axis=0)).max() > 1e-3
    x = X.copy()
    outlier = int(RandomSplit().parts(X).test[0])
    x[outlier] = 1e9
    assert from_arrays(x, X[:, :1]).scaling == from_arrays(X, X[:, :1]).scaling
    assert data.train.x.tolist()[0] in X.tolist()  # the arrays themselves stay unscaled


def test_scaling_options():
    assert from_arrays(X.astype("u1"), X[:, :1]).scaling == Scaling(0, 1 / 255)
    assert from_arrays(X, X[:, :1], scaling="none", target_scaling="none").target_scaling is None
    assert from_arrays(X, X[:, :1], scaling="none").scaling == Scaling.none()
    low = from_arrays(X, X[:, :1], scaling="minmax", target_scaling="minmax")
    assert low.scaling.apply(low.train.x).max() == pytest.approx(1)
    assert low.target_scaling.apply(low.train.y).min() == pytest.approx(0)
    mine = Scaling(1, 2)
    assert from_arrays(X, X[:, :1], scaling=mine, target_scaling=mine).target_scaling == mine


def test_parts_that_stand_apart():
    data = from_arrays(X[:30], ["a", "b"] * 15, validation=(X[30:40], ["b", "c"] * 5), test=(X[40:], ["a"] * 10))
    assert data.classes == ("a", "b", "c")
    assert (len(data.train), len(data.validation), len(data.test)) == (30, 10, 10)
    assert data.validation.y.tolist() == [1, 2] * 5
    only_test = from_arrays(X[:30], X[:30, 0], test=(X[30:], X[30:, 0]))
    assert only_test.validation is None
    assert only_test.test.y.shape == (20, 1)
    only_validation = from_arrays(X[:30], X[:30, 0], validation=(X[30:], X[30:, 0]))
    assert only_validation.test is None
    with pytest.raises(OptionError, match="given beside test or validation"):
        from_arrays(X, X[:, 0], test=(X, X[:, 0]), split=RandomSplit())


def test_splits():
    stratified = from_arrays(X, np.repeat([0, 1], [40, 10]))
    assert np.bincount(stratified.test.y).tolist() == [8, 2]
    grouped = from_arrays(X, X[:, 0], split=GroupSplit(np.arange(50) // 10, validation=0.2))
    assert (len(grouped.train), len(grouped.validation), len(grouped.test)) == (30, 10, 10)


def test_duplicates_are_noted():
    x = np.repeat(X[:25], 2, axis=0)
    data = from_arrays(x, x[:, 0])
    count = sum(row in data.train.x.tolist() for row in data.test.x.tolist())
    assert data.notes == (f"{count} of 10 test examples also stand in the training part",)
    assert from_arrays(X, X[:, 0]).notes == ()


def test_names_are_kept():
    data = from_arrays(X, X[:, 0], name="heights", source="a ruler", licence="CC0", features=["a", "b", "c", "d"])
    assert (data.name, data.source, data.licence, data.features) == ("heights", "a ruler", "CC0", ("a", "b", "c", "d"))


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (np.arange(50), {}, "y holds 50 distinct whole numbers in 50 examples"),
        ([f"id{k}" for k in range(50)], {}, "y holds 50 distinct texts in 50 examples"),
        (["a"] * 50, {}, "the classes are 'a'"),
        (["a", None] * 25, {}, "y holds None at example 1, among texts"),
        ([None, 1.5] * 25, {}, "y is nan at example 0"),
        ([{}] * 50, {}, "y holds objects that are not numbers"),
        (np.ones(50, complex), {}, "y has dtype complex128"),
        (np.ones((50, 1), int), {}, r"y has shape \(50, 1\) and dtype int64"),
        (np.array([["a"]] * 50), {}, r"y has shape \(50, 1\)"),
        (["a", "b"] * 25, {"task": "regression"}, "y holds texts"),
        (X[:, 0], {"task": "classification"}, "y is .* at example 0"),
        (X[:, 0], {"classes": ("a", "b")}, "class names are given and y holds numbers"),
        (X[:, 0], {"task": "ranking"}, "task='ranking'"),
        (X[:49, 0], {}, "x holds 50 examples"),
        (X[:, 0], {"test": (X, ["a"] * 50)}, "some parts of y hold texts, others numbers"),
    ],
)
def test_refusals(y, options, message):
    options = {"split": RandomSplit(test=0), **({} if "test" in options else options)} if "test" not in options else options
    with pytest.raises(ChainruleError, match=message):
        from_arrays(X, y, **options)


def test_nan_is_reported_before_a_scaling_is_learned():
    x = X.copy()
    x[0, 2] = np.nan
    with pytest.raises(DataError, match="x is nan at example 0, feature 2"):
        from_arrays(x, X[:, 0], split=RandomSplit(test=0))


def test_places_in_errors_are_those_of_the_users_rows():
    """Wherever the split would have put the example."""
    for place in range(0, 20, 3):
        x, y = np.arange(40.0).reshape(20, 2), np.arange(20.0)
        x[place, 1] = np.nan
        with pytest.raises(DataError, match=f"x is nan at example {place}, feature "):
            from_arrays(x, y)
        y[place] = np.inf
        with pytest.raises(DataError, match=f"y is inf at example {place}"):
            from_arrays(np.ones((20, 2)), y)
