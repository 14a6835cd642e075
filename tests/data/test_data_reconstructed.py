"""Data that are their own targets, spoilt on request, and pictures as data: what is kept, what is drawn, what is refused."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import (
    Dataset,
    Examples,
    Scaling,
    landscape,
    load,
    materials,
    mnist,
    moons,
    picture,
    pixels,
    places,
    reconstruction,
)
from chainrule.errors import ChainruleError

IMAGES = np.random.default_rng(0).integers(0, 256, (300, 8, 9, 1)).astype(np.uint8)


def images() -> Dataset:
    return Dataset("images", Examples(IMAGES, np.arange(300) % 2), scaling=Scaling(0, 1 / 255), classes=("a", "b"))


def test_targets_are_the_scaled_inputs_in_rows():
    data = reconstruction(images())
    assert data.train.x.dtype == np.uint8
    assert data.train.y.dtype == np.float32
    np.testing.assert_allclose(data.train.y, IMAGES.reshape(300, -1) / 255, rtol=1e-6)
    assert data.task == "regression"
    table = reconstruction(materials(50))
    assert np.array_equal(table.train.y, materials(50).scaling.apply(materials(50).train.x))
    assert table.features == materials(50).features


def test_noise_has_its_deviation_and_spares_the_targets():
    data = reconstruction(images(), noise=0.5)
    added = data.train.x.reshape(300, -1) - data.train.y
    count = added.size
    assert abs(added.mean()) < 4 * 0.5 / np.sqrt(count)
    assert abs(added.std() - 0.5) < 4 * 0.5 / np.sqrt(2 * count)
    assert np.array_equal(data.train.y, reconstruction(images()).train.y)
    assert data.scaling == Scaling.none()


def test_a_share_is_set_to_zero_and_the_rest_stays():
    data = reconstruction(images(), fraction=0.3)
    x, y = data.train.x.reshape(300, -1), data.train.y
    gone = x != y
    assert np.all(x[gone] == 0)
    # Bytes that were 0 cannot be seen to go.
    share, error = 0.3 * np.mean(y != 0), np.sqrt(0.3 * 0.7 / y.size)
    assert abs(gone.mean() - share) < 4 * error


def test_only_the_named_parts_are_spoilt():
    both = reconstruction(moons(100), noise=0.1)
    test_only = reconstruction(moons(100), noise=0.1, parts=("test",))
    assert np.array_equal(test_only.train.x, test_only.train.y)
    assert np.array_equal(test_only.test.x, both.test.x)
    assert not np.allclose(both.train.x, both.train.y)


@pytest.mark.parametrize(
    "make",
    [
        lambda: reconstruction(moons(40, seed=2)),
        lambda: reconstruction(moons(40), noise=0.1, fraction=0.2, parts=("test",), seed=3),
        lambda: picture(12, test=0.25, seed=1),
    ],
)
def test_they_can_be_made_again_also_by_a_saved_run(make, tmp_path):
    data = make()
    assert load(**data.origin).hash == data.hash
    run = cr.fit(cr.parse_network(f"2-{data.target_size}"), data, epochs=1, folder=tmp_path)
    assert cr.open_run(run.folder).data.hash == data.hash


def test_arrays_of_ones_own_have_no_origin():
    assert reconstruction(images()).origin is None


def test_pixels_are_dealt_out_and_put_back():
    image = landscape(24)[:, :20]
    data = pixels(image, test=0.25, seed=4)
    assert (len(data.train), len(data.test)) == (360, 120)
    back = np.full(image.shape, np.nan)
    for part in (data.train, data.test):
        column, row = (np.rint((part.x[:, axis] / (2 / 24)) + size / 2 - 0.5).astype(int) for axis, size in ((0, 20), (1, 24)))
        assert np.isnan(back[row, column]).all()
        back[row, column] = part.y[:, 0]
    np.testing.assert_allclose(back, image / 255, rtol=1e-12)
    assert pixels(image, test=0).test is None


def test_places_are_square_and_centred():
    found = places(3, 4)
    assert found.shape == (12, 2)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(found[1] - found[0], [0.5, 0])
    np.testing.assert_allclose(found[4] - found[0], [0, 0.5])


def test_the_landscape_has_light_shade_and_edges():
    image = landscape(96).astype(float)
    assert image.min() < 30
    assert image.max() > 240
    assert np.mean(np.abs(np.diff(image, axis=1)) > 60) > 0.02


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: reconstruction(moons(10), noise=-1.0), "noise=-1.0"),
        (lambda: reconstruction(moons(10), fraction=1.5), "fraction=1.5"),
        (lambda: reconstruction(moons(10), noise=1.0, parts=("tset",)), "tset"),
        (lambda: reconstruction(moons(10), noise=1.0, parts="test"), "parts='test'"),
        (lambda: pixels(np.zeros((4, 4, 3))), r"\(4, 4, 3\)"),
        (lambda: pixels(np.full((4, 4), 2.0)), "2 to 2"),
        (lambda: pixels(np.eye(4), test=1.0), "test=1.0"),
        (lambda: landscape(1), "size=1"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ChainruleError, match=message):
        make()


def test_a_digit_is_its_own_target():
    data = mnist()
    assert reconstruction(data).target_size == 784
