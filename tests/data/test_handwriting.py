"""Handwriting as MNIST has it: moved and enlarged test digits come back as they are; drawn anew in strokes they are read as well."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError

N = 300


@pytest.fixture(scope="module")
def digits():
    return cr.data.mnist().test.x[:N].reshape(-1, 28, 28)


@pytest.fixture(scope="module")
def run():
    data = cr.data.mnist()
    part = cr.data.from_arrays(data.train.x[:6000], data.train.y[:6000], split=None, scaling=data.scaling)
    return cr.fit("784-16-10 relu softmax", part, epochs=4, batch_size=32, optimizer=cr.Adam(0.005))


def photograph(digit, random, times=6):
    page = np.full((260, 240), 3.0)
    top, left = random.integers(0, 70, 2)
    page[top : top + 28 * times, left : left + 28 * times] += np.kron(digit, np.ones((times, times)))
    return page


def scanned(digit):
    """The digit as short strokes along its rows."""
    strokes = []
    for row, line in enumerate(digit > 110):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], line, [0]]).astype(int)))
        strokes += [[(a + 0.5, row + 0.5), (b - 0.5, row + 0.5)] for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return strokes


def accuracy(run, images):
    return float((run.model().decide(images.reshape(N, 784)) == cr.data.mnist().test.y[:N]).mean())


def test_photographed_digits_come_back_as_they_were(digits):
    random = np.random.default_rng(0)
    found = np.stack([cr.data.centred_digit(photograph(digit, random)) for digit in digits])
    away = np.abs(found.astype(int) - digits)
    assert away.max() <= 1  # a grey is rounded once more
    assert (away.max(axis=(1, 2)) == 0).mean() > 0.8


def test_digits_drawn_anew_in_strokes_are_read_as_well_as_they_were(digits, run):
    random = np.random.default_rng(1)
    drawn = []
    for digit in digits:
        scale, shift = random.uniform(0.01, 9), random.normal(size=2)
        drawn.append(cr.data.drawn_digit([np.array(stroke) * scale + shift for stroke in scanned(digit)], pen=1.0))
    known, found = accuracy(run, digits), accuracy(run, np.stack(drawn))
    assert known > 0.85
    assert found > known - 0.03


def test_a_drawn_digit_stands_as_mnists_do(digits):
    for strokes in ([[(0, 0), (0, 9)]], [[(0, 0), (9, 0), (9, 2)]], [[(3, 3), (5, 9), (7, 3)], [(4, 5), (6, 5)]], [[(1, 1)]]):
        digit = cr.data.drawn_digit(strokes)
        rows, columns = (np.flatnonzero(digit.any(axis=axis)) for axis in (1, 0))
        if len(strokes[0]) > 1:
            assert max(np.ptp(rows), np.ptp(columns)) + 1 in {20, 21, 22}
        total = digit.sum()
        for axis in (1, 0):
            assert 14 <= digit.sum(axis=axis) @ (np.arange(28) + 0.5) / total < 15.01


@pytest.mark.parametrize(
    "wrong", [np.zeros((9, 9)), np.ones(9), np.full((4, 4), np.nan), np.zeros((0, 3)), "x", np.ones((2, 2, 2))]
)
def test_what_is_no_picture_is_refused(wrong):
    with pytest.raises(ChainruleError):
        cr.data.centred_digit(wrong)


@pytest.mark.parametrize("wrong", [[], [[]], [[(1, 2, 3)]], [[(np.nan, 1)]], [[1, 2]], "ab", 3])
def test_what_are_no_strokes_is_refused(wrong):
    with pytest.raises(ChainruleError):
        cr.data.drawn_digit(wrong)
    with pytest.raises(ChainruleError):
        cr.data.drawn_digit([[(0, 0), (1, 1)]], pen=0)
