"""What convolutions see and look for: each layer's channels for one example, and the filters as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule.data import Example
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.spelling import suggest
from chainrule.views.colours import DIVERGING
from chainrule.views.networks.numbers import example_row
from chainrule.views.pictures.features.representations import layer_names
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.sheets import draw_image, grid_for, image_shape, panels, without_ticks
from chainrule.views.pictures.subject import Source, model_of
from chainrule.views.plain import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 16
"""More channels of a layer are not drawn; these are spread evenly over them."""
_GAP = 0.12
"""How far channels stand apart, in fractions of their width."""


@dataclass(frozen=True, eq=False)
class Channels:
    """A layer's channels for one example: `maps` (k, height, width) are those shown, `shown` (k,) says which, of `count`."""

    name: str
    maps: Array
    shown: Array
    count: int

    @property
    def span(self) -> tuple[float, float]:
        """What is drawn black and white: the smallest number or 0, and the largest."""
        finite = self.maps[np.isfinite(self.maps)]
        return min(0.0, float(finite.min(initial=0.0))), float(finite.max(initial=0.0)) or 1.0

    @property
    def words(self) -> str:
        """Name, size, and scale."""
        rows, columns = self.maps.shape[1:]
        some = "" if len(self.shown) == self.count else f", {len(self.shown)} shown"
        low, high = (numeral(end) for end in self.span)
        channels = "channel" if self.count == 1 else "channels"
        return (
            f"{printable(self.name, most=30)}: {self.count} {channels} of {rows} × {columns}{some}; black {low}, white {high}"
        )


@dataclass(frozen=True, eq=False)
class FeatureMaps(Picture):
    """Each layer's channels for one example, the input first where it is a picture."""

    size: ClassVar[tuple[float, float]] = (7.4, 5.2)
    layers: tuple[Channels, ...]

    @property
    def title(self) -> str:
        """What is seen."""
        return "What each layer makes of one picture"

    @property
    def reading(self) -> str:
        """How to read the rows."""
        return (
            "Each row is a layer and each small picture one of its channels, bright where the channel's filter found what it looks for; "
            "the scale of each row stands above it."
        )

    def arrays(self) -> dict[str, Array]:
        """The channels that are shown, by layer."""
        return {layer.name: layer.maps for layer in self.layers}

    def draw(self, ax: Axes) -> None:
        """A row to each layer."""
        for panel, layer in zip(panels(ax, len(self.layers), 1, (0.0, 0.07), 0.06), self.layers, strict=True):
            # Black and white are used up by numbers: the ground between channels is the page's.
            draw_image(panel, _in_a_row(layer.maps), *layer.span)
            for side in panel.spines.values():
                side.set_visible(False)
            panel.set_title(layer.words, fontsize=7.5, fontweight="normal", loc="left", pad=2)


def _in_a_row(maps: Array) -> Array:
    """Pictures (k, height, width) beside each other, what is between them no number."""
    count, rows, columns = maps.shape
    gap = max(1, round(_GAP * columns))
    sheet = np.full((rows, MOST * (columns + gap) - gap), np.nan) if count > 1 else np.full((rows, columns * MOST), np.nan)
    for place, channel in enumerate(maps):
        left = place * (columns + gap)
        sheet[:, left : left + columns] = channel
    return sheet


def feature_maps(source: Source, example: Example | Array) -> FeatureMaps:
    """The channels of each layer that keeps its input's axes of space, for one example (of the input's shape, as the data hold it).

    Of convolutions along one axis each channel is a line. Raises: ShapeError for an example of another shape; OptionError for a
    network without such layers.
    """
    model = model_of(source)
    row, _ = example_row(model, example)
    names = [name for name in layer_names(model) if name.rpartition(".")[0]]
    found = model.quantities(row[None], set(names))
    layers = [_channels(name, found[name][0]) for name in names if found[name].ndim in (3, 4)]
    if not layers:
        raise OptionError(
            "feature maps of a network without channels",
            expected="a convolution, or a pool: layers that give (height, width, channels)",
            remedy="ask for neuron_images, or draw the network with the example",
        )
    shape = image_shape(model.problem.dataset_info.input_shape, model.problem.dataset_info.input_dtype)
    first = [] if shape is None else [_channels("input", row.reshape(*shape[:2], -1).astype(np.float64))]
    return FeatureMaps((*first, *layers))


def _channels(name: str, values: Array) -> Channels:
    """(height, width, channels), or (length, channels), as pictures."""
    maps = np.moveaxis(values, -1, 0) if values.ndim == 3 else values.T[:, None, :]
    shown = _spread(len(maps), MOST)
    return Channels(name, maps[shown], shown, len(maps))


def _spread(count: int, most: int) -> Array:
    return np.unique(np.round(np.linspace(0, count - 1, min(count, most))).astype(np.int64))


@dataclass(frozen=True, eq=False)
class Kernels(Picture):
    """The filters of a convolution: `weights` (rows, columns, channels, filters) of the channels and filters that are shown."""

    size: ClassVar[tuple[float, float]] = (6.8, 4.2)
    layer: str
    weights: Array
    channels: Array
    filters: Array
    counts: tuple[int, int]

    @property
    def title(self) -> str:
        """Whose filters."""
        rows, columns = self.weights.shape[:2]
        return f"{self.counts[1]} filters of {printable(self.layer, most=40)}, {rows} × {columns}"

    @property
    def reading(self) -> str:
        """How to read the colours."""
        what = "a filter" if self.counts[0] == 1 else "what the filter of its column looks for in the channel of its row"
        left = sum(len(shown) < count for shown, count in zip((self.channels, self.filters), self.counts, strict=True))
        some = " not all are shown;" if left else ""
        return (
            f"Each picture is {what}: it answers where its input is bright at orange places and dark at blue ones;{some} all share one "
            "scale, on which a white weight does not matter."
        )

    @property
    def scale(self) -> float:
        """The largest finite size of a weight: the ends of the scale of colours."""
        return float(np.abs(self.weights[np.isfinite(self.weights)]).max(initial=0.0)) or 1.0

    def draw(self, ax: Axes) -> None:
        """A picture to each filter and channel."""
        count, filters = len(self.channels), len(self.filters)
        rows, columns = (count, filters) if self.counts[0] > 1 else grid_for(filters, 6)
        pictures = np.moveaxis(self.weights, (2, 3), (0, 1)).reshape(-1, *self.weights.shape[:2])
        gap = (0.15 / columns, 0.15 / rows) if count > 1 else (0.03, 0.14)
        places = panels(ax, rows, columns, gap, 0.07)
        drawn: Any = None
        for panel, picture in zip(places, pictures, strict=False):
            drawn = panel.imshow(picture, cmap=DIVERGING, vmin=-self.scale, vmax=self.scale, interpolation="nearest")
            without_ticks(panel)
        for panel in places[len(pictures) :]:
            panel.set_axis_off()
        if self.counts[0] == 1:
            for panel, place in zip(places, self.filters.tolist(), strict=False):
                panel.set_title(f"filter {place}", fontsize=7, fontweight="normal", loc="left", pad=2)
        else:
            for panel, place in zip(places, self.filters.tolist(), strict=False):
                panel.set_title(str(place), fontsize=6.5, fontweight="normal", loc="center", pad=2)
            for panel, place in zip(places[::columns], self.channels.tolist(), strict=True):
                panel.set_ylabel(str(place), fontsize=6.5, rotation=0, ha="right", va="center")
            ax.text(0.5, -0.01, "filter (column)", transform=ax.transAxes, ha="center", va="top")
            ax.text(-0.05, 0.5, "input channel (row)", transform=ax.transAxes, ha="right", va="center", rotation=90)
        ax.figure.colorbar(drawn, ax=ax, label="weight (no unit)", shrink=0.8)


def kernels(source: Source, layer: str = "conv1") -> Kernels:
    """The filters of a convolution, or of a transposed one, by the layer's name; of many channels and filters 16 of each.

    Raises: OptionError for a layer that the network does not have, or that has no filters.

    >>> import chainrule as cr
    >>> run = cr.fit("2-2x1-conv2x3:same-flatten-2", cr.data.moons(60), epochs=1)
    >>> kernels(run, "conv1").weights.shape
    (1, 2, 1, 3)
    """
    model = model_of(source)
    known = _filters(model.parameters)
    if layer not in known:
        raise OptionError(
            f"filters of layer {layer!r}",
            expected=f"one of {', '.join(known) or 'no layer: the network has no convolution'}",
            remedy=suggest(layer, known),
        )
    weights = known[layer] if known[layer].ndim == 4 else known[layer][None]
    channels, filters = (_spread(extent, MOST) for extent in weights.shape[2:])
    return Kernels(layer, weights[:, :, channels][..., filters], channels, filters, (weights.shape[2], weights.shape[3]))


def _filters(parameters: Mapping[str, Array]) -> dict[str, Array]:
    return {
        name.rpartition(".")[0]: value for name, value in parameters.items() if name.endswith(".W") and value.ndim in (3, 4)
    }
