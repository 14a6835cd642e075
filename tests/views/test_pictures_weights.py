from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import Dataset, Examples
from chainrule.errors import OptionError, ShapeError
from chainrule.train import Run
from chainrule.views.marks import Image, Scale
from chainrule.views.panels import Panel
from chainrule.views.pictures.features.edges import edge_likeness
from chainrule.views.pictures.features.weights import edge_detector, edge_weights, neuron_images
from chainrule.views.view import View

HOSTILE = "<script>$x$\u202e" + "long" * 50


@pytest.fixture(scope="module")
def digits_run() -> Run:
    return cr.fit("784-16-16-10 sigmoid softmax", cr.data.mnist(), epochs=1, optimizer=cr.SGD(0.5))


def scale_of(picture: View) -> Scale:
    """The scale of a view's first image."""
    return next(
        mark.scale for part in picture.panels if isinstance(part, Panel) for mark in part.marks if isinstance(mark, Image)
    )


# ---- the weights of each neuron


def test_each_neurons_weights_are_a_picture_of_the_inputs_shape(digits_run: Run) -> None:
    picture = neuron_images(digits_run)
    assert picture.numbers["images"].shape == (16, 28, 28)
    W = digits_run.model().parameters["dense1.W"]
    assert picture.numbers["images"][3, 5, 9] == W[5 * 28 + 9, 3]
    assert scale_of(picture).high == np.abs(W).max()


def test_one_scale_and_one_labelled_bar_for_all(digits_run: Run) -> None:
    ax = neuron_images(digits_run).plot()
    images = [image for panel in ax.child_axes for image in panel.images]
    assert len(images) == 16
    scale = scale_of(neuron_images(digits_run))
    assert {image.get_clim() for image in images} == {(-scale.high, scale.high)}
    assert [other.get_ylabel() for other in ax.figure.axes if other.get_ylabel()] == ["weight (no unit)"]


def test_of_a_wide_layer_some_neurons_are_shown_and_counted() -> None:
    run = cr.fit("2-200-2", cr.data.moons(60), epochs=0)
    picture = neuron_images(run, shape=(1, 2))
    assert picture.numbers["images"].shape == (64, 1, 2)
    assert "64 of 200 shown" in picture.title
    np.testing.assert_array_equal(picture.numbers["images"][-1, 0], run.model().parameters["dense1.W"][:, 199])


def test_another_layer_with_a_shape_given(digits_run: Run) -> None:
    picture = neuron_images(digits_run, "dense2", (4, 4))
    np.testing.assert_array_equal(picture.numbers["images"][2].reshape(-1), digits_run.model().parameters["dense2.W"][:, 2])


def test_weights_that_are_no_numbers_are_crossed(digits_run: Run) -> None:
    W = digits_run.model().parameters["dense1.W"].copy()
    W[:5, 0] = np.nan
    picture = neuron_images(digits_run.model().with_parameters({"dense1.W": W}))
    assert "a cross marks" in picture.reading
    crosses = picture.plot().child_axes[0].lines[0]
    assert len(crosses.get_xdata()) == 5
    assert scale_of(picture).high == np.nanmax(np.abs(W))


def test_pictures_in_colour_are_drawn_by_their_mean() -> None:
    x = np.random.default_rng(0).integers(0, 255, (10, 4, 5, 3), dtype=np.uint8)
    data = Dataset("colour", Examples(x, np.arange(10) % 2), classes=("a", "b"))
    run = cr.fit("4x5x3-flatten-2", data, epochs=1, batch_size=5)
    picture = neuron_images(run)
    assert picture.numbers["images"].shape == (2, 4, 5, 3)
    np.testing.assert_allclose(picture.plot().child_axes[0].images[0].get_array(), picture.numbers["images"][0].mean(axis=-1))


def test_what_has_no_picture_is_refused(digits_run: Run) -> None:
    with pytest.raises(OptionError, match="did you mean 'dense1'"):
        neuron_images(digits_run, "dens1")
    with pytest.raises(ShapeError, match="16 weights"):
        neuron_images(digits_run, "dense2")
    with pytest.raises(ShapeError, match=r"\(5, 5\)"):
        neuron_images(digits_run, "dense2", (5, 5))


# ---- the edge detector made by hand


@pytest.mark.parametrize("place", [(10, 8, 12, True), (0, 0, 5, False), (25, 3, 20, True), (5, 25, 23, False)])
def test_an_edge_is_positive_on_the_bar_negative_around_it_and_blind_to_even_grey(place: tuple[int, int, int, bool]) -> None:
    row, column, length, horizontal = place
    weights = edge_weights((28, 28), row, column, length, horizontal=horizontal)
    bar = weights[row : row + 3, column : column + length] if horizontal else weights[row : row + length, column : column + 3]
    assert (bar == 1).all()
    assert (weights > 0).sum() == 3 * length
    assert (weights < 0).any()
    assert weights.sum() == pytest.approx(0, abs=1e-12)
    assert (weights == 0).sum() > 300


@pytest.mark.parametrize("place", [(26, 0, 5), (-1, 0, 5), (0, 25, 5), (0, 0, 0)])
def test_a_bar_outside_the_image_is_refused(place: tuple[int, int, int]) -> None:
    with pytest.raises(OptionError, match="a bar of"):
        edge_weights((28, 28), *place)


def test_the_answer_is_the_scalar_product() -> None:
    data, weights = cr.data.mnist(), edge_weights((28, 28), 7, 8, 10)
    found = edge_detector(data, weights, bias=-2.0)
    assert data.test is not None
    expected = [float((weights.reshape(-1) * (x / 255.0)).sum()) - 2.0 for x in data.test.x[:20]]
    np.testing.assert_allclose(found.numbers["z"][:20], expected, rtol=1e-12)
    np.testing.assert_array_equal(found.numbers["labels"], data.test.y)
    assert found.numbers["means"][3] == pytest.approx(found.numbers["z"][data.test.y == 3].mean())
    assert (np.diff(found.numbers["z"][found.numbers["best"]]) <= 0).all()
    assert found.numbers["z"][found.numbers["best"][0]] == found.numbers["z"].max()


def test_digits_with_a_bar_there_answer_more_than_others() -> None:
    data = cr.data.mnist()
    top = edge_detector(data, edge_weights((28, 28), 7, 8, 10))
    upright = edge_detector(data, edge_weights((28, 28), 6, 13, 14, horizontal=False))
    assert top.title.endswith("class 7 answers most")
    assert upright.title.endswith("class 1 answers most")
    assert upright.numbers["means"][1] > 3 * np.sort(upright.numbers["means"])[-2]
    assert upright.numbers["means"][0] < 0  # the hole of the nought lies there


def test_the_picture_has_all_three_parts() -> None:
    picture = edge_detector(cr.data.mnist(), edge_weights((28, 28), 7, 8, 10))
    left, middle, right = (ax for ax in picture.plot().figure.axes[2:] if ax.get_label() != "<colorbar>")
    assert (left.get_xlabel(), left.get_ylabel()) == ("column (pixels)", "row (pixels)")
    assert middle.get_xlabel() == "answer z = w·x + b (no unit)"
    assert len(right.child_axes) == 8
    assert picture.numbers["images"].shape == (8, 28, 28)


def test_hostile_classes_one_without_examples_and_numbers_that_are_none() -> None:
    x = np.random.default_rng(0).integers(0, 255, (12, 6, 6), dtype=np.uint8)
    data = Dataset("h", Examples(x, np.arange(12) % 2), classes=(HOSTILE, "b", "empty"))
    weights = edge_weights((6, 6), 2, 1, 3, thickness=1)
    found = edge_detector(data, weights, part="training")
    assert np.isnan(found.numbers["means"][2])
    assert "<script" in found.svg() or "&lt;script" in found.svg()
    assert "<script" not in found.svg()
    lost = edge_detector(data, weights * np.nan, part="training")
    assert "no answers that are numbers" in lost.title
    assert lost.svg()


def test_a_part_or_a_size_that_is_not_there() -> None:
    weights = edge_weights((28, 28), 7, 8, 10)
    with pytest.raises(OptionError, match="validation"):
        edge_detector(cr.data.mnist(), weights, part="validation")
    with pytest.raises(ShapeError, match=r"\(2,\)"):
        edge_detector(cr.data.moons(60), weights)


# ---- does any neuron look for an edge?


def test_an_edge_is_found_and_noise_is_not(digits_run: Run) -> None:
    W = np.random.default_rng(0).normal(size=(784, 16))
    W[:, 4] = 5 * edge_weights((28, 28), 9, 6, 9).reshape(-1)
    found = edge_likeness(digits_run.model().with_parameters({"dense1.W": W}))
    assert found.numbers["likeness"][4] == pytest.approx(1)
    assert np.delete(found.numbers["likeness"], 4).max() < 0.3
    np.testing.assert_allclose(
        found.numbers["best"][4] / found.numbers["best"][4].max(), edge_weights((28, 28), 9, 6, 9), atol=1e-12
    )
    assert "neuron 4 is most like an edge" in found.title


def test_trained_neurons_have_patterns_but_are_no_edges(digits_run: Run) -> None:
    found = edge_likeness(digits_run)
    assert (found.numbers["likeness"] > found.numbers["shuffled"]).all()
    assert found.numbers["likeness"].max() < 0.8
    assert found.plot().get_ylabel() == "likeness to an edge (cosine)"


def test_no_edges_where_there_are_no_weights_or_no_room(digits_run: Run) -> None:
    lost = edge_likeness(digits_run.model().with_parameters({"dense1.W": np.zeros((784, 16))}))
    assert lost.title.startswith("No neuron")
    with pytest.raises(ShapeError, match="8 by 8"):
        edge_likeness(digits_run, "dense2", (4, 4))
