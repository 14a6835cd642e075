"""Generalisation: each example's science on a small version, and that its verdict follows from the numbers, either way."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.examples import batch_sizes, depth_and_width, learning_curve, loss_surfaces, memorization, wrong_labels
from chainrule.examples.few_digits import few_digits
from chainrule.train.replicated import Comparison, Measured, PowerLaw, compare


def outcome_of(module, **small):
    runs = {name: training.fit() for name, training in module.trainings(0, **small).items()}
    return runs, module.conclude(runs, 0)


def fact(outcome, name):
    return next(found for found in outcome.facts if found.name == name)


def significantly(found, least):
    return found.value - 3 * (found.error or 0.0) > least


LARGER, SMALLER = Comparison(2.0, 0.1, 7), Comparison(-2.0, 0.1, 7)
ALIKE = Comparison(0.05, 0.1, 7)


# ---- random labels


@pytest.fixture(scope="module")
def memorized():
    return outcome_of(memorization, draws=3, count=100, width=64, epochs=200)


def test_random_labels_are_fitted_more_slowly_and_are_of_no_use(memorized):
    runs, outcome = memorized
    assert fact(outcome, "training accuracy, random labels").value > 0.99
    assert significantly(fact(outcome, "random over true"), 1.0)
    assert fact(outcome, "test accuracy, random labels").agrees
    assert fact(outcome, "test accuracy, true labels").value > 0.6
    assert "learned by heart too" in outcome.verdict
    by_hand = [run.history.curve("training", "accuracy")[1] for name, run in runs.items() if name.startswith("true")]
    updates = [np.mean([np.flatnonzero(column >= 0.99)[0] + 1 for column in curve.T]) * 4 for curve in by_hand]
    assert fact(outcome, "updates to fit true labels").value == pytest.approx(np.mean(updates))


def test_examples_are_easy_for_all_replicas_with_true_labels_more_than_with_random_ones(memorized):
    _, outcome = memorized
    assert significantly(fact(outcome, "rank correlation of the order, true labels"), 0.2)
    assert fact(outcome, "agreement after an epoch, random labels").value < 0.2
    shown = next(array for name, array in outcome.pictures[1].numbers.items() if name.endswith(".shares"))
    # Sorted: the upper half of the map is right earlier than the lower.
    assert shown[:50].mean() > shown[50:].mean() + 0.2


@pytest.mark.parametrize(
    ("longer", "said"),
    [(LARGER, "4.0 ± 0.2 times as many"), (SMALLER, "only 4.00"), (ALIKE, "cannot be told from that of true")],
)
def test_the_verdict_on_memorization_follows_the_numbers(longer, said):
    words = memorization.verdict_of(Measured(0.9999, 0.0001, 8), longer, (4.0, 0.2), Measured(0.1, 0.01, 8), ALIKE, SMALLER)
    assert said in words
    assert "no more with one kind" in words
    assert "shared less with true" in words
    never = memorization.verdict_of(Measured(0.8, 0.01, 8), longer, (4.0, 0.2), Measured(0.2, 0.01, 8), ALIKE, ALIKE)
    assert "are not all learned by heart" in never
    assert "is not that of guessing" in never


# ---- wrong labels


def test_planted_wrong_labels_are_found_far_above_chance():
    runs, outcome = outcome_of(wrong_labels, draws=4, count=300, epochs=60)
    assert significantly(fact(outcome, "AUC, mean loss along the training"), 0.7)
    assert significantly(fact(outcome, "wrong among the first 30"), 0.4)
    found = wrong_labels.search(runs["draw 1"], wrong_labels.planted(0, 0, 300))
    assert found.wrong.sum() == 30
    assert outcome.verdict.startswith("Wrong labels are learned last")
    sheet = outcome.pictures[1].numbers
    assert np.array_equal(sheet["given"], runs["draw 1"].data.train.y[sheet["indices"]])
    assert (sheet["truth"] != sheet["given"]).mean() > 0.5


def test_where_nothing_is_found_it_is_said():
    words = wrong_labels.verdict_of(Measured(0.51, 0.02, 8), Measured(0.1, 0.01, 8), Measured(0.1, 0.01, 8), {})
    assert "does not find wrong labels" in words


# ---- spread against width


def test_wide_networks_end_more_alike():
    _, outcome = outcome_of(loss_surfaces, widths=(4, 16, 64), replicas=16, count=300, epochs=20)
    narrow, wide = (fact(outcome, f"spread of the test loss, width {width}") for width in (4, 64))
    assert narrow.value > 2 * wide.value
    assert fact(outcome, "mean distance from the median, width 64 less width 4").agrees
    assert "more alike" in outcome.verdict
    losses = outcome.pictures[0].numbers["losses"]
    assert losses.shape == (3, 16)
    assert narrow.value == pytest.approx(losses[0].std(ddof=1))


def test_the_verdict_on_spread_follows_the_numbers():
    straight, bent = PowerLaw(-1.0, 0.1, 1.0, 3.0, 4), PowerLaw(-1.0, 0.1, 1.0, 30.0, 4)
    assert "more alike" in loss_surfaces.verdict_of(SMALLER, SMALLER, straight, SMALLER)
    assert "scatter less than those of narrow ones cannot be told" in loss_surfaces.verdict_of(ALIKE, ALIKE, straight, ALIKE)
    assert "less alike" in loss_surfaces.verdict_of(LARGER, ALIKE, straight, LARGER)
    assert "goes as width^(−1.00 ± 0.10)" in loss_surfaces.verdict_of(SMALLER, SMALLER, straight, SMALLER)
    assert "no one power law" in loss_surfaces.verdict_of(SMALLER, SMALLER, bent, SMALLER)


# ---- batches


def test_at_equal_epochs_the_full_batch_is_undertrained_and_at_equal_updates_it_is_not():
    runs, outcome = outcome_of(batch_sizes, draws=4, count=256, epochs=30)
    assert {run.trainer.step for name, run in runs.items() if name.startswith(batch_sizes.UPDATES)} == {30 * 8}
    assert {run.trainer.step for name, run in runs.items() if name.startswith(batch_sizes.SMALL)} == {30 * 8}
    assert significantly(fact(outcome, f"test error, {batch_sizes.EPOCHS}, less {batch_sizes.SMALL}"), 5.0)
    assert significantly(fact(outcome, f"training error, {batch_sizes.EPOCHS}, less {batch_sizes.SMALL}"), 5.0)
    assert abs(fact(outcome, f"test error, {batch_sizes.UPDATES}, less {batch_sizes.SMALL}").value) < 2.0


def test_the_verdict_on_batches_follows_the_differences():
    arms = (batch_sizes.EPOCHS, batch_sizes.UPDATES, batch_sizes.FAST)

    def said(*found):
        return batch_sizes.verdict_of(dict(zip(arms, found, strict=True)), dict.fromkeys(arms, LARGER))

    assert "comes with their many updates" in said(LARGER, ALIKE, ALIKE)
    assert "even after as many updates" in said(LARGER, LARGER, ALIKE)
    assert "is not seen here" in said(ALIKE, ALIKE, ALIKE)
    assert "would have been seen" in said(ALIKE, ALIKE, ALIKE)


# ---- depth and width


def test_wider_networks_make_fewer_errors_than_the_lectures():
    data = few_digits(3000, 5000)
    runs, outcome = outcome_of(depth_and_width, depths=(1, 2), widths=(8, 16, 64), replicas=6, epochs=8, data=data)
    found = fact(outcome, "test error, 2 × 64, less 2 × 16")
    assert found.value + 3 * found.error < 0
    errors = {name: 100 * (1 - run.evaluate().scores.values["accuracy"]) for name, run in runs.items()}
    other = compare(errors["1 × 8"], errors["2 × 16"], among=5)
    assert outcome.pictures[0].numbers["signs"][0, 0] == depth_and_width.SIGNS[other.verdict]
    assert outcome.pictures[1].numbers["parameters"][1, 1] == 196 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10


def test_the_verdict_on_depth_and_width_follows_the_comparisons():
    lecture = Measured(5.0, 0.1, 8)
    assert "nothing singles it out" in depth_and_width.verdict_of("2 × 16", lecture, {"1 × 8": LARGER, "1 × 16": ALIKE})
    words = depth_and_width.verdict_of("2 × 16", lecture, {"1 × 8": LARGER, "1 × 16": LARGER})
    assert "no other network tried is as good" in words
    assert "1 × 8 and 1 × 16 make more" in words


# ---- the number of examples


def test_the_error_falls_with_the_number_of_examples():
    _, outcome = outcome_of(learning_curve, counts=(50, 200, 800, 3200), draws=3, updates=800)
    exponent = fact(outcome, "exponent")
    # Every lecture's and paper's learning curve of digits lies between these.
    assert exponent.value + 2 * exponent.error < -0.1
    assert exponent.value - 2 * exponent.error > -1.0
    shown = outcome.pictures[0].numbers
    np.testing.assert_allclose(shown["y"], shown["measurements"].mean(axis=1))
    assert np.all(np.diff(shown["y"]) < 0)


def test_the_verdict_on_the_number_of_examples_follows_the_law():
    falls, bent, flat = (
        PowerLaw(-0.5, 0.01, 1.0, 4.0, 4),
        PowerLaw(-0.5, 0.05, 1.0, 60.0, 4),
        PowerLaw(0.001, 0.01, 1.0, 4.0, 4),
    )
    assert "leave 0.316" in learning_curve.verdict_of(falls, SMALLER, (0.0, 0.1))
    assert "One power law describes all" in learning_curve.verdict_of(falls, SMALLER, (0.0, 0.1))
    assert "flattens" in learning_curve.verdict_of(bent, ALIKE, (0.2, 0.02))
    assert "steepens" in learning_curve.verdict_of(bent, LARGER, (-0.2, 0.02))
    assert "cannot be told" in learning_curve.verdict_of(flat, ALIKE, (0.0, 0.1))
