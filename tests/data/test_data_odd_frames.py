"""Frames and arrays as people have them: cells that are no numbers or texts, rows in another order, a target among the features."""

from datetime import timedelta
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import chainrule as cr
from chainrule.data import from_arrays, from_dataframe
from chainrule.errors import DataError

Y = np.random.default_rng(0).normal(size=20)
X = Y + 0.1 * np.random.default_rng(1).normal(size=20)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([[1, 2], [3, 4]] * 10, r"(?s)row 0, column 'u': the value is \[1, 2\].*split it into columns"),
        ([{}, {"a": 1}] * 10, "row 0, column 'u'"),
        ([None, np.zeros(2)] * 10, "row 1, column 'u'"),
        (pd.to_timedelta([1, 2] * 10, "h"), "(?s)'u'.*as numbers, such as hours"),
        ([timedelta(hours=1), timedelta(hours=2)] * 10, "(?s)'u'.*total_seconds"),
    ],
)
def test_cells_that_are_no_numbers_and_no_texts_are_refused(cells, said):
    with pytest.raises(DataError, match=said):
        from_dataframe({"u": pd.Series(cells) if isinstance(cells[0], list | dict) else cells, "y": Y}, target="y")


def test_fractions_are_numbers():
    data = from_dataframe({"u": [Fraction(1, 3), Fraction(2, 3)] * 10, "y": Y}, target="y", split=None)
    np.testing.assert_allclose(data.train.x[:2, 0], [1 / 3, 2 / 3])


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ({}, "it is empty"),
        ({"u": [], "y": []}, "it is empty"),
        ({"u": 1.0, "y": [1.0]}, r"(?s)put it in brackets: \{'u': \[1.0\]\}"),
    ],
)
def test_a_frame_with_nothing_in_it_says_so(frame, said):
    with pytest.raises(DataError, match=said):
        from_dataframe(frame, target="y")


def test_the_same_rows_in_another_order_are_not_taken_for_each_other():
    frame, target = pd.DataFrame({"u": X}), pd.Series(Y)
    with pytest.raises(DataError, match=r"(?s)another order.*y.loc\[x.index\]"):
        from_arrays(frame, target[::-1])
    for taken in (target, target.to_numpy()[::-1], target.set_axis(range(100, 120))):
        assert len(from_arrays(frame, taken, split=None).train) == 20


@pytest.mark.parametrize(
    ("twin", "target", "is_twin"),
    [
        (Y.copy(), Y, True),
        (2 * Y + 1, Y, False),  # which a network may find
        (Y**3, Y, False),
        (X, Y, False),
        (np.where(Y > 0, "up", "down"), Y > 0, True),
        (np.where(Y > 0, 7, 3), np.where(Y > 0, "a", "b"), True),
        (np.where(X > 1, "up", "down"), Y > 0, False),
        (np.where(Y > 0, "only", "only"), Y > 0, False),
    ],
)
def test_a_target_among_the_features_is_noted(twin, target, is_twin):
    data = from_dataframe({"u": X, "v": twin, "y": target}, target="y")
    assert any("column 'v' tells the target exactly" in note for note in data.notes) == is_twin


def test_a_column_that_is_left_out_says_how_much_of_it_is_missing():
    data = from_dataframe({"u": X, "v": ["q", None] * 10, "y": Y}, target="y")
    assert "column 'v' holds only 'q', and no value in 10 of 20 rows, and was left out" in data.notes


def test_labels_that_are_missing_in_a_list_are_no_class_of_their_own():
    with pytest.raises(DataError, match="nan at example 0, among texts"):
        from_arrays(X, [np.nan, *"ab" * 9, "a"])


def test_named_classes_may_have_one_example_each():
    assert (
        cr.data.from_arrays(np.arange(30.0), np.arange(30), classes=[f"c{k}" for k in range(30)], split=None).train.y[29] == 29
    )
