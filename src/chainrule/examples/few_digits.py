"""A few of the handwritten digits, in half their size: enough to learn from, few enough for many networks."""

from __future__ import annotations

from functools import cache

import numpy as np

from chainrule.data import Dataset, Examples, Scaling, mnist
from chainrule.errors import OptionError
from chainrule.graph import Array

MOST_TESTS = 10_000


def few_digits(count: int, tests: int = 2000, *, seed: int = 0) -> Dataset:
    """`count` of MNIST's training digits, drawn by the seed, and its first `tests` test digits, as pictures of 14 × 14 bytes.

    Each pixel is the mean of four. Two seeds give different digits to learn from, and the same to be tested on.

    >>> few_digits(1000)
    Dataset('1000 digits of 14 × 14': 1000 train, 2000 test; inputs (196,) uint8; 10 classes)
    """
    whole = mnist()
    if not (1 <= count <= len(whole.train) and 1 <= tests <= MOST_TESTS):
        raise OptionError(
            f"{count} digits, {tests} to test",
            expected=f"1 ... {len(whole.train)} and 1 ... {MOST_TESTS}",
            remedy=f"write count={len(whole.train)} or less, tests={MOST_TESTS} or less",
        )
    chosen = np.random.default_rng(seed).permutation(len(whole.train))[:count]
    return Dataset(
        name=f"{count} digits of 14 × 14",
        train=Examples(halved(whole.train.x[chosen]), whole.train.y[chosen]),
        test=_tests()[:tests],
        scaling=Scaling(0, 1 / 255),
        classes=whole.classes,
        source=whole.source,
        licence=whole.licence,
        notes=(f"{count} of MNIST's training digits (seed {seed}); each pixel is the mean of four",),
    )


@cache
def _tests() -> Examples:
    test = mnist().test
    if test is None:
        raise OptionError("MNIST without a test part", expected="10 000 test digits", remedy="use mnist()")
    return Examples(halved(test.x), test.y)


def halved(x: Array) -> Array:
    """Pictures (n, 784) of bytes as (n, 196): the means of 2 × 2 pixels, rounded.

    >>> halved(np.full((1, 784), 7, np.uint8))[0, :3]
    array([7, 7, 7], dtype=uint8)
    """
    blocks = x.reshape(len(x), 14, 2, 14, 2).astype(np.uint16)
    return ((blocks.sum(axis=(2, 4)) + 2) // 4).astype(np.uint8).reshape(len(x), 196)
