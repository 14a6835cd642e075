"""Pictures of convolutions: each layer's channels for one example, and the filters, against numbers found by other means."""

import numpy as np
import pytest
from scipy.signal import correlate2d

import chainrule as cr
from chainrule.errors import OptionError, ShapeError
from chainrule.views import pictures
from chainrule.views.pictures.features.maps import channels_of, feature_maps, kernels


@pytest.fixture(scope="module")
def run():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(40, 9, 8)), random.integers(0, 2, 40)
    data = cr.data.Dataset("noise", cr.data.Examples(x, y), classes=("even", "odd"))
    return cr.fit("9x8-9x8x1-conv3x3x20-pool2-conv2x1x3:tanh-flatten-2", data, epochs=1, batch_size=10)


@pytest.fixture(scope="module")
def row():
    examples = cr.data.Examples(np.random.default_rng(1).normal(size=(20, 6, 2)), np.arange(20) % 2)
    data = cr.data.Dataset("rows", examples, classes=("a", "b"))
    return cr.fit("6x2-conv3x4:same-globalpool-2", data, epochs=1, batch_size=10)


def test_channels_are_what_the_filters_give(run):
    example = run.data.train.x[3]
    found = feature_maps(run, example).numbers
    assert {name: maps.shape for name, maps in found.items()} == {
        "input": (1, 9, 8), "conv1.a": (16, 7, 6), "max_pool1.a": (16, 3, 3), "conv2.a": (3, 2, 3),
    }  # fmt: skip
    parameters = run.model().parameters
    shown = channels_of(run, example)[1].shown
    for place, maps in zip(shown.tolist(), found["conv1.a"], strict=True):
        z = correlate2d(example, parameters["conv1.W"][:, :, 0, place], "valid") + parameters["conv1.b"][place]
        np.testing.assert_allclose(maps, np.maximum(z, 0), rtol=0, atol=1e-12)
    assert "16 shown" in channels_of(run, example)[1].words


def test_kernels_are_the_weights(run):
    parameters, first, second = run.model().parameters, kernels(run), kernels(run, "conv2")
    assert np.array_equal(first.numbers["weights"], parameters["conv1.W"][..., first.numbers["filters"]])
    assert np.array_equal(second.numbers["weights"], parameters["conv2.W"][:, :, second.numbers["channels"]])
    assert (len(first.numbers["filters"]), first.title) == (16, "20 filters of conv1, 3 × 3")
    (panel,) = second.panels
    assert panel.marks[0].scale.high == np.abs(second.numbers["weights"]).max()
    assert second.title == "3 filters of conv2, 2 × 1"


def test_rows_have_channels_too(row):
    found = feature_maps(row, row.data.train.x[0]).numbers
    assert found["conv1.a"].shape == (4, 1, 6)
    assert kernels(row).numbers["weights"].shape == (1, 3, 2, 4)


def test_they_can_be_drawn(run, row):
    for picture in (
        feature_maps(run, run.data.train.x[0]),
        kernels(run),
        kernels(run, "conv2"),
        kernels(row),
        feature_maps(row, row.data.train.x[0]),
    ):
        assert "<svg" in picture.svg()
        assert picture.title
        assert picture.reading.endswith(".")


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda run: kernels(run, "cnov1"), OptionError, "did you mean 'conv1'"),
        (lambda run: kernels(run, "dense1"), OptionError, "conv1, conv2"),
        (lambda run: feature_maps(run, np.zeros((3, 3))), ShapeError, "one example of shape"),
    ],
)
def test_what_cannot_be_shown_is_said(ask, error, words, run):
    with pytest.raises(error, match=words):
        ask(run)
    dense = cr.fit("2-3-2", cr.data.moons(20), epochs=1, batch_size=10)
    for make in (lambda: pictures.feature_maps(dense, dense.data.train.x[0]), lambda: pictures.kernels(dense)):
        with pytest.raises(OptionError, match="convolution"):
            make()
