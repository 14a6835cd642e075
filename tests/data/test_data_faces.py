"""Drawn shapes cover what geometry says; faces differ and can be told apart."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.data import faces, load
from chainrule.data.drawing import Sheet
from chainrule.errors import ChainruleError


def covered(draw, size=200, **options):
    """The area that a white shape covers, of the square's 4."""
    sheet = Sheet(1, size, **options)
    draw(sheet)
    return sheet.pixels()[0].astype(float) / 255


def area(picture):
    return picture.mean() * 4


def test_areas():
    assert area(covered(lambda s: s.ellipse((0.1, 0), (0.5, 0.3), 1))) == pytest.approx(np.pi * 0.15, rel=0.01)
    assert area(covered(lambda s: s.ellipse((0.1, 0), (0.5, 0.3), 1, turn=0.7))) == pytest.approx(np.pi * 0.15, rel=0.01)
    assert area(covered(lambda s: s.lens((0, 0), (0.5, 0.3), 1, above=0))) == pytest.approx(np.pi * 0.075, rel=0.02)
    for corners in (((0, 0), (0.8, 0), (0, 0.5)), ((0, 0), (0, 0.5), (0.8, 0))):  # both senses of rotation
        assert area(covered(lambda s, c=corners: s.triangle(*c, light=1))) == pytest.approx(0.2, rel=0.02)
    stroke = area(covered(lambda s: s.line((-0.5, -0.5), (0.5, 0.5), 0.1, 1)))
    assert stroke == pytest.approx(np.sqrt(2) * 0.1 + np.pi * 0.05**2, rel=0.02)
    arc = covered(lambda s: s.arc((0, 0), (0.5, 0.5), 0.1, 1))
    assert area(arc) == pytest.approx(np.pi * 0.5 * 0.1, rel=0.03)
    assert not arc[:99].any()


def test_the_whole_drawing_can_be_moved():
    plain = covered(lambda s: s.triangle((0, 0), (0.4, 0), (0, 0.2), light=1))
    assert area(covered(lambda s: s.triangle((0, 0), (0.4, 0), (0, 0.2), light=1), scale=2.0)) == pytest.approx(0.16, rel=0.02)
    moved = covered(lambda s: s.triangle((0, 0), (0.4, 0), (0, 0.2), light=1), shift=(0.5, 0.25))
    np.testing.assert_allclose(np.roll(plain, (25, 50), (0, 1)), moved, atol=0.01)
    turned = covered(lambda s: s.triangle((0, 0), (0.4, 0), (0, 0.2), light=1), turn=np.pi / 2)
    np.testing.assert_allclose(np.rot90(plain, -1), turned, atol=0.02)


def test_each_picture_has_its_own_measures():
    sheet = Sheet(2, 100, background=[0.0, 0.5])
    sheet.ellipse((0, 0), ([0.2, 0.4], 0.3), [1.0, 0.0])
    one, two = sheet.pixels()
    assert (one > 127).mean() * 4 == pytest.approx(np.pi * 0.06, rel=0.05)
    assert (two < 64).mean() * 4 == pytest.approx(np.pi * 0.12, rel=0.05)


def test_faces():
    data = faces(90, seed=1)
    assert data.classes == ("human", "cat", "dog")
    assert data.train.x.dtype == np.uint8
    assert data.input_shape == (784,)
    assert np.bincount(data.train.y).tolist() == [30, 30, 30]
    assert len(np.unique(data.train.x, axis=0)) == 90
    assert load(**data.origin).hash == data.hash != faces(90, seed=2).hash
    assert faces(6, size=40).input_shape == (1600,)


def test_faces_can_be_told_apart_but_not_by_brightness():
    data = faces(300)
    means = np.array([data.train.x[data.train.y == label].mean(0) for label in range(3)])
    nearest = np.linalg.norm(data.test.x[:, None] - means, axis=2).argmin(1)
    assert np.mean(nearest == data.test.y) > 0.75
    brightness = data.train.x.mean(1)
    edges = np.quantile(brightness, np.linspace(0, 1, 11)[1:-1])
    bins = np.digitize(brightness, edges)
    best = sum(np.bincount(data.train.y[bins == place]).max() for place in range(10))
    assert best / 300 < 0.7


@pytest.mark.parametrize(
    ("make", "message"), [(lambda: faces(2), "n=2"), (lambda: faces(size=8), "size=8"), (lambda: faces(seed=-1), "seed=-1")]
)
def test_refusals(make, message):
    with pytest.raises(ChainruleError, match=message):
        make()
