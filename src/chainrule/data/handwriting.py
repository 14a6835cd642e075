"""Handwriting as MNIST has it: a drawn or photographed digit in a box of 20 by 20, its centre of mass in the middle of 28 by 28."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import Regular, checked
from chainrule.errors import DataError, ShapeError

SIDE, BOX, MIDDLE = 28, 20, 14.5
"""MNIST's centres of mass lie between 14 and 15 from the edge, evenly, in both directions: measured on its first 3 000 test digits."""
PEN = 2.2
"""How wide the strokes of MNIST's digits are, about, in pixels."""
Floats = NDArray[np.float64]


@checked
def centred_digit(image: Regular) -> NDArray[np.uint8]:
    """A picture (height, width) of one bright digit on dark ground, made as MNIST's were: (28, 28) uint8.

    What is not the darkest is scaled into 20 by 20 pixels with its proportions kept, each new pixel the mean of what it covers; then it
    is moved by whole pixels until its centre of mass lies in the middle.
    Raises: ShapeError for what is no grey picture, DataError for one that is even, or not finite.
    Source: LeCun, Bottou, Bengio, Haffner, Proceedings of the IEEE 86 (1998) 2278, section III.

    >>> image = np.zeros((90, 60))
    >>> image[20:70, 30:34] = 1.0
    >>> digit = centred_digit(image)
    >>> digit.shape, int(digit.max()), int((digit.max(axis=1) > 0).sum())
    ((28, 28), 255, 20)
    """
    given = _numbers(image)
    if given.ndim != 2 or not given.size:
        raise ShapeError(f"a picture of shape {given.shape}", expected="(height, width)", remedy="take one colour of it")
    if not np.all(np.isfinite(given)):
        raise DataError("a picture with numbers that are not finite", expected="finite numbers", remedy="mend it")
    light = given - given.min()
    if not light.max() > 0:
        raise DataError("a picture in which nothing is drawn", expected="a bright digit on dark ground", remedy="draw one")
    rows, columns = np.flatnonzero(light.any(axis=1)), np.flatnonzero(light.any(axis=0))
    inside = light[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] / light.max()
    scale = BOX / max(inside.shape)
    height, width = (max(1, round(extent * scale)) for extent in inside.shape)
    small = _means(inside.shape[0], height) @ inside @ _means(inside.shape[1], width).T
    placed = np.zeros((2 * SIDE, 2 * SIDE))
    top, left = SIDE - height // 2, SIDE - width // 2
    placed[top : top + height, left : left + width] = small / small.max()
    down, right = (int(middle) for middle in _centre(placed))
    first = down - SIDE // 2, right - SIDE // 2
    return np.rint(255 * placed[first[0] : first[0] + SIDE, first[1] : first[1] + SIDE]).astype(np.uint8)


@checked
def drawn_digit(strokes: Sequence[Regular], pen: float = PEN) -> NDArray[np.uint8]:
    """A digit drawn in strokes, each (points, 2) of x to the right and y downwards, as MNIST has them: (28, 28) uint8.

    The strokes are scaled so that they fill 20 by 20 pixels, drawn with a round pen `pen` pixels wide whose edge is one pixel soft, and
    moved until the centre of mass lies in the middle. Raises: ShapeError for what are no points, DataError for none, or not finite.

    >>> one = drawn_digit([[(0.5, 0.1), (0.5, 0.9)]])
    >>> int(one[:, 12:17].sum() - one.sum()), int(one[14].max())
    (0, 255)
    """
    lines = [_numbers(stroke) for stroke in strokes]
    if any(line.ndim != 2 or line.shape[1:] != (2,) for line in lines):
        raise ShapeError("strokes of another shape", expected="(points, 2) each", remedy="write [[(x, y), (x, y)], ...]")
    points = np.concatenate([*lines, np.zeros((0, 2))])
    if not len(points) or not np.all(np.isfinite(points)) or not (np.isfinite(pen) and 0 < pen < BOX):
        raise DataError("nothing drawn, or not with numbers", expected="finite points, a pen above 0", remedy="draw a digit")
    low, high = points.min(axis=0), points.max(axis=0)
    scale = (BOX - pen) / max(float((high - low).max()), 1e-12)
    middle = (low + high) / 2
    if not (high - low).any():
        scale = 1.0
    moved = [(line - middle) * scale for line in lines]
    ink = _ink(moved, np.array([SIDE, SIDE]) / 2, pen)
    down, right = _centre(ink)
    shift = np.clip([MIDDLE - right, MIDDLE - down], -4, 4)
    return np.rint(255 * _ink(moved, np.array([SIDE, SIDE]) / 2 + shift, pen)).astype(np.uint8)


def _numbers(given: Any) -> Floats:
    found = np.asarray(given)
    if found.dtype.kind not in "biuf":
        raise DataError(
            f"{found.dtype} where numbers are wanted", expected="numbers", remedy="give the brightness of each pixel"
        )
    return found.astype(np.float64)


def _means(before: int, after: int) -> Floats:
    """A matrix (after, before) that takes means over even stretches."""
    edges = np.linspace(0, before, after + 1)
    starts, ends = edges[:-1, None], edges[1:, None]
    cells = np.arange(before)[None]
    covered = np.clip(np.minimum(ends, cells + 1) - np.maximum(starts, cells), 0, None)
    return covered / covered.sum(axis=1, keepdims=True)


def _centre(light: Floats) -> tuple[float, float]:
    """The centre of mass, rows and columns, where the first pixel reaches from 0 to 1."""
    total = light.sum()
    down, across = light.sum(axis=1), light.sum(axis=0)
    return float(down @ (np.arange(len(down)) + 0.5) / total), float(across @ (np.arange(len(across)) + 0.5) / total)


def _ink(lines: Sequence[Floats], centre: Floats, pen: float) -> Floats:
    """How much of each pixel a round pen covers that goes along the lines."""
    place = np.arange(SIDE) + 0.5
    x, y = place[None, :], place[:, None]
    away = np.full((SIDE, SIDE), np.inf)
    for line in lines:
        ends = line + centre
        for begin, end in zip(ends, ends[1:] if len(ends) > 1 else ends, strict=False):
            along = end - begin
            t = np.clip(((x - begin[0]) * along[0] + (y - begin[1]) * along[1]) / max(float(along @ along), 1e-12), 0, 1)
            away = np.minimum(away, np.hypot(x - begin[0] - t * along[0], y - begin[1] - t * along[1]))
    return np.clip(pen / 2 + 0.5 - away, 0, 1)
