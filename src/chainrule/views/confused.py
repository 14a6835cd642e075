"""Which classes are taken for which most often: what the terminal's and the pictures' confusion matrices share."""

from __future__ import annotations

import numpy as np

from chainrule.graph import Array

MOST_CLASSES = 20
"""Beyond this a matrix is no longer read at a glance; the most frequent confusions are listed in its place."""
LEGEND = "rows: the truth · columns: the prediction · brightness: fraction of the row"


def frequent_confusions(counts: Array, most: int) -> list[tuple[int, int, int]]:
    """The most frequent mistakes as (truth, prediction, how often), from counts[truth, prediction]; of equals the first row first.

    >>> frequent_confusions(np.array([[5, 2], [3, 4]]), 8)
    [(1, 0, 3), (0, 1, 2)]
    """
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order: list[int] = np.argsort(-wrong, axis=None, kind="stable")[:most].tolist()
    pairs = [divmod(flat, len(counts)) for flat in order]
    return [(truth, predicted, int(wrong[truth, predicted])) for truth, predicted in pairs if wrong[truth, predicted]]
