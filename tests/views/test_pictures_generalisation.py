"""Pictures of generalisation: their numbers against ones computed here by other means, and that each can be drawn."""

import numpy as np
import pytest

from chainrule.errors import OptionError
from chainrule.train import PredictionHistory
from chainrule.views.pictures import (
    AgainstParameters,
    AgainstUpdates,
    Contrasts,
    LossesAgainstWidth,
    PowerLawPicture,
    SuspectSheet,
    Sweep,
    curve_over,
    found_among_first,
    learning_map,
)


def answers(right, at):
    """Answers of (m, replicas, n) rights and wrongs."""
    right = np.array(right, bool)
    return PredictionHistory(np.array(at), np.ones(right.shape[2], int), right.astype(int), np.where(right, 0.9, 0.1))


def drawn(picture):
    """The picture's axes, drawn: each visible pair labelled, all numbers plain text."""
    figure = picture.figure()
    figure.canvas.draw()
    shown = [ax for ax in figure.axes if ax.axison and (ax.lines or ax.collections or ax.patches)]
    for ax in shown:
        assert ax.get_ylabel() or ax.get_yticklabels() or ax.get_label() == "<colorbar>"
        for label in (*ax.get_xticklabels(), *ax.get_yticklabels()):
            assert "$" not in label.get_text()
    assert picture.title
    assert picture.reading.endswith(".")
    return shown


def law(x, measurements=None):
    return PowerLawPicture(
        "A law", x, 2 * x**-0.5, 0.1 * x**-0.5, measurements, -0.5, 2.0, "∝ x^(−0.50 ± 0.02)", "x (things)", "y (units)"
    )


def test_the_map_is_sorted_by_when_examples_are_learned_and_begins_after_the_first_update():
    right = np.zeros((4, 2, 3))
    right[3:, :, 0] = 1  # example 0 last, 1 first, 2 never
    right[1:, :, 1] = 1
    shown = learning_map({"a": answers(right, [0, 1, 10, 100])})
    assert shown.at[0].tolist() == [1, 10, 100]
    np.testing.assert_array_equal(shown.shares[0], [[1, 1, 1], [0, 0, 1], [0, 0, 0]])
    (panel, *_) = drawn(shown)
    assert panel.get_xscale() == "log"
    with pytest.raises(OptionError, match="too few"):
        learning_map({})
    with pytest.raises(OptionError, match="too few"):
        learning_map({"a": answers(right[:2], [0, 1])})


def test_a_map_of_many_examples_has_means_of_neighbours():
    random = np.random.default_rng(0)
    shown = learning_map({"a": answers(random.random((3, 2, 1000)) < 0.5, [1, 2, 3]), "b": answers(np.ones((2, 1, 5)), [5, 9])})
    drawn(shown)
    assert shown.arrays()["a.shares"].shape == (1000, 3)


def test_curves_against_updates_have_a_column_to_each_training():
    curve = curve_over("one", np.array([1, 10]), [np.array([0.1, 0.5]), np.array([0.3, 0.7])])
    np.testing.assert_allclose(curve.mean, [0.2, 0.6])
    picture = AgainstUpdates("Learned", "accuracy", (curve,), 0.1)
    (ax,) = drawn(picture)
    assert (ax.get_xscale(), ax.get_xlim()) == ("log", (1, 10))
    assert set(picture.arrays()) == {"one.at", "one.values"}


def test_the_share_found_among_the_first_is_counted():
    random = np.random.default_rng(1)
    suspicion, wrong = random.random((3, 50)), random.random((3, 50)) < 0.2
    shown = found_among_first({"way": suspicion, "other": -suspicion}, wrong)
    for training in range(3):
        order = sorted(range(50), key=lambda place: -suspicion[training, place])
        for k in (1, 7, 50):
            assert shown.shares[0][training, k - 1] == pytest.approx(np.mean([wrong[training, place] for place in order[:k]]))
    assert shown.wrong == pytest.approx(wrong.mean())
    drawn(shown)
    with pytest.raises(OptionError):
        found_among_first({}, wrong)


@pytest.mark.parametrize("inputs", [np.zeros((3, 196), np.uint8), np.zeros((3, 2))])
@pytest.mark.parametrize("truth", [None, np.array([0, 1, 1])])
def test_suspects_are_shown_as_images_or_in_a_table(inputs, truth):
    three = np.arange(3)
    sheet = SuspectSheet(inputs, three, np.array([0, 0, 1]), three % 2, three / 3, "loss", ("<b>", "$x$"), truth=truth)
    text = sheet.svg()
    assert "&lt;b&gt; → $x$" in text
    assert ("(planted)" in text) is (truth is not None)
    assert ("in brackets" in sheet.reading) is (truth is not None)


def test_a_law_is_drawn_through_its_points():
    x = np.array([8.0, 16, 32])
    (ax,) = drawn(law(x, np.ones((3, 4))))
    line = next(line for line in ax.lines if line.get_linestyle() == "--")
    np.testing.assert_allclose(line.get_ydata(), 2 * line.get_xdata() ** -0.5)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["8", "16", "32"]
    left, right = drawn(LossesAgainstWidth(x, np.random.default_rng(0).random((3, 16)) + 0.1, "test", law(x)))
    assert len(left.lines[0].get_xdata()) == 48
    assert right.get_ylabel() == "y (units)"


def test_contrasts_show_small_and_large_differences_side_by_side():
    scores = (np.array([10.0, 11.0, 12.0]), np.array([40.0, 45.0, 39.0]), np.array([10.2, 10.9, 12.1]))
    differences = tuple(row - scores[0] for row in scores[1:])
    picture = Contrasts(
        "Contrasts", "error (%)", ("a", "b", "c"), scores, ("b less a", "c less a"), differences, np.array([5.0, 0.3])
    )
    _, right = drawn(picture)
    assert right.get_xscale() == "symlog"
    low, high = right.get_xlim()
    assert low < -1
    assert high > 34
    assert set(picture.arrays()) == {"a", "b", "c", "b less a", "c less a", "reach"}


def test_a_sweep_writes_every_mean_with_its_error_and_sign():
    means, errors, signs = np.array([[8.0, 3.0]]), np.array([[0.25, 0.125]]), np.array([["▲", "▼"]])
    sweep = Sweep("Sweep", "error (%)", "layers", "neurons", ("1",), ("8", "64"), means, errors, signs, "2 × 16")
    ax = sweep.plot()
    assert [text.get_text() for text in ax.texts] == ["8.00 ± 0.25\n▲", "3.00 ± 0.12\n▼"]
    drawn(sweep)


def test_errors_against_parameters_have_a_line_to_each_depth():
    grid = np.array([[100.0, 1000.0], [150.0, 2000.0]])
    (ax,) = drawn(AgainstParameters("error (%)", ("1 layer", "2 layers"), grid, grid / 100, grid / 1000))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["1 layer", "2 layers"]
