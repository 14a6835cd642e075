"""Sheets of examples as images or tables, and names of classes: what the pictures of results have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from chainrule.graph import Array, Shape
from chainrule.numerals import numeral
from chainrule.views.marks import IN_PANEL, Image, Mark, Scale, Text, grey
from chainrule.views.panels import Panel, Part, Table
from chainrule.views.plain import told_apart

MOST_FEATURES = 6
"""More features of an example are not shown in a table, only counted."""
_SMALL = 7.0


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


def image_sheet(
    images: Sequence[Array],
    captions: Sequence[str],
    widest: int,
    scales: Sequence[Scale] = (),
    *,
    line: float = 0.045,
    crosses: bool = False,
    title: str = "",
) -> Panel:
    """A panel of images, each below its caption, at most `widest` beside each other; `line`: a caption's line, as a fraction of its height.

    All have one scale from the least to the largest number, unless each brings its own. `crosses` mark what is no number.
    """
    rows, columns = grid_for(len(images), widest)
    high = line * max(caption.count("\n") + 1 for caption in captions)
    width, height = (1 - 0.03 * (columns - 1)) / columns, (1 - high - (high + 0.03) * (rows - 1)) / rows
    lefts = [place % columns * (width + 0.03) for place in range(len(images))]
    tops = [1 - high - place // columns * (height + high + 0.03) for place in range(len(images))]
    own = scales or [grey(np.stack(images))] * len(images)
    marks: list[Mark] = [
        Image(image, scale=scale, box=(left, left + width, top - height, top), where="axes", anchor="NW", crosses=crosses)
        for image, scale, left, top in zip(images, own, lefts, tops, strict=True)
    ]
    words = Text(lefts, tops, list(captions), where=IN_PANEL, offset=(0, 2), across="left", up="bottom", size=_SMALL)
    return Panel([*marks, words], title=title, frame="none")


def example_sheet(
    inputs: Array,
    captions: Sequence[str],
    beside: Table,
    features: Sequence[str] | None,
    widest: int,
    *,
    line: float = 0.045,
    most: int = MOST_FEATURES,
    title: str = "",
) -> Part:
    """Examples (k, ...): as images with captions, or as a table of their first features, with the columns `beside` them."""
    shape = image_shape(inputs.shape[1:], inputs.dtype.name)
    if shape is not None:
        return image_sheet(list(inputs.reshape(-1, *shape)), captions, widest, line=line, title=title)
    head, cells = feature_cells(inputs, features, most)
    rows = tuple((*row, *words) for row, words in zip(cells, beside.rows, strict=True))
    return Table((*head, *beside.headings), rows, title)


def feature_cells(
    inputs: Array, features: Sequence[str] | None, most: int = MOST_FEATURES
) -> tuple[list[str], list[list[str]]]:
    """Heads and cells of the first features of examples (k, ...), with a last column that counts those left out."""
    rows = inputs.reshape(len(inputs), -1)
    count = int(rows.shape[1])
    names = told_apart(features, 12) if features else [f"x{place}" for place in range(count)]
    rest = count - most
    cells = [[numeral(float(value)) for value in row[:most]] for row in rows]
    if rest <= 0:
        return names, cells
    return [*names[:most], f"and {rest} more"], [[*row, "…"] for row in cells]


def class_name(classes: Sequence[str] | None, place: int, most: int = 12) -> str:
    """A class's name, safe to show and cut; its number where classes have no names."""
    return _told_apart(tuple(classes), most)[place] if classes is not None else str(place)


@lru_cache(maxsize=32)
def _told_apart(classes: tuple[str, ...], most: int) -> list[str]:
    return told_apart(classes, most)
