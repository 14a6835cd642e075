"""Sheets of examples, panels beside each other, and signs for classes: what the pictures of results have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.graph import Array, Shape
from chainrule.numerals import numeral
from chainrule.views.colours import SERIES
from chainrule.views.plain import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
"""Signs that tell classes apart without colour."""
MOST_FEATURES = 6
"""More features of an example are not shown in a table, only counted."""
_SMALL = 7.0


def panels(ax: Axes, rows: int, columns: int, gap: tuple[float, float] = (0.08, 0.2), top: float = 0.0) -> list[Axes]:
    """Axes in rows and columns inside `ax`, whose own axes vanish while its title stays; row by row from the top.

    `gap` are the distances between them, and `top` what is left free below the title, in fractions of the width and height of `ax`.
    """
    ax.set_axis_off()
    width = (1 - gap[0] * (columns - 1)) / columns
    height = (1 - top - gap[1] * (rows - 1)) / rows
    places = [(row, column) for row in range(rows) for column in range(columns)]
    lefts = [column * (width + gap[0]) for _, column in places]
    bottoms = [1 - top - height - row * (height + gap[1]) for row, _ in places]
    return [ax.inset_axes((left, bottom, width, height)) for left, bottom in zip(lefts, bottoms, strict=True)]


def grid_for(count: int, widest: int) -> tuple[int, int]:
    """Rows and columns for so many panels, at most `widest` beside each other, the rows as full as can be.

    >>> grid_for(12, 6), grid_for(7, 6), grid_for(3, 6)
    ((2, 6), (2, 4), (1, 3))
    """
    rows = max(1, math.ceil(count / widest))
    return rows, max(1, math.ceil(count / rows))


def image_shape(shape: Shape, dtype: str) -> Shape | None:
    """The shape of the image that an input of this shape and dtype stands for: (height, width), or with 3 colours; else None.

    Two axes are an image; so is a row of bytes whose number is a square, as in MNIST.

    >>> image_shape((784,), "uint8"), image_shape((8, 8, 1), "float64"), image_shape((4,), "float64")
    ((28, 28), (8, 8), None)
    """
    if len(shape) == 3 and shape[2] in {1, 3}:
        return shape[:2] if shape[2] == 1 else shape
    if len(shape) == 2 and min(shape) >= 2:
        return shape
    side = math.isqrt(shape[0]) if len(shape) == 1 else 0
    return (side, side) if dtype == "uint8" and 2 <= side <= 64 and side * side == shape[0] else None


def draw_image(ax: Axes, image: Array, low: float, high: float, colours: str = "gray") -> None:
    """An image without ticks; grey values from `low` (black) to `high` (white), or by another map of colours."""
    shown = (image - low) / (high - low or 1.0) if image.ndim == 3 else image
    ax.imshow(shown, cmap=colours, vmin=low, vmax=high, interpolation="nearest", aspect="equal")
    ax.set_anchor("NW")
    without_ticks(ax)


def without_ticks(ax: Axes) -> None:
    """Takes away the numbers at the axes, and frames them thinly."""
    ax.set(xticks=[], yticks=[])
    for side in ("top", "right", "left", "bottom"):
        ax.spines[side].set(visible=True, color="#999999", linewidth=0.5)


def draw_images(ax: Axes, images: Array, captions: Sequence[str], widest: int, line: float = 0.045) -> None:
    """A sheet of images (k, height, width[, 3]), each below its caption; `line` is a caption's line in fractions of the height."""
    rows, columns = grid_for(len(images), widest)
    lines = max(caption.count("\n") + 1 for caption in captions)
    low, high = (0.0, 255.0) if images.dtype == np.uint8 else (float(images.min()), float(images.max()))
    share = line * lines
    for panel, image, caption in zip(panels(ax, rows, columns, (0.03, share + 0.03), share), images, captions, strict=False):
        draw_image(panel, image, low, high)
        panel.set_title(caption, fontsize=_SMALL, fontweight="normal", loc="left", pad=2)
    # Places that no image took.
    for panel in ax.child_axes[len(images) :]:
        panel.set_axis_off()


def draw_table(ax: Axes, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table of texts: the head in bold, a thin line below it."""
    ax.set_axis_off()
    # A column is as wide as its longest cell, which is enough for letters of different widths.
    lengths = np.array([max(len(row[column]) for row in (head, *rows)) + 2 for column in range(len(head))])
    places = (np.cumsum(lengths) - lengths) / lengths.sum()
    step = 1 / (max(len(rows), 10) + 1)
    for line, cells in enumerate([head, *rows]):
        for place, cell in zip(places.tolist(), cells, strict=True):
            weight = "normal" if line else "bold"
            ax.text(place, 1 - (line + 0.6) * step, cell, fontsize=_SMALL + 0.5, fontweight=weight, transform=ax.transAxes)
    ax.plot([0, 1], [1 - step * 0.95] * 2, color="#999999", linewidth=0.6, transform=ax.transAxes)


def feature_cells(
    inputs: Array, features: Sequence[str] | None, most: int = MOST_FEATURES
) -> tuple[list[str], list[list[str]]]:
    """Heads and cells of the first features of examples (k, ...), with a last column that counts those left out."""
    rows = inputs.reshape(len(inputs), -1)
    count = int(rows.shape[1])
    names = [printable(name, most=12) for name in features] if features else [f"x{place}" for place in range(count)]
    rest = count - most
    cells = [[numeral(float(value)) for value in row[:most]] for row in rows]
    if rest <= 0:
        return names, cells
    return [*names[:most], f"and {rest} more"], [[*row, "…"] for row in cells]


def class_signs(place: int) -> dict[str, Any]:
    """Colour and marker of a class: each class up to 40 has a pair of its own."""
    return {"color": SERIES[place % len(SERIES)], "marker": MARKERS[place % len(MARKERS)]}


def class_name(classes: Sequence[str] | None, place: int, most: int = 12) -> str:
    """A class's name, safe to show and cut; its number where classes have no names."""
    return printable(classes[place], most=most) if classes is not None else str(place)
