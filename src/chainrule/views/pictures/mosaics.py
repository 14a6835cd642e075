"""Many small images as one, with names at its rows and columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chainrule.graph import Array
from chainrule.views.marks import Image, Scale
from chainrule.views.panels import Axis, Panel


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


def mosaic_panel(images: Array, scale: Scale, across: Axis, down: Axis, gap: int = 2) -> Panel:
    """The mosaic with the texts of `across` below its columns, and those of `down` beside its rows."""
    rows, columns, height, width = images.shape
    return Panel(
        [Image(mosaic(images, gap), scale=scale)],
        replace(across, at=_centres(columns, width, gap), size=8.0),
        replace(down, at=_centres(rows, height, gap), size=8.0),
        equal=True,
        frame="texts",
    )


def _centres(count: int, extent: int, gap: int) -> list[float]:
    return [place * (extent + gap) + (extent - 1) / 2 for place in range(count)]
