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


@pytest.mark.parametrize("kind", ["numbers", "classes"])
def test_a_twin_of_the_target_is_one_in_all_rows(kind):
    order = np.random.default_rng(0).permutation(600)
    target = order * 1.5 if kind == "numbers" else np.array(["a", "b", "c"])[order % 3]
    same = target if kind == "numbers" else order % 3
    late, gap = same.astype(float), same.astype(float)
    late[599], gap[599] = late[0] if late[0] != late[599] else late[1], np.nan
    data = from_dataframe({"same": same, "late": late, "gap": gap, "y": target}, target="y", missing="mean")
    assert [note for note in data.notes if "tells" in note] == [
        "column 'same' tells the target exactly: leave it out if it is the target in other words"
    ]


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


def test_arrays_that_are_read_backwards_are_trained_on_and_predicted_from():
    x = np.column_stack([X, Y])[::-1]
    run = cr.fit("2-1", from_arrays(x, Y[::-1], split=None), epochs=1)
    forwards = cr.fit("2-1", from_arrays(x.copy(), Y[::-1].copy(), split=None), epochs=1)
    assert run.hash == forwards.hash
    np.testing.assert_array_equal(run.predict(x[:1]), run.predict(x.copy()[:1]))
    np.testing.assert_array_equal(run.predictor()(x[:1]), run.predict(x[:1]))


@pytest.mark.parametrize(("x", "y"), [(np.zeros((20, 0)), Y), (X, np.zeros((20, 0)))])
def test_examples_without_a_number_are_refused(x, y):
    with pytest.raises(DataError, match="no number to an example"):
        from_arrays(x, y)


@pytest.mark.parametrize(
    ("loss", "beside", "said"),
    [
        ("chi_squared", np.zeros(20), "the error 0 at example 0 of the training part"),
        ("chi_squared", np.where(Y > 0, 1.0, -1.0), "the error −1 at example"),
        (cr.Weighted(cr.SquaredError()), -np.ones(20), "the weight −1 at example 0"),
        (cr.Weighted(cr.SquaredError()), None, r"(?s)without weights.*np.column_stack\(\[y, weights\]\)"),
    ],
)
def test_errors_and_weights_behind_targets_are_held_to_what_they_mean(loss, beside, said):
    targets = Y[:, None] if beside is None else np.column_stack([Y, beside])
    with pytest.raises(cr.errors.ChainruleError, match=said):
        cr.fit("1-1", from_arrays(X, targets, split=None), loss=loss, epochs=1)
