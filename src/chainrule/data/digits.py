"""The MNIST digits: 70 000 handwritten digits that travel inside the package."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, TypeAlias

from chainrule.checks import Interval, checked
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.idx import read_idx
from chainrule.data.origin import remembered
from chainrule.data.scaling import Scaling

_FOLDER = Path(__file__).with_name("mnist")
_TRAIN_COUNT = 60_000
HeldOut: TypeAlias = Annotated[int, Interval(least=0, most=_TRAIN_COUNT - 1)]
"""How many of the examples to train on are held out."""


@checked
@functools.cache
@remembered("mnist")
def mnist(validation: HeldOut = 0) -> Dataset:
    """Pictures of digits as uint8 of shape (784,), 28 rows of 28 pixels one after the other, with their labels 0 to 9.

    60 000 examples to train on, of which the last `validation` can be held out, and 10 000 for the test. The scaling maps the
    bytes 0..255 to 0..1. The same data set, not a copy, is returned by a second call.
    Raises OptionError unless 0 <= validation < 60 000.
    Source: LeCun, Bottou, Bengio, Haffner, Proceedings of the IEEE 86 (1998) 2278; see mnist/SOURCE.md beside this module.

    >>> mnist()
    Dataset('mnist': 60000 train, 10000 test; inputs (784,) uint8; 10 classes)
    >>> mnist().train[0].y
    5
    """
    # Unpacking leaves other threads free to run: the two parts take no longer than the larger one.
    with ThreadPoolExecutor(2) as threads:
        train, test = threads.map(_part, ("train", "t10k"))
    cut = _TRAIN_COUNT - validation
    return Dataset(
        name="mnist",
        train=train[:cut],
        validation=train[cut:] if validation else None,
        test=test,
        scaling=Scaling(0, 1 / 255),
        classes=tuple("0123456789"),
        source="Yann LeCun, Corinna Cortes, Christopher J. C. Burges: the MNIST database of handwritten digits",
        licence="CC BY-SA 3.0",
    )


# Cached in memory only. A file of decoded arrays in the user's cache folder was measured and left out: decoding takes 0.13 to
# 0.2 s, reading such a file and verifying its SHA-256, without which it could not be trusted, 0.04 s. A tenth of a second per
# process does not pay for 55 MB in the home folder and for code that writes atomically, locks, verifies and falls back.
@functools.cache
def _part(prefix: str) -> Examples:
    """The examples of one pair of files; "t10k" is the test part."""
    images = read_idx(_FOLDER / f"{prefix}-images-idx3-ubyte.gz")
    labels = read_idx(_FOLDER / f"{prefix}-labels-idx1-ubyte.gz")
    return Examples(images.reshape(len(images), -1), labels)
