"""Near duplicates: held-out examples that are almost the same as one that the network trains on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import checked
from chainrule.data.checks import check_amount
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Array
from chainrule.display import Shown
from chainrule.immutable import immutable

Floats = NDArray[np.float64]

_MOST_NUMBERS = 2_000_000  # of a block of distances: 16 MB


@immutable
class NearDuplicate(Shown):
    """Example `index` of the part `part` has the training example `training_index` as its nearest, `distance` away."""

    part: str
    index: int
    training_index: int
    distance: float


@checked
def near_duplicates(dataset: Dataset, distance: float = 0.0) -> tuple[NearDuplicate, ...]:
    """The validation and test examples whose nearest training example is at most `distance` away, the nearest pairs first.

    The distance is √(mean over all features of the squared difference) of the scaled inputs: for pictures from 0 to 1 the typical
    difference of a pixel, for standardised columns in units of their standard deviation. `distance=0` finds exact duplicates.
    Every pair is compared, in blocks that fit into memory; the labels are not looked at.

    Raises OptionError for a distance that is negative or not finite.

    >>> from chainrule.data.arrays import from_arrays
    >>> data = from_arrays([[0.0], [1.0]], [0, 1], test=([[0.9], [3.0]], [1, 1]), scaling="none")
    >>> near_duplicates(data, 0.2)
    (NearDuplicate(part='test', index=0, training_index=1, distance=0.1),)
    """
    check_amount("distance", distance)
    known = _rows(dataset, dataset.train.x)
    found = [
        NearDuplicate(part, index, place, round(away, 12))
        for part, examples in dataset.parts()
        if part != "training"
        for index, (place, away) in enumerate(_nearest(_rows(dataset, examples.x), known))
        if away <= distance
    ]
    return tuple(sorted(found, key=lambda pair: (pair.distance, pair.part, pair.index)))


def _rows(dataset: Dataset, x: Array) -> Floats:
    scaled = dataset.scaling.apply(x).reshape(len(x), -1).astype(np.float64, copy=False)
    return scaled / np.sqrt(scaled.shape[1])


def _nearest(rows: Floats, known: Floats) -> list[tuple[int, float]]:
    """For each row the place of the nearest known row and the distance to it."""
    lengths = np.einsum("ij,ij->i", known, known)
    block = max(1, _MOST_NUMBERS // len(known))
    found: list[tuple[int, float]] = []
    for begin in range(0, len(rows), block):
        part = rows[begin : begin + block]
        # |a − b|² less |a|², which is the same for all b: one product of matrices instead of a difference for each pair.
        squares = lengths - 2 * (part @ known.T)
        # What is nearer than the rounding of such a product is compared again, from the rows themselves.
        rounding = np.finfo(np.float64).eps * (known.shape[1] + 4) * (np.square(part).sum(axis=1) + lengths.max())
        limits = squares.min(axis=1) + 2 * rounding
        found.extend(
            _closest(row, known, np.flatnonzero(near <= limit)) for row, near, limit in zip(part, squares, limits, strict=True)
        )
    return found


def _closest(row: Floats, known: Floats, candidates: NDArray[np.int64]) -> tuple[int, float]:
    away = np.sqrt(np.square(known[candidates] - row).sum(axis=1))
    first = int(away.argmin())
    return int(candidates[first]), float(away[first])
