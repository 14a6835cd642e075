"""Codes of autoencoders: where examples lie, what becomes of them, what lies between two of them, and what codes stand for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array, Shape
from chainrule.train import Model
from chainrule.views.marks import Points, Text, class_marker, grey
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.features.representations import principal_axes
from chainrule.views.pictures.kinds import reconstructs, suits
from chainrule.views.pictures.mosaics import mosaic_panel
from chainrule.views.pictures.sheets import class_name
from chainrule.views.plain import counted, printable
from chainrule.views.view import View, chart, numbers


def latent_map(model: Model, quantity: str, x: Array, labels: Array, classes: Sequence[str], most: int = 2000) -> View:
    """The first `most` of the inputs x (n, ...) with their labels (n,), at the values of a quantity: the code.

    Codes of two numbers are shown as they are, larger ones by their two principal components. The numbers: `codes` (n, 2), `labels`.
    Raises: OptionError for a code of one number.
    """
    codes = model.quantities(x[:most])[quantity].reshape(len(x[:most]), -1)
    if codes.shape[1] < 2:
        raise OptionError(f"a map of {quantity}, one number", expected="two numbers or more", remedy="choose another quantity")
    names = [f"{quantity}, number 0", f"{quantity}, number 1"]
    if codes.shape[1] > 2:
        centred = codes - codes.mean(axis=0)
        axes, shares = principal_axes(centred)
        codes = centred @ axes
        names = [f"{quantity}, component {i + 1} ({share:.0%} of variance)" for i, share in enumerate(shares.tolist())]
    shown = labels[:most]
    groups = [(label, class_name(classes, label), codes[shown == label]) for label in map(int, np.unique(shown))]
    return chart(
        f"Where {counted(len(shown), 'example')} lie in the code",
        "Each mark is an example at the place of its code, in the colour and sign of its class; the class's name stands at the "
        "median of its examples; the network was never told the classes: where they lie apart, it found them.",
        [
            *(Points(*own.T, color=k, marker=class_marker(k), size=3.0, alpha=0.6, label=name) for k, name, own in groups),
            *(
                Text(np.median(own[:, 0]), np.median(own[:, 1]), name, size=9.0, bold=True, framed=True)
                for _, name, own in groups
            ),
        ],
        Axis(names[0]),
        Axis(names[1]),
        numbers(codes=codes, labels=shown),
        size=(6.4, 5.4),
        legend="right",
    )


def reconstructions(
    rows: Mapping[str, Array], captions: Sequence[str] | None = None, shape: Shape | None = None, most: int = 10
) -> View:
    """The first `most` images of each row by its name, the true ones first: arrays (n, ...) of the same numbers.

    `shape` is (height, width); images whose number of pixels is a square need none. Captions are the columns', as their labels.
    The numbers: `images` (rows, columns, height, width).
    """
    images = np.stack([as_images(values[:most], shape) for values in rows.values()])
    chosen = list(captions or map(str, range(images.shape[1])))[:most]
    return View(
        "What comes out beside what ought to",
        f"Each column is one example; from top to bottom: {', '.join(rows)}, with the same grey for the same value.",
        [_rows_of_images(images, list(rows), [printable(word, most=12) for word in chosen], "example")],
        numbers(images=images),
        size=(7.4, 3.2),
    )


def _rows_of_images(images: Array, names: Sequence[str], captions: Sequence[str], across: str) -> Panel:
    """Rows of images below each other, in grey for the range of the first row."""
    return mosaic_panel(images, grey(images[0]), Axis(across, texts=captions), Axis(texts=names))


@suits(reconstructs)
def interpolation(
    model: Model, quantity: str, first: Array, second: Array, steps: int = 11, shape: Shape | None = None
) -> View:
    """From the input `first` to `second` (each without the axis of examples), through a quantity and pixel by pixel.

    The numbers: `images` (2, steps, height, width), first those through the code.
    Raises: OptionError for fewer than two steps, and what `Model.quantities_from` raises.
    """
    if steps < 2:
        raise OptionError(f"{steps} steps", expected="two or more", remedy="write steps=11")
    shares = np.linspace(0, 1, steps)
    pair = np.stack([first, second])
    values = model.quantities(pair)[quantity]
    weights = shares.reshape(-1, *[1] * (values.ndim - 1))
    decoded = model.quantities_from(quantity, values[0] + (values[1] - values[0]) * weights)["output"]
    seen = np.asarray(model.problem.dataset_info.scaling.apply(pair), dtype=np.float64).reshape(2, -1)
    mixed = seen[0] + (seen[1] - seen[0]) * shares[:, None]
    images = np.stack([as_images(decoded, shape), as_images(mixed, shape)])
    captions = [f"{share:.0%}" for share in shares.tolist()]
    return View(
        f"From one example to another through {quantity}",
        "Upper row: codes on the straight line between two examples' codes, decoded; lower row: the two images mixed pixel by "
        "pixel: a code that has learned what the images are made of passes through images, a mixture shows both at once.",
        [_rows_of_images(images, ["code", "pixels"], captions, "fraction of the way")],
        numbers(images=images),
        size=(7.4, 2.1),
    )


@suits(reconstructs)
def code_grid(model: Model, quantity: str, across: Array, up: Array | None = None, shape: Shape | None = None) -> View:
    """Codes of two numbers on a grid, decoded: the first number from `across`, the second from `up`, or as `across`.

    The numbers: `images` (rows, columns, height, width) at `across` (columns,) and `up` (rows,).
    """
    across = np.asarray(across, dtype=np.float64)
    up = across if up is None else np.asarray(up, dtype=np.float64)
    codes = np.stack(np.meshgrid(across, up), axis=2).reshape(-1, 2)
    images = as_images(model.quantities_from(quantity, codes)["output"], shape)
    images = images.reshape(len(up), len(across), *images.shape[1:])
    right, down = ([f"{value:.1f}".replace("-", "−") for value in side.tolist()] for side in (across, up[::-1]))
    axes = Axis(f"{quantity}, number 0", texts=right), Axis(f"{quantity}, number 1", texts=down)
    return View(
        f"What the values of {quantity} stand for",
        "Each image is what the network makes of a code that was set by hand, at its place in the plane; neighbours are "
        "alike where the code is smooth.",
        [mosaic_panel(images[::-1], grey(images), *axes, gap=0)],
        numbers(across=across, up=up, images=images),
        size=(6.2, 6.2),
    )


def as_images(rows: Array, shape: Shape | None = None) -> Array:
    """Rows (n, ...) as images (n, height, width) of this shape, or square ones.

    >>> as_images(np.zeros((5, 784))).shape, as_images(np.zeros((5, 6)), (2, 3)).shape
    ((5, 28, 28), (5, 2, 3))

    Raises: OptionError where the numbers of a row do not make the image.
    """
    count = math.prod(rows.shape[1:])
    chosen = (math.isqrt(count),) * 2 if shape is None else tuple(shape)
    if len(chosen) != 2 or math.prod(chosen) != count:
        raise OptionError(
            f"{count} numbers as an image of shape {chosen}",
            expected="(height, width) with as many pixels as numbers",
            remedy="give shape=(height, width)",
        )
    return np.asarray(rows, dtype=np.float64).reshape(-1, *chosen)
