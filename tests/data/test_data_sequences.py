"""Sequences: each answer is where and what the input says, and cannot be read from the last step alone."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.data import countdown, load, recall
from chainrule.errors import ChainruleError


@pytest.mark.parametrize(("gap", "wait", "signals"), [(0, 0, 2), (10, 0, 2), (7, 5, 4)])
def test_recall(gap, wait, signals):
    last = recall(60, gap=gap, wait=wait, signals=signals, seed=1)
    every = recall(60, gap=gap, wait=wait, signals=signals, seed=1, target_steps="every")
    assert np.array_equal(last.train.x, every.train.x)
    assert last.input_shape == (gap + 2 + wait, 2)
    assert every.train.y.shape == (60, gap + 2 + wait)
    levels = np.linspace(-1, 1, signals)
    for (x, label), answer in zip(((e.x, e.y) for e in last.train), every.train.y, strict=True):
        question = int(np.flatnonzero(x[:, 1])[0])
        assert x[question - gap - 1, 0] == levels[label]
        assert np.count_nonzero(x[:, 0]) <= 1
        assert answer[question] == levels[label]
        assert np.count_nonzero(answer) <= 1
    assert np.ptp(np.bincount(last.train.y)) <= 1
    if wait:
        assert len(np.unique(last.train.x[:, :, 1].argmax(1))) == wait + 1


def test_the_silence_can_be_noisy():
    x = recall(400, gap=20, noise=0.3, seed=3).train.x
    assert np.std(x[:, 1:, 0]) == pytest.approx(0.3, rel=0.05)
    assert set(np.abs(x[:, 0, 0])) == {1.0}


def test_countdown_at_every_step():
    data = countdown(200, most=6, wait=3)
    assert data.input_shape == (10, 1)
    begin = data.train.x[:, :, 0].argmax(1)
    number = np.rint(data.train.x[:, :, 0].max(1) * 6).astype(int)
    assert set(number) == set(range(1, 7))
    assert set(begin) == {0, 1, 2, 3}
    assert np.array_equal(data.train.y.argmax(1), begin + number)
    assert (data.train.y.sum(1) == 1).all()


@pytest.mark.parametrize(("most", "wait"), [(6, 3), (1, 1), (20, 10)])
def test_countdown_at_the_last_step(most, wait):
    data = countdown(400, most=most, wait=wait, target_steps="last", seed=5)
    assert (np.count_nonzero(data.train.x, axis=(1, 2)) == 1).all()
    begin = data.train.x[:, :, 0].argmax(1)
    number = np.rint(data.train.x[:, :, 0].max(1) * most).astype(int)
    assert np.array_equal(data.train.y, (most + wait - begin >= number).astype(int))
    assert np.bincount(data.train.y).tolist() == [200, 200]


@pytest.mark.parametrize("name", ["recall", "countdown"])
@pytest.mark.parametrize("answer", ["last", "every"])
def test_seed_and_origin(name, answer):
    data = load(name, n=20, wait=4, target_steps=answer, seed=7)
    assert load(**data.origin).hash == data.hash != load(name, n=20, wait=4, target_steps=answer, seed=8).hash
    assert not np.array_equal(data.train.x, data.test.x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: recall(gap=-1), "gap=-1"),
        (lambda: recall(3, signals=4), "n=3"),
        (lambda: recall(signals=1), "signals=1"),
        (lambda: recall(noise=-1), "noise=-1"),
        (lambda: recall(target_steps="all"), "target_steps='all'"),
        (lambda: countdown(most=0), "most=0"),
        (lambda: countdown(wait=0, target_steps="last"), "wait=0"),
        (lambda: countdown(target_steps="all"), "target_steps='all'"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ChainruleError, match=message):
        make()
