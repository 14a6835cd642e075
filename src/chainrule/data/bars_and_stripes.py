"""Bars and stripes: all small pictures of full columns or full rows, whose distribution is known exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import checked
from chainrule.data.checks import check_whole
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.origin import generated, remembered
from chainrule.data.scaling import Scaling

_LARGEST = 10


@remembered("bars_and_stripes")
@checked
def bars_and_stripes(size: int = 4) -> Dataset:
    """All pictures of size × size pixels whose columns ("bars") or rows ("stripes") are full or empty, as uint8 of 0 and 255.

    Shape (size²,), row after row. First come the 2^size bars, then the 2^size stripes. So the data are the distribution: choose one of
    the two kinds, then each line full or empty, all with probability ½. The empty and the full picture are of both kinds and
    stand there twice; the others have the probability 2^−(size + 1). A model's log likelihood of an example is at most minus the
    entropy: −(size + 1 − 2^(1 − size))·ln 2.

    Source: D. J. C. MacKay, Information Theory, Inference, and Learning Algorithms (2003), section 43.

    >>> bars_and_stripes(2).train.x[[1, 5]]
    array([[  0, 255,   0, 255],
           [  0,   0, 255, 255]], dtype=uint8)
    """
    check_whole("size", size, least=2, most=_LARGEST)
    lines = _lines(size)
    bars = np.repeat(lines[:, None, :], size, axis=1)
    stripes = np.repeat(lines[:, :, None], size, axis=2)
    pictures = np.concatenate([bars, stripes]).reshape(2 ** (size + 1), size * size)
    return generated(
        "bars_and_stripes",
        Examples(pictures, np.repeat([0, 1], 2**size)),
        None,
        f"all bars and stripes of {size} × {size} pixels",
        scaling=Scaling(0, 1 / 255),
        classes=("bars", "stripes"),
    )


def _lines(size: int) -> NDArray[np.uint8]:
    """Every row of `size` pixels, full or empty: (2^size, size)."""
    numbers: NDArray[np.int64] = np.arange(1 << size)[:, None]
    return (numbers >> np.arange(size)[::-1] & 1).astype(np.uint8) * np.uint8(255)
