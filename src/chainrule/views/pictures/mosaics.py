"""Many small images as one, with names at its rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainrule.graph import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def mosaic(images: Array, gap: int = 2) -> Array:
    """Images (rows, columns, height, width) side by side as one (height', width'), NaN in the gaps of so many pixels.

    >>> mosaic(np.zeros((2, 3, 4, 5)), gap=1).shape
    (9, 17)
    """
    rows, columns, height, width = images.shape
    whole = np.full((rows, columns, height + gap, width + gap), np.nan)
    whole[:, :, :height, :width] = images
    joined = whole.transpose(0, 2, 1, 3).reshape(rows * (height + gap), columns * (width + gap))
    return joined[: joined.shape[0] - gap, : joined.shape[1] - gap]


def draw_mosaic(
    ax: Axes, images: Array, low: float, high: float, captions: Sequence[str], names: Sequence[str], gap: int = 2
) -> None:
    """The mosaic in grey from `low`, black, to `high`, white; a caption below each column, a name left of each row."""
    rows, columns, height, width = images.shape
    ax.imshow(mosaic(images, gap), cmap="gray", vmin=low, vmax=high, interpolation="nearest", aspect="equal")
    ax.set_xticks(_centres(columns, width, gap), captions)
    ax.set_yticks(_centres(rows, height, gap), names)
    ax.tick_params(length=0, labelsize=8)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)


def _centres(count: int, extent: int, gap: int) -> list[float]:
    return [place * (extent + gap) + (extent - 1) / 2 for place in range(count)]
