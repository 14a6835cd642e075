"""Made-up data: each set has the geometry that its formula states, and depends on its seed alone."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.data import BUILT_IN, CURVES, and_gate, blobs, circles, curve, moons, ring, spirals, xor
from chainrule.errors import ChainruleError, DataError, OptionError

CLOUDS = {"and": lambda **o: and_gate(noise=0.1, **o), "xor": lambda **o: xor(noise=0.1, **o)} | {
    name: BUILT_IN[name] for name in ("blobs", "circles", "ring", "moons", "spirals")
}


@pytest.mark.parametrize("name", CLOUDS)
def test_clouds_in_common(name):
    data = CLOUDS[name](n=120, seed=5)
    assert data.name == name
    assert (len(data.train), len(data.test)) == (120, 120)
    assert data.train.x.dtype == np.float64
    assert data.input_shape == (2,)
    assert data.features == ("x1", "x2")
    assert data.task == "classification"
    assert data.hash == CLOUDS[name](n=120, seed=5).hash
    assert data.hash != CLOUDS[name](n=120, seed=6).hash
    assert not np.array_equal(data.train.x, data.test.x)


@pytest.mark.parametrize("name", ["blobs", "circles", "ring", "moons", "spirals"])
def test_classes_are_balanced(name):
    assert np.bincount(BUILT_IN[name](n=100).train.y).tolist() == [50, 50]


def radius(points):
    return np.hypot(points[:, 0], points[:, 1])


def test_circles():
    data = circles(500, noise=0)
    np.testing.assert_allclose(radius(data.train.x), np.where(data.train.y == 0, 1.0, 0.5))


def test_ring():
    data = ring(2000)
    r = radius(data.train.x)
    assert r[data.train.y == 0].max() <= 0.5
    assert r[data.train.y == 1].min() >= 0.7
    assert r[data.train.y == 1].max() <= 1
    assert np.mean(r[data.train.y == 0] < 0.25) == pytest.approx(0.25, abs=0.05)  # evenly filled: a quarter of the area


def test_moons():
    data = moons(500, noise=0)
    upper, lower = data.train.x[data.train.y == 0], data.train.x[data.train.y == 1]
    np.testing.assert_allclose(radius(upper), 1)
    assert upper[:, 1].min() >= 0
    np.testing.assert_allclose(radius(lower - [1.0, 0.5]), 1)
    assert lower[:, 1].max() <= 0.5


def test_spirals():
    data = spirals(600, arms=3, turns=2, noise=0)
    r = radius(data.train.x)
    angle = 2 * np.pi * (2 * r + data.train.y / 3)
    np.testing.assert_allclose(data.train.x, np.column_stack([r * np.cos(angle), r * np.sin(angle)]), atol=1e-12)
    assert data.classes == ("arm 0", "arm 1", "arm 2")


@pytest.mark.parametrize("classes", [2, 3, 5, 10])
@pytest.mark.parametrize("margin", [0.1, 0.5, 2.0])
def test_blobs_are_separated_by_lines_with_the_margin(classes, margin):
    data = blobs(1000, classes=classes, margin=margin, seed=1)
    distance = 2 * (1 + margin) / (1 - np.cos(2 * np.pi / classes))
    threshold = distance * (1 + np.cos(2 * np.pi / classes)) / 2
    for part in (data.train, data.test):
        for label in range(classes):
            angle = 2 * np.pi * label / classes
            height = part.x @ [np.cos(angle), np.sin(angle)] - threshold
            assert height[part.y == label].min() >= margin - 1e-12
            assert height[part.y != label].max() <= -margin + 1e-12


def test_gates_without_noise():
    assert xor().train.x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert xor().train.y.tolist() == [0, 1, 1, 0]
    assert and_gate().train.y.tolist() == [0, 0, 0, 1]
    assert xor().test is None
    with pytest.raises(OptionError, match="n=10 with noise=0"):
        xor(10)


def test_gates_with_noise():
    data = xor(noise=0.01, n=400)
    corners = np.round(data.train.x)
    assert np.array_equal(np.logical_xor(*corners.T), data.train.y)
    assert np.std(data.train.x - corners) == pytest.approx(0.01, rel=0.1)


def test_sin3x_is_the_curve_of_the_lecture():
    data = curve("sin3x", n=100)
    x = data.train.x
    assert (x[0, 0], x[-1, 0]) == (-2, 2)
    np.testing.assert_allclose(data.train.y, np.sin(3 * x) + 0.3 * np.cos(9 * x))
    assert data.scaling.apply(x) is not None
    assert np.array_equal(data.scaling.apply(x), x)
    assert data.target_scaling is None


@pytest.mark.parametrize("name", CURVES)
def test_every_curve(name):
    data = curve(name, n=50, noise=0.3, seed=2)
    assert data.name == name
    truth = CURVES[name].function(data.train.x)
    assert np.std(data.train.y - truth) == pytest.approx(0.3, rel=0.35)
    np.testing.assert_allclose(data.test.y, CURVES[name].function(data.test.x))
    assert len(data.test) == 401
    assert curve(name, n=50, noise=0.3, seed=3).hash != data.hash


def test_a_curve_of_ones_own():
    assert curve(np.tanh, domain=(-1, 1), n=3).train.y[0, 0] == np.tanh(-1)
    assert curve("sin", domain=(0, 1), n=3).train.x[:, 0].tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: curve("sin3y"), "did you mean 'sin3x'"),
        (lambda: curve(np.tanh), "a function without a domain"),
        (lambda: curve("sin", domain=(1, 0)), r"domain=\(1, 0\)"),
        (lambda: curve("sin", n=1), "n=1"),
        (lambda: curve("sin", noise=-1), "noise=-1"),
        (lambda: curve(np.log, domain=(-1, 1)), "y is nan at example 0 of the training part"),
        (lambda: curve(lambda x: 1.0, domain=(0, 1)), r"has shape \(\) for x of shape \(200,\)"),
        (lambda: moons(1), "n=1"),
        (lambda: moons(2.5), "n=2.5"),
        (lambda: moons(noise=float("inf")), "noise=inf"),
        (lambda: moons(seed=-1), "seed=-1"),
        (lambda: xor(noise=0.1, n=3), "n=3"),
        (lambda: blobs(classes=1), "classes=1"),
        (lambda: blobs(margin=0), "margin=0"),
        (lambda: spirals(arms=1), "arms=1"),
        (lambda: spirals(turns=-1), "turns=-1"),
    ],
)
def test_refusals(make, message):
    with np.errstate(invalid="ignore"), pytest.raises(ChainruleError, match=message) as caught:
        make()
    assert isinstance(caught.value, (OptionError, DataError))
