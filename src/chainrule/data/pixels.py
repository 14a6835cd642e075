"""A picture as data: from the place of a pixel to its brightness; and a picture that is drawn when it is asked for."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.checks import Fraction, Regular, Seed, checked
from chainrule.data.checks import check_whole
from chainrule.data.dataset import Dataset
from chainrule.data.drawing import Sheet
from chainrule.data.examples import Examples
from chainrule.data.origin import remembered
from chainrule.errors import OptionError, ShapeError

Floats = NDArray[np.float64]


@checked
def pixels(image: Regular, test: Fraction = 0.5, *, seed: Seed = 0) -> Dataset:
    """From places (x, y) to brightness: a pixel is an example; the fraction `test` of them, chosen at random, is kept for the test.

    `image` is (height, width): bytes from 0 to 255, or floats from 0, black, to 1, white. Inputs are `places` of the pixels'
    centres, (n, 2); targets are brightnesses from 0 to 1, (n, 1). Both float64, neither is scaled further.
    Raises ShapeError for anything but a grey picture, OptionError for other brightnesses and shares outside 0 to 1.

    >>> pixels(np.eye(4), test=0.25)
    Dataset('pixels': 12 train, 4 test; inputs (2,) float64; 1 number to fit)
    """
    light = _brightness(image)
    count = round(test * light.size) if 0 <= test < 1 else light.size
    if count >= light.size:
        raise OptionError(
            f"test={test!r}", expected="a fraction of 0 or more, below 1", remedy="write test=0.5 for each second pixel"
        )
    order = np.random.default_rng(seed).permutation(light.size)
    every = Examples(places(*light.shape), light.reshape(-1, 1))
    return Dataset(
        "pixels",
        every[np.sort(order[count:])],
        test=every[np.sort(order[:count])] if count else None,
        features=("x", "y"),
        source="a picture given as an array",
    )


@checked
def places(height: int, width: int) -> Floats:
    """The centres of all pixels, row by row, (height · width, 2): x to the right, y down, from −1 to 1 along the longer side.

    >>> places(1, 2).tolist()
    [[-0.5, 0.0], [0.5, 0.0]]
    """
    unit = 2 / max(height, width)
    x, y = ((np.arange(count) + 0.5 - count / 2) * unit for count in (width, height))
    across, down = np.meshgrid(x, y)
    return np.column_stack([across.ravel(), down.ravel()]).astype(np.float64, copy=False)


@remembered("picture")
@checked
def picture(size: int = 96, test: Fraction = 0.5, seed: Seed = 0) -> Dataset:
    """The `pixels` of `landscape(size)`, some to learn from and some for the test.

    >>> picture(8, test=0.25)
    Dataset('picture': 48 train, 16 test; inputs (2,) float64; 1 number to fit)
    """
    return dataclasses.replace(
        pixels(landscape(size), test, seed=seed), name="picture", source="drawn: a landscape", licence="none needed"
    )


@checked
def landscape(size: int = 96) -> NDArray[np.uint8]:
    """A drawn picture of size × size bytes: mountains, the sun, a house with windows, and a fence, with edges and fine lines.

    >>> landscape(32).shape
    (32, 32)
    """
    check_whole("size", size, least=2)
    sheet = Sheet(1, size, background=0.75)
    sheet.ellipse((0.55, -0.6), (0.22, 0.22), 1.0)
    sheet.triangle((-1.3, 0.5), (-0.45, -0.75), (0.4, 0.5), light=0.4)
    sheet.triangle((-0.61, -0.515), (-0.45, -0.75), (-0.29, -0.515), light=0.95)
    sheet.triangle((0.0, 0.5), (0.85, -0.3), (1.7, 0.5), light=0.5)
    sheet.ellipse((0.0, 1.4), (2.4, 1.15), 0.25)
    _house(sheet)
    for place in np.linspace(-0.95, 0.95, 20).tolist():
        sheet.line((place, 0.72), (place, 0.92), 0.025, 0.85)
    sheet.line((-1.2, 0.8), (1.2, 0.8), 0.02, 0.85)
    return sheet.pixels()[0]


def _house(sheet: Sheet) -> None:
    for corners in (((-0.1, 0.1), (0.5, 0.1), (0.5, 0.6)), ((-0.1, 0.1), (0.5, 0.6), (-0.1, 0.6))):
        sheet.triangle(*corners, light=0.9)
    sheet.line((-0.06, 0.14), (0.46, 0.56), 0.04, 0.9)  # over the seam of the two
    sheet.triangle((-0.2, 0.12), (0.2, -0.22), (0.6, 0.12), light=0.1)
    for x in (0.02, 0.38):
        sheet.ellipse((x, 0.27), (0.075, 0.095), 0.15)
        sheet.line((x - 0.075, 0.27), (x + 0.075, 0.27), 0.02, 0.9)
        sheet.line((x, 0.175), (x, 0.365), 0.02, 0.9)
    sheet.line((0.2, 0.45), (0.2, 0.6), 0.12, 0.3)


def _brightness(image: ArrayLike) -> Floats:
    found = np.asarray(image)
    if found.ndim != 2 or min(found.shape) < 1 or found.size < 2:
        raise ShapeError(
            f"a picture of shape {found.shape}",
            expected="(height, width): one brightness to a pixel",
            remedy="average the colours first: image.mean(axis=2) / 255",
        )
    light = found / 255 if found.dtype == np.uint8 else found.astype(np.float64)
    if not (np.isfinite(light).all() and light.min() >= 0 and light.max() <= 1):
        raise OptionError(
            f"brightnesses from {light.min():g} to {light.max():g}",
            expected="bytes, or floats from 0, black, to 1, white",
            remedy="divide by the largest brightness",
        )
    return light
