"""Physics tables: composites obey their bounds and error bars, oscillators their equations of motion."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.data import composite_bulk_modulus, coupled_motion, load, materials, materials_table, oscillators
from chainrule.errors import ChainruleError


def test_the_law_of_composites():
    k1, g1, k2, f = (np.array([value]) for value in (3.0, 1.2, 50.0, 0.3))
    textbook = k1 + f / (1 / (k2 - k1) + 3 * (1 - f) / (3 * k1 + 4 * g1))
    np.testing.assert_allclose(composite_bulk_modulus(k1, g1, k2, f), textbook, rtol=1e-14)
    assert composite_bulk_modulus(k1, g1, k2, 0 * f) == k1
    assert composite_bulk_modulus(k1, g1, k2, 0 * f + 1) == pytest.approx(50)
    assert composite_bulk_modulus(k1, g1, k1, f) == k1


def test_composites_lie_between_reuss_and_voigt():
    data = materials(500, noise=0)
    k1, _, k2, f = data.train.x.T
    k = data.train.y[:, 0]
    assert (k >= 1 / ((1 - f) / k1 + f / k2) - 1e-12).all()
    assert (k <= (1 - f) * k1 + f * k2 + 1e-12).all()
    np.testing.assert_allclose(k, composite_bulk_modulus(*data.train.x.T))


@pytest.mark.parametrize("part", ["training", "test"])
def test_the_error_bars_are_true(part):
    data = materials(2000, noise=0.05, seed=3)
    table = materials_table(data, part)
    examples = dict(data.parts())[part]
    assert np.array_equal(table["composite K (GPa)"], examples.y[:, 0])
    for place, name in enumerate(data.features):
        assert np.array_equal(table[name], examples.x[:, place])
    pulls = (table["composite K (GPa)"] - table["truth (GPa)"]) / table["sigma (GPa)"]
    assert abs(np.mean(pulls**2) - 1) < 4 * np.sqrt(2 / 2000)
    assert abs(pulls.mean()) < 4 / np.sqrt(2000)
    share = table["sigma (GPa)"] / table["truth (GPa)"] / 0.05
    assert 0.5 <= share.min() < 0.52
    assert 1.98 < share.max() <= 2


def test_the_scaling_is_learned_from_the_training_part():
    data = materials(300)
    scaled = data.scaling.apply(data.train.x)
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(0), 1)
    assert data.target_scaling is not None


def runge_kutta(start, speed, visible, hidden, coupling, end, steps):
    def rate(state):
        (x1, x2), (v1, v2) = state
        return np.array([[v1, v2], [-(visible**2) * x1 - coupling * (x1 - x2), -(hidden**2) * x2 - coupling * (x2 - x1)]])

    state, h = np.array([start, speed]), end / steps
    for _ in range(steps):
        a = rate(state)
        b = rate(state + h / 2 * a)
        c = rate(state + h / 2 * b)
        d = rate(state + h * c)
        state = state + h / 6 * (a + 2 * b + 2 * c + d)
    return state[0]


@pytest.mark.parametrize(("visible", "hidden", "coupling"), [(1.0, 1.0, 0.5), (0.7, 1.9, 0.2), (2.0, 0.3, 3.0)])
def test_the_motion_is_that_of_a_numerical_integration(visible, hidden, coupling):
    start, speed = np.array([[0.3, -1.1]]), np.array([[0.9, 0.4]])
    path = coupled_motion(np.array([0.0, 7.5]), start, speed, visible=visible, hidden=hidden, coupling=coupling)
    np.testing.assert_allclose(path[0, 0], start[0], atol=1e-14)
    expected = runge_kutta(start[0], speed[0], visible, hidden, coupling, 7.5, 4000)
    np.testing.assert_allclose(path[0, 1], expected, atol=1e-9)


def test_the_normal_modes_of_equal_oscillators():
    times = np.linspace(0, 5, 11)
    together = coupled_motion(times, np.array([[1.0, 1.0]]), np.zeros((1, 2)), coupling=0.7)
    against = coupled_motion(times, np.array([[1.0, -1.0]]), np.zeros((1, 2)), coupling=0.7)
    np.testing.assert_allclose(together[0, :, 0], np.cos(times), atol=1e-12)
    np.testing.assert_allclose(against[0, :, 1], -np.cos(np.sqrt(1 + 2 * 0.7) * times), atol=1e-12)


def test_oscillators():
    every = oscillators(50, time=20, noise=0.1, seed=2)
    last = oscillators(50, time=20, noise=0.1, seed=2, target_steps="last")
    exact = oscillators(50, time=20, seed=2)
    assert every.train.x.shape == (50, 20, 1)
    assert every.train.y.shape == (50, 20)
    assert np.array_equal(last.train.y[:, 0], every.train.y[:, -1])
    assert np.array_equal(exact.train.y, every.train.y)
    assert np.std(every.train.x - exact.train.x) == pytest.approx(0.1, rel=0.1)


def test_the_hidden_path_follows_from_the_visible_one():
    data = oscillators(100, time=20, step=0.5)
    x, y = data.train.x[:, :, 0], data.train.y
    weights, *_ = np.linalg.lstsq(x[:, :4], y[:, 10:], rcond=None)  # four moments fix two positions and two velocities
    np.testing.assert_allclose(data.test.x[:, :4, 0] @ weights, data.test.y[:, 10:], atol=1e-8)


@pytest.mark.parametrize("name", ["materials", "oscillators"])
def test_seed_and_origin(name):
    data = load(name, n=20, noise=0.1, seed=7)
    assert load(**data.origin).hash == data.hash != load(name, n=20, noise=0.1, seed=8).hash


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: materials(1), "n=1"),
        (lambda: materials(noise=-0.1), "noise=-0.1"),
        (lambda: materials_table(load("moons")), "does not come from materials"),
        (lambda: materials_table(materials(5), "validation"), "part='validation'"),
        (lambda: oscillators(coupling=0), "coupling=0"),
        (lambda: oscillators(time=1), "time=1"),
        (lambda: oscillators(target_steps="both"), "target_steps='both'"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ChainruleError, match=message):
        make()
