"""Codes of autoencoders: where examples lie, what becomes of them, what lies between two of them, and what codes stand for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array, Shape
from chainrule.train import Model
from chainrule.views.figures.style import INK
from chainrule.views.pictures.features.representations import principal_axes
from chainrule.views.pictures.mosaics import draw_mosaic
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.sheets import class_name, class_signs
from chainrule.views.plain import counted, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class LatentMap(Picture):
    """Examples in the plane of their codes: `codes` (n, 2), `labels` (n,); `axes` says what the two numbers are."""

    size: ClassVar[tuple[float, float]] = (6.4, 5.4)
    quantity: str
    codes: Array
    labels: Array
    classes: tuple[str, ...]
    axes: tuple[str, str]

    @property
    def title(self) -> str:
        """How many examples."""
        return f"Where {counted(len(self.labels), 'example')} lie in the code"

    @property
    def reading(self) -> str:
        """How to read the marks."""
        return (
            "Each mark is an example at the place of its code, in the colour and sign of its class; the class's name stands at the "
            "median of its examples; the network was never told the classes: where they lie apart, it found them."
        )

    def draw(self, ax: Axes) -> None:
        """A mark to an example, the classes' names at their medians."""
        for label in np.unique(self.labels).tolist():
            own = self.codes[self.labels == label]
            name = class_name(self.classes, label)
            ax.scatter(own[:, 0], own[:, 1], s=9, linewidths=0.3, alpha=0.6, label=name, **class_signs(label))
            box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": INK, "linewidth": 0.6}
            across, up = np.median(own, axis=0).tolist()
            ax.text(across, up, name, fontsize=9, fontweight="bold", color="black", ha="center", va="center", bbox=box)
        ax.set_xlabel(self.axes[0])
        ax.set_ylabel(self.axes[1])
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), markerscale=1.6)


def latent_map(model: Model, quantity: str, x: Array, labels: Array, classes: Sequence[str], most: int = 2000) -> LatentMap:
    """The first `most` of the inputs x (n, ...) with their labels (n,), at the values of a quantity: the code.

    Codes of two numbers are shown as they are, larger ones by their two principal components.
    Raises: OptionError for a code of one number.
    """
    codes = model.quantities(x[:most])[quantity].reshape(len(x[:most]), -1)
    if codes.shape[1] < 2:
        raise OptionError(f"a map of {quantity}, one number", expected="two numbers or more", remedy="choose another quantity")
    if codes.shape[1] == 2:
        names = f"{quantity}, number 0", f"{quantity}, number 1"
        return LatentMap(quantity, codes, labels[:most], tuple(classes), names)
    axes, shares = principal_axes(codes - codes.mean(axis=0))
    labelled = tuple(f"{quantity}, component {i + 1} ({share:.0%} of variance)" for i, share in enumerate(shares.tolist()))
    return LatentMap(quantity, (codes - codes.mean(axis=0)) @ axes, labels[:most], tuple(classes), (labelled[0], labelled[1]))


@dataclass(frozen=True, eq=False)
class ImageRows(Picture):
    """Rows of images below each other: `images` (rows, columns, height, width), a name to each row, a caption to each column."""

    size: ClassVar[tuple[float, float]] = (7.4, 3.2)
    names: tuple[str, ...]
    captions: tuple[str, ...]
    images: Array

    @property
    def title(self) -> str:
        """What the rows are."""
        return "Images beside each other"

    @property
    def reading(self) -> str:
        """How to read the rows."""
        return f"Each column is one example; from top to bottom: {', '.join(self.names)}."

    @property
    def across(self) -> str:
        """What the columns are."""
        return "example"

    def draw(self, ax: Axes) -> None:
        """One mosaic; grey from 0, black, to 1, white, for the range of the first row."""
        draw_mosaic(ax, self.images, float(self.images[0].min()), float(self.images[0].max()), self.captions, self.names)
        ax.set_xlabel(self.across)


@dataclass(frozen=True, eq=False)
class Reconstructions(ImageRows):
    """Images, and what is made of them: the first row is what ought to come out."""

    @property
    def title(self) -> str:
        """What the rows are."""
        return "What comes out beside what ought to"

    @property
    def reading(self) -> str:
        """How to read the rows."""
        return (
            f"Each column is one example; from top to bottom: {', '.join(self.names)}, with the same grey for the same value."
        )


def reconstructions(
    rows: Mapping[str, Array], captions: Sequence[str] | None = None, shape: Shape | None = None, most: int = 10
) -> Reconstructions:
    """The first `most` images of each row by its name, the true ones first: arrays (n, ...) of the same numbers.

    `shape` is (height, width); images whose number of pixels is a square need none. Captions are the columns', as their labels.
    """
    names = tuple(rows)
    images = np.stack([as_images(values[:most], shape) for values in rows.values()])
    chosen = list(captions or map(str, range(images.shape[1])))[:most]
    return Reconstructions(names, tuple(printable(word, most=12) for word in chosen), images)


@dataclass(frozen=True, eq=False)
class Interpolation(ImageRows):
    """From one image to another by equal steps: through the code in the first row, pixel by pixel in the second."""

    size: ClassVar[tuple[float, float]] = (7.4, 2.1)
    quantity: str = ""

    @property
    def title(self) -> str:
        """Between what."""
        return f"From one example to another through {self.quantity}"

    @property
    def reading(self) -> str:
        """What the rows differ in."""
        return (
            "Upper row: codes on the straight line between two examples' codes, decoded; lower row: the two images mixed pixel by "
            "pixel: a code that has learned what the images are made of passes through images, a mixture shows both at once."
        )

    @property
    def across(self) -> str:
        """What the columns are."""
        return "fraction of the way"


def interpolation(
    model: Model, quantity: str, first: Array, second: Array, steps: int = 11, shape: Shape | None = None
) -> Interpolation:
    """From the input `first` to `second` (each without the axis of examples), through a quantity and pixel by pixel.

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
    rows = np.stack([as_images(decoded, shape), as_images(mixed, shape)])
    return Interpolation(("code", "pixels"), tuple(f"{share:.0%}" for share in shares.tolist()), rows, quantity)


@dataclass(frozen=True, eq=False)
class CodeGrid(Picture):
    """What the codes on a grid stand for: `images` (rows, columns, height, width) at `across` (columns,) and `up` (rows,)."""

    size: ClassVar[tuple[float, float]] = (6.2, 6.2)
    quantity: str
    across: Array
    up: Array
    images: Array

    @property
    def title(self) -> str:
        """What is decoded."""
        return f"What the values of {self.quantity} stand for"

    @property
    def reading(self) -> str:
        """How to read the grid."""
        return (
            "Each image is what the network makes of a code that was set by hand, at its place in the plane; neighbours are "
            "alike where the code is smooth."
        )

    def draw(self, ax: Axes) -> None:
        """One mosaic, the second number of the code upwards."""
        shown = self.images[::-1]
        captions = tuple(f"{value:.1f}".replace("-", "−") for value in self.across.tolist())
        names = tuple(f"{value:.1f}".replace("-", "−") for value in self.up[::-1].tolist())
        draw_mosaic(ax, shown, float(shown.min()), float(shown.max()), captions, names, gap=0)
        ax.set_xlabel(f"{self.quantity}, number 0")
        ax.set_ylabel(f"{self.quantity}, number 1")


def code_grid(model: Model, quantity: str, across: Array, up: Array | None = None, shape: Shape | None = None) -> CodeGrid:
    """Codes of two numbers on a grid, decoded: the first number from `across`, the second from `up`, or as `across`."""
    across = np.asarray(across, dtype=np.float64)
    up = across if up is None else np.asarray(up, dtype=np.float64)
    codes = np.stack(np.meshgrid(across, up), axis=2).reshape(-1, 2)
    images = as_images(model.quantities_from(quantity, codes)["output"], shape)
    return CodeGrid(quantity, across, up, images.reshape(len(up), len(across), *images.shape[1:]))


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
