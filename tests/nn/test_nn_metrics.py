"""Metrics against scikit-learn, their uncertainties, and what they refuse."""

import math

import numpy as np
import pytest
import sklearn.metrics as judge

from chainrule.errors import DataError, DtypeError, OptionError, ShapeError
from chainrule.nn import (
    Accuracy,
    ConfusionMatrix,
    accuracy,
    confusion_matrix,
    mean_absolute_error,
    mean_squared_error,
    predicted_labels,
    r_squared,
    top_k_accuracy,
)

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 4, 200)
PREDICTED = np.where(RANDOM.uniform(size=200) < 0.7, LABELS, RANDOM.integers(0, 4, 200))
SCORES = RANDOM.normal(size=(200, 4)) + np.eye(4)[LABELS]


# ---- accuracy


def test_accuracy_as_in_the_lecture():
    found = accuracy([1] * 20, [1] * 17 + [0] * 3)
    assert found == Accuracy(17, 20)
    assert found.value == 0.85
    assert found.error == pytest.approx(math.sqrt(0.85 * 0.15 / 20), rel=1e-15)
    assert str(found) == "17/20 = 0.850 ± 0.080"
    assert str(Accuracy(9440, 10_000)) == "9440/10000 = 0.9440 ± 0.0023"
    assert str(Accuracy(0, 5000)) == "0/5000 = 0.00000 (0.00000 ... 0.00020)"


def test_accuracy_against_scikit_learn():
    assert accuracy(LABELS, PREDICTED).value == pytest.approx(judge.accuracy_score(LABELS, PREDICTED), rel=1e-15)


def test_wilson_interval():
    # Wilson's formula, solved: the p for which |p − correct/total| = z·√(p(1 − p)/total).
    for correct, total, z in ((17, 20, 1.0), (0, 20, 1.96), (20, 20, 1.0), (1, 3, 2.0)):
        share = correct / total
        for p in Accuracy(correct, total).interval(z):
            assert abs(p - share) == pytest.approx(z * math.sqrt(p * (1 - p) / total), abs=1e-14)
    low, high = Accuracy(20, 20).interval()
    assert (low, high) == (pytest.approx(20 / 21), 1.0)
    assert Accuracy(0, 5).interval()[0] == 0.0


def test_interval_covers_as_often_as_it_says():
    hits = np.random.default_rng(1).binomial(50, 0.9, 20_000)
    inside = [low <= 0.9 <= high for low, high in (Accuracy(int(k), 50).interval(1.96) for k in hits)]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


def test_top_k():
    assert top_k_accuracy(LABELS, SCORES, 4).value == 1.0
    for k in (1, 2, 3):
        expected = judge.top_k_accuracy_score(LABELS, SCORES, k=k)
        assert top_k_accuracy(LABELS, SCORES, k).value == pytest.approx(expected, rel=1e-15)
    assert top_k_accuracy(LABELS, SCORES, 1) == accuracy(LABELS, predicted_labels(SCORES))


def test_ties_go_to_the_first_class_in_both():
    level = np.ones((4, 4))
    assert top_k_accuracy(np.arange(4), level, 2).correct == 2
    assert top_k_accuracy(np.arange(4), level, 1) == accuracy(np.arange(4), predicted_labels(level))


# ---- labels of outputs


def test_predicted_labels():
    assert np.array_equal(predicted_labels(SCORES), SCORES.argmax(axis=1))
    assert predicted_labels([[0.48, 0.01, 0.51]]).tolist() == [2]
    assert predicted_labels([[0.4], [0.5], [0.6]], threshold=0.5).tolist() == [0, 0, 1]
    assert predicted_labels([[-1.0], [0.1]], threshold=0).tolist() == [0, 1]
    assert predicted_labels(np.ones((2, 2), "float32")).dtype == "int64"


def test_one_column_needs_its_threshold():
    with pytest.raises(OptionError, match=r"threshold=0\.5 for probabilities"):
        predicted_labels([[0.4]])
    with pytest.raises(OptionError, match="none for several"):
        predicted_labels([[0.4, 0.6]], threshold=0.5)
    for shape in ((3,), (3, 0), (2, 2, 2), ()):
        with pytest.raises((ShapeError, DataError)):
            predicted_labels(np.ones(shape))
    with pytest.raises(DataError, match="nan"):
        predicted_labels([[0.1, math.nan]])


# ---- confusion


def test_confusion_matrix_against_scikit_learn():
    found = confusion_matrix(LABELS, PREDICTED, 4)
    assert np.array_equal(found.counts, judge.confusion_matrix(LABELS, PREDICTED))
    assert found.accuracy == accuracy(LABELS, PREDICTED)
    ratios = judge.precision_recall_fscore_support(LABELS, PREDICTED)
    for ours, theirs in zip((found.precision, found.recall, found.f1), ratios[:3], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)
    means = judge.precision_recall_fscore_support(LABELS, PREDICTED, average="macro")
    np.testing.assert_allclose((found.macro_precision, found.macro_recall, found.macro_f1), means[:3], rtol=1e-14)


def test_undefined_ratios_are_nan():
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 2])
    found = confusion_matrix(labels, predicted, 4)
    options = {"labels": range(4), "zero_division": np.nan}
    np.testing.assert_allclose(found.precision, judge.precision_score(labels, predicted, average=None, **options))
    np.testing.assert_allclose(found.recall, judge.recall_score(labels, predicted, average=None, **options))
    np.testing.assert_allclose(found.f1, judge.f1_score(labels, predicted, average=None, **options))
    assert np.isnan(found.precision[1])
    assert np.isnan(found.recall[[2, 3]]).all()
    assert np.isnan(found.f1[3])
    assert found.macro_recall == 0.5
    assert found.macro_f1 == pytest.approx(judge.f1_score(labels, predicted, average="macro", **options))
    assert math.isnan(ConfusionMatrix(np.zeros((1, 1)), ("a",)).macro_recall)


def test_confusion_matrix_is_indexed_true_then_predicted():
    found = confusion_matrix(true=[0], predicted=[1], classes=("cat", "dog"))
    assert found.counts.tolist() == [[0, 1], [0, 0]]
    assert found.classes == ("cat", "dog")
    assert "cat" in str(found)
    assert "nan" in str(found)
    with pytest.raises(ValueError, match="read-only"):
        found.counts[0, 0] = 3
    with pytest.raises(ShapeError):
        ConfusionMatrix(np.zeros((2, 3)), ("a", "b"))
    with pytest.raises(OptionError, match="classes"):
        confusion_matrix([0], [0], [])


# ---- regression


@pytest.mark.parametrize("shape", [(30,), (30, 1), (30, 3)])
def test_regression_against_scikit_learn(shape):
    target = RANDOM.normal(size=shape)
    predicted = target + 0.3 * RANDOM.normal(size=shape)
    assert mean_squared_error(target, predicted) == pytest.approx(judge.mean_squared_error(target, predicted), rel=1e-14)
    assert mean_absolute_error(target, predicted) == pytest.approx(judge.mean_absolute_error(target, predicted), rel=1e-14)
    assert r_squared(target, predicted) == pytest.approx(judge.r2_score(target, predicted), rel=1e-13)
    for weights in (RANDOM.uniform(0.1, 3.0, len(target)), np.arange(len(target)) % 3):
        by = {"sample_weight": weights}
        ours = mean_absolute_error(target, predicted, weights), r_squared(target, predicted, weights=weights)
        assert ours[0] == pytest.approx(judge.mean_absolute_error(target, predicted, **by), rel=1e-13)
        assert ours[1] == pytest.approx(judge.r2_score(target, predicted, **by), rel=1e-13)
        whole = judge.r2_score(target, predicted, multioutput="variance_weighted", **by)
        assert r_squared(target, predicted, "variance_weighted", weights) == pytest.approx(whole, rel=1e-13)
    for wrong in (np.ones(29), np.full(30, -1.0), np.zeros(30)):
        with pytest.raises((ShapeError, DataError), match="weights"):
            r_squared(target, predicted, weights=wrong)


def test_r_squared_marks():
    target = np.array([1.0, 2.0, 6.0])
    assert r_squared(target, target) == 1.0
    assert r_squared(target, np.full(3, 3.0)) == 0.0
    assert r_squared(target, -target) < 0
    assert math.isnan(r_squared(np.full(3, 0.1), [1.0, 2.0, 3.0]))
    assert math.isnan(r_squared(np.full(7, 0.1), np.full(7, 0.1)))
    # What is constant has no spread to be explained: it says nothing of the others.
    assert r_squared(np.array([[1.0, 5], [2, 5]]), np.array([[1.0, 2], [2, 3]])) == 1.0


def test_small_whole_numbers_do_not_wrap():
    assert mean_squared_error(np.array([250], "uint8"), np.array([0], "uint8")) == 62500.0
    assert mean_absolute_error(np.array([0], "uint8"), np.array([1], "uint8")) == 1.0


@pytest.mark.parametrize("metric", [mean_squared_error, mean_absolute_error, r_squared])
def test_nothing_is_broadcast(metric):
    for predicted, target in ((np.ones((3, 1)), np.ones(3)), (np.ones(3), np.ones(1)), (np.ones((2, 3)), np.ones((3, 2)))):
        with pytest.raises(ShapeError, match="nothing is broadcast") as caught:
            metric(predicted, target)
        assert str(predicted.shape) in str(caught.value)
        assert str(target.shape) in str(caught.value)
    with pytest.raises(DataError, match="empty"):
        metric([], [])
    with pytest.raises(DtypeError, match="numbers"):
        metric(["a"], ["b"])
    with pytest.raises(ShapeError):
        metric(1.0, 1.0)


# ---- refusals


@pytest.mark.parametrize("metric", [accuracy, lambda true, predicted: confusion_matrix(true, predicted, 3)])
def test_labels_are_whole_numbers_in_one_row(metric):
    with pytest.raises(ShapeError, match="different shapes"):
        metric([0, 1], [0])
    with pytest.raises(ShapeError, match="argmax"):
        metric([[0], [1]], [0, 1])
    with pytest.raises(DtypeError, match="predicted_labels"):
        metric([0.5, 0.5], [0, 1])
    with pytest.raises(DataError, match="empty"):
        metric([], [])


def test_labels_out_of_range():
    for wrong in (-1, 3):
        with pytest.raises(DataError, match=f"holds {wrong}"):
            confusion_matrix([wrong], [0], 3)
        with pytest.raises(DataError, match=f"holds {wrong}"):
            top_k_accuracy([wrong], [[0.1, 0.2, 0.7]], 1)
    for k in (0, 4, 1.5, True):
        with pytest.raises(OptionError, match="k="):
            top_k_accuracy([0], [[0.1, 0.2, 0.7]], k)
    with pytest.raises(ShapeError, match="one row of scores"):
        top_k_accuracy([0, 1], [[0.1, 0.2, 0.7]], 1)
    with pytest.raises(DataError, match="nan"):
        top_k_accuracy([0], [[math.nan, 0.2]], 1)


def test_counts_that_make_no_sense():
    for correct, total in ((3, 2), (-1, 2), (0, 0)):
        with pytest.raises(OptionError, match=r"correct|total"):
            Accuracy(correct, total)
