"""Changed labels: as many as asked for, only in the training part, and told; the run that used them can be made again."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import (
    Examples,
    blobs,
    curve,
    from_arrays,
    ising,
    load,
    moons,
    opinions,
    with_random_labels,
    with_wrong_labels,
)
from chainrule.errors import ChainruleError


def test_random_labels_are_right_by_chance_alone():
    data = blobs(6000, classes=3)
    changed = with_random_labels(data, seed=1)
    right = np.mean(changed.train.y == data.train.y)
    assert abs(right - 1 / 3) < 4 * np.sqrt(2 / 9 / 6000)
    assert np.bincount(changed.train.y).min() > 1800
    assert np.array_equal(changed.test.y, data.test.y)
    assert changed.train.x is data.train.x or np.array_equal(changed.train.x, data.train.x)
    assert "6000 of 6000 training labels were drawn at random (seed 1)" in changed.notes


def test_a_fraction_of_random_labels():
    data = moons(1000)
    changed = with_random_labels(data, 0.4)
    assert 120 < np.sum(changed.train.y != data.train.y) < 280
    assert with_random_labels(data, 0).hash == data.hash


@pytest.mark.parametrize("fraction", [0, 0.013, 0.25, 1])
def test_wrong_labels_are_wrong_and_told(fraction):
    data = blobs(1000, classes=4)
    wrong = with_wrong_labels(data, fraction, seed=2)
    assert len(wrong.changed) == round(fraction * 1000)
    assert np.array_equal(np.flatnonzero(wrong.data.train.y != data.train.y), wrong.changed)
    assert np.array_equal(wrong.truth, data.train.y[wrong.changed])
    assert np.array_equal(wrong.data.test.y, data.test.y)
    if fraction == 1:
        shift = (wrong.data.train.y - data.train.y) % 4
        assert np.bincount(shift)[1:].min() > 280  # each other class with the same chance


@pytest.mark.parametrize("change", [with_random_labels, lambda *a, **k: with_wrong_labels(*a, **k).data])
def test_they_can_be_made_again(change):
    data = change(moons(60, noise=0.2, seed=3), 0.3, seed=5)
    assert load(**data.origin).hash == data.hash != moons(60, noise=0.2, seed=3).hash
    twice = change(data, 0.5, seed=6)
    assert load(**twice.origin).hash == twice.hash
    assert change(from_arrays(np.arange(10.0), np.arange(10) % 2)).origin is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: with_random_labels(moons(40), 0.5, seed=1),
        lambda: with_wrong_labels(with_random_labels(moons(40), 0.5), 0.2).data,
        lambda: ising(40, size=4, temperatures=np.array([1.0, 4.0])),
        lambda: opinions(40),
    ],
)
def test_a_run_that_is_opened_again_makes_its_data_again(make, tmp_path):
    data = make()
    run = cr.fit(cr.parse_network(f"{data.input_shape[0]}-2"), data, epochs=1, folder=tmp_path)
    assert cr.open_run(run.folder).trainer.data.hash == data.hash


def test_the_data_given_stay_as_they_were():
    data = moons(50)
    before = data.train.y.copy()
    with_wrong_labels(data, 0.5)
    with_random_labels(data)
    assert np.array_equal(data.train.y, before)
    assert isinstance(data.train, Examples)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: with_random_labels(moons(10), 1.1), "fraction=1.1"),
        (lambda: with_wrong_labels(moons(10), float("nan")), "fraction=nan"),
        (lambda: with_wrong_labels(moons(10), seed=-1), "seed=-1"),
        (lambda: with_random_labels(curve()), "numbers to fit"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ChainruleError, match=message):
        make()
