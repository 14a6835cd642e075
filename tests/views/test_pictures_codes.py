"""Pictures of codes: their numbers are those of the network, and each can be drawn with labelled axes."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import pictures
from chainrule.data import Dataset, Examples, landscape, pixels, reconstruction
from chainrule.errors import OptionError
from chainrule.views.pictures.applications.codes import as_images
from chainrule.views.pictures.mosaics import mosaic

IMAGES = np.random.default_rng(0).random((60, 16))
LABELS = np.arange(60) % 3


def autoencoder(size):
    net = cr.Sequential(cr.Dense(8, "tanh"), cr.Dense(size, name="code"), cr.Dense(16, "sigmoid"))
    data = Dataset("images", Examples(IMAGES, LABELS), classes=("a", "b", "c"), scaling=cr.data.Scaling(0.0, 0.5))
    return cr.fit(net, reconstruction(data), epochs=3).model()


@pytest.fixture(scope="module")
def model():
    return autoencoder(2)


def labelled(picture):
    ax = picture.plot()
    assert ax.get_title(loc="left") == picture.title
    assert picture.reading.endswith(".")
    picture.svg()
    return ax


def test_the_latent_map_is_the_code_itself_or_its_principal_plane(model):
    found = pictures.latent_map(model, "code.z", IMAGES, LABELS, ["a", "b", "c"], most=40)
    assert np.array_equal(found.numbers["codes"], model.quantities(IMAGES[:40])["code.z"])
    ax = labelled(found)
    assert ax.get_xlabel() == "code.z, number 0"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]
    large = autoencoder(5)
    codes = large.quantities(IMAGES)["code.z"]
    plane = pictures.latent_map(large, "code.z", IMAGES, LABELS, ["a", "b", "c"])
    spectrum = np.linalg.svd(codes - codes.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(plane.numbers["codes"], axis=0), spectrum[:2], rtol=1e-10)
    assert "% of variance" in plane.plot().get_xlabel()
    with pytest.raises(OptionError, match="one number"):
        pictures.latent_map(autoencoder(1), "code.z", IMAGES, LABELS, ["a", "b", "c"])


def test_an_interpolation_begins_and_ends_with_its_examples(model):
    found = pictures.interpolation(model, "code.z", IMAGES[3], IMAGES[7], steps=5)
    out = model.quantities(IMAGES[[3, 7]])["output"].reshape(2, 4, 4)
    np.testing.assert_allclose(found.numbers["images"][0, [0, -1]], out, rtol=1e-12)
    middle = model.quantities(IMAGES[[3, 7]])["code.z"].mean(axis=0, keepdims=True)
    np.testing.assert_allclose(
        found.numbers["images"][0, 2].ravel(), model.quantities_from("code.z", middle)["output"][0], rtol=1e-12
    )
    np.testing.assert_allclose(found.numbers["images"][1, 2].ravel(), (IMAGES[3] + IMAGES[7]) / 2 * 0.5, rtol=1e-12)
    texts = [label.get_text() for label in found.plot().get_xticklabels()]
    assert texts == ["0%", "25%", "50%", "75%", "100%"]
    assert labelled(found).get_xlabel() == "fraction of the way"
    with pytest.raises(OptionError, match="two or more"):
        pictures.interpolation(model, "code.z", IMAGES[3], IMAGES[7], steps=1)


def test_a_grid_of_codes_is_decoded_place_by_place(model):
    found = pictures.code_grid(model, "code.z", [-1.0, 0.0, 2.0], [0.5, 1.5])
    assert found.numbers["images"].shape == (2, 3, 4, 4)
    expected = model.quantities_from("code.z", np.array([[2.0, 1.5]]))["output"][0]
    np.testing.assert_allclose(found.numbers["images"][1, 2].ravel(), expected, rtol=1e-12)
    ax = labelled(found)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1.5", "0.5"]
    # The second number of the code grows upwards: its largest value is in the first row of the image.
    shown = np.asarray(ax.images[0].get_array())
    np.testing.assert_allclose(shown[:4, -4:], found.numbers["images"][1, 2])


def test_rows_of_images_keep_their_order():
    rows = {"first": IMAGES[:12], "second": 1 - IMAGES[:12]}
    found = pictures.reconstructions(rows, most=4)
    assert found.numbers["images"].shape == (2, 4, 4, 4)
    assert np.array_equal(found.numbers["images"][1, 3].ravel(), 1 - IMAGES[3])
    labelled(found)


def test_a_mosaic_has_gaps_of_nothing():
    whole = mosaic(np.arange(16.0).reshape(2, 2, 2, 2), gap=1)
    assert np.isnan(whole[2]).all()
    assert np.isnan(whole[:, 2]).all()
    assert np.array_equal(whole[3:, 3:], [[12, 13], [14, 15]])


def test_numbers_that_are_no_image_are_refused():
    with pytest.raises(OptionError, match="6 numbers"):
        as_images(np.zeros((2, 6)))


def test_a_learned_picture_is_put_together_pixel_by_pixel():
    image = landscape(12)[:, :10]
    run = cr.fit("2-4-1 tanh", pixels(image, test=0.0), epochs=1)
    found = pictures.learned_picture({"tanh": run.model()}, image)
    place = run.data.train.x[33]  # all pixels are there, row by row
    np.testing.assert_allclose(found.numbers["tanh"][3, 3], run.model().quantities(place[None])["output"][0, 0], rtol=1e-12)
    np.testing.assert_allclose(found.numbers["true"], image / 255)
    labelled(found)
    assert pictures.psnr(0.1**2) == pytest.approx(20.0)
    with pytest.raises(OptionError, match="no network"):
        pictures.learned_picture({}, image)


def test_a_measure_by_size_has_its_bars():
    found = pictures.by_size({"one": {2: [1.0, 3.0], 8: [2.0, 2.0]}, "two": {4: 5.0}}, "numbers", "error (m)")
    ax = labelled(found)
    assert ax.get_ylabel() == "error (m)"
    assert found.numbers["one"].tolist() == [[1.0, 3.0], [2.0, 2.0]]
    with pytest.raises(OptionError, match="nothing to draw"):
        pictures.by_size({"one": {}}, "numbers", "error")
