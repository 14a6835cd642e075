"""Bars and stripes: every picture is one, each kind in its number, and the entropy is as stated."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.data import bars_and_stripes, load
from chainrule.errors import OptionError


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_pictures_are_all_bars_and_all_stripes(size):
    data = bars_and_stripes(size)
    pictures = data.train.x.reshape(-1, size, size)
    bars, stripes = pictures[data.train.y == 0], pictures[data.train.y == 1]
    assert np.all(bars == bars[:, :1, :])
    assert np.all(stripes == stripes[:, :, :1])
    assert len(bars) == len(stripes) == 2**size
    assert len(np.unique(bars, axis=0)) == len(np.unique(stripes, axis=0)) == 2**size
    assert set(np.unique(pictures)) == {0, 255}


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_entropy_is_as_stated(size):
    _, counts = np.unique(bars_and_stripes(size).train.x, axis=0, return_counts=True)
    shares = counts / counts.sum()
    assert len(shares) == 2 ** (size + 1) - 2
    assert -np.sum(shares * np.log(shares)) == pytest.approx((size + 1 - 2 ** (1 - size)) * np.log(2), rel=1e-12)


def test_a_saved_run_can_make_them_again():
    assert load(**bars_and_stripes(3).origin).hash == bars_and_stripes(3).hash


@pytest.mark.parametrize("size", [1, 11, 2.5])
def test_other_sizes_are_refused(size):
    with pytest.raises(OptionError, match="size"):
        bars_and_stripes(size)
