"""Near duplicates: the nearest training example of each held-out one, as a loop over all pairs finds it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from chainrule.data import Examples, faces, from_arrays, materials, moons, near_duplicates
from chainrule.data import neighbours as module
from chainrule.errors import OptionError


def brute_force(data, distance):
    found = []
    known = data.scaling.apply(data.train.x)
    for part, examples in data.parts():
        if part == "training":
            continue
        for index, row in enumerate(data.scaling.apply(examples.x)):
            away = [float(np.sqrt(np.mean((row - other) ** 2))) for other in known]
            if min(away) <= distance:
                found.append((part, index, int(np.argmin(away)), min(away)))
    return sorted(found, key=lambda pair: (round(pair[3], 12), pair[0], pair[1]))


@pytest.mark.parametrize("data", [moons(70), materials(60), faces(30)], ids=["moons", "materials", "faces"])
@pytest.mark.parametrize("block", [1, 150, 10**6])
def test_as_a_loop_over_all_pairs(data, block, monkeypatch):
    monkeypatch.setattr(module, "_MOST_NUMBERS", block)
    for distance in (0.02, 0.2, 10.0):
        found = [dataclasses.astuple(pair) for pair in near_duplicates(data, distance)]
        expected = brute_force(data, distance)
        assert [pair[:3] for pair in found] == [pair[:3] for pair in expected]
        np.testing.assert_allclose([pair[3] for pair in found], [pair[3] for pair in expected], atol=1e-12)
    assert len(found) == len(data.test)


def test_exact_duplicates_are_found_beside_very_near_ones():
    x = np.array([[1e6, 1.0], [1e6 + 1e-6, 1.0], [3.0, 4.0]])
    data = from_arrays(x, [0, 1, 0], test=(x[[1, 2]] + [[0, 0], [0.5, 0]], [1, 0]), scaling="none")
    assert [(pair.index, pair.training_index) for pair in near_duplicates(data)] == [(0, 1)]
    assert [(pair.index, pair.training_index) for pair in near_duplicates(data, 1.0)] == [(0, 1), (1, 2)]


def test_pictures_with_a_little_noise_are_near():
    data = faces(60)
    random = np.random.default_rng(0)
    noisy = np.clip(data.train.x[:9].astype(int) + random.integers(-4, 5, (9, 784)), 0, 255).astype(np.uint8)
    test = Examples(np.concatenate([noisy, data.test.x]), np.concatenate([data.train.y[:9], data.test.y]))
    found = near_duplicates(dataclasses.replace(data, test=test), 0.02)
    assert sorted((pair.index, pair.training_index) for pair in found) == [(place, place) for place in range(9)]


def test_validation_counts_and_order():
    data = from_arrays([0.0, 1.0], [0, 1], validation=([0.25], [0]), test=([1.0, 0.9], [1, 1]), scaling="none")
    pairs = near_duplicates(data, 0.5)
    assert [(pair.part, pair.index) for pair in pairs] == [("test", 0), ("test", 1), ("validation", 0)]
    assert pairs[2].distance == 0.25


@pytest.mark.parametrize("distance", [-1, float("nan"), float("inf")])
def test_refusals(distance):
    with pytest.raises(OptionError):
        near_duplicates(moons(10), distance)
