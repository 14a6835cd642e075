"""What convolutions see and look for: each layer's channels for one example, and the filters as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from chainrule.checks import unknown
from chainrule.data import Example
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.views.marks import Scale, signed
from chainrule.views.networks.numbers import evenly, example_row
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.features.representations import layer_names
from chainrule.views.pictures.kinds import convolves, has_channels, suits
from chainrule.views.pictures.mosaics import mosaic_panel
from chainrule.views.pictures.sheets import image_shape, image_sheet
from chainrule.views.pictures.subject import Source, model_of
from chainrule.views.plain import printable
from chainrule.views.view import View, numbers

MOST = 16
"""More channels of a layer are not drawn; these are spread evenly over them."""
_GAP = 0.12
"""How far channels stand apart, in fractions of their width."""


@immutable(eq=False)
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


def _in_a_row(maps: Array) -> Array:
    """Pictures (k, height, width) beside each other, what is between them no number."""
    count, rows, columns = maps.shape
    gap = max(1, round(_GAP * columns))
    sheet = np.full((rows, MOST * (columns + gap) - gap), np.nan) if count > 1 else np.full((rows, columns * MOST), np.nan)
    for place, channel in enumerate(maps):
        left = place * (columns + gap)
        sheet[:, left : left + columns] = channel
    return sheet


@suits(has_channels)
def feature_maps(source: Source, example: Example | Array) -> View:
    """The channels of each layer that keeps its input's axes of space, for one example (of the input's shape, as the data hold it).

    Of convolutions along one axis each channel is a line. The numbers are the channels that are shown, (k, height, width), by layer,
    the input first where it is a picture. Raises: ShapeError for an example of another shape; OptionError for a network without
    such layers.
    """
    layers = channels_of(source, example)
    sheets = [_in_a_row(layer.maps) for layer in layers]
    scales = [Scale("grey", *layer.span) for layer in layers]
    return View(
        "What each layer makes of one picture",
        "Each row is a layer and each small picture one of its channels, bright where the channel's filter found what it looks for; "
        "the scale of each row stands above it.",
        [image_sheet(sheets, [layer.words for layer in layers], 1, scales)],
        {layer.name: layer.maps for layer in layers},
        size=(7.4, 5.2),
    )


def _channels(name: str, values: Array) -> Channels:
    """(height, width, channels), or (length, channels), as pictures."""
    maps = np.moveaxis(values, -1, 0) if values.ndim == 3 else values.T[:, None, :]
    shown = evenly(len(maps), MOST)
    return Channels(name, maps[shown], shown, len(maps))


def channels_of(source: Source, example: Example | Array) -> tuple[Channels, ...]:
    """The channels of each layer for one example; arguments and errors are those of `feature_maps`."""
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
    return (*first, *layers)


@suits(convolves)
def kernels(source: Source, layer: str = "conv1") -> View:
    """The filters of a convolution, or of a transposed one, by the layer's name; of many channels and filters 16 of each.

    The numbers: `weights` (rows, columns, channels, filters) of those that are shown, `channels` and `filters`.
    Raises: OptionError for a layer that the network does not have, or that has no filters.

    >>> import chainrule as cr
    >>> run = cr.fit("2-2x1-conv2x3:same-flatten-2", cr.data.moons(60), epochs=1)
    >>> kernels(run, "conv1").numbers["weights"].shape
    (1, 2, 1, 3)
    """
    model = model_of(source)
    known = _filters(model.weights)
    if layer not in known:
        raise unknown(f"filters of layer {layer!r}", layer, known, none="no layer: the network has no convolution")
    every = known[layer] if known[layer].ndim == 4 else known[layer][None]
    channels, filters = (evenly(extent, MOST) for extent in every.shape[2:])
    weights = every[:, :, channels][..., filters]
    single = every.shape[2] == 1
    what = "a filter" if single else "what the filter of its column looks for in the channel of its row"
    some = " not all are shown;" if weights.shape[2:] != every.shape[2:] else ""
    return View(
        f"{every.shape[3]} filters of {printable(layer, most=40)}, {weights.shape[0]} × {weights.shape[1]}",
        f"Each picture is {what}: it answers where its input is bright at orange places and dark at blue ones;{some} all share one "
        "scale, on which a white weight does not matter.",
        [_filter_sheet(weights[:, :, 0], filters) if single else _filter_grid(weights, channels, filters)],
        numbers(weights=weights, channels=channels, filters=filters),
        size=(6.8, 4.2),
    )


def _filters(parameters: Mapping[str, Array]) -> dict[str, Array]:
    return {
        name.rpartition(".")[0]: value for name, value in parameters.items() if name.endswith(".W") and value.ndim in (3, 4)
    }


def _filter_sheet(weights: Array, filters: Array) -> Panel:
    """A picture to each filter of one channel, (rows, columns, filters)."""
    scale = signed(weights, "weight (no unit)")
    scales = [scale, *[replace(scale, label="")] * (len(filters) - 1)]
    captions = [f"filter {place}" for place in filters.tolist()]
    return image_sheet(list(np.moveaxis(weights, 2, 0)), captions, 6, scales, line=0.07)


def _filter_grid(weights: Array, channels: Array, filters: Array) -> Panel:
    """A picture to each channel, a row, and filter, a column."""
    across = Axis("filter (column)", texts=list(map(str, filters.tolist())))
    down = Axis("input channel (row)", texts=list(map(str, channels.tolist())))
    return mosaic_panel(np.moveaxis(weights, (2, 3), (0, 1)), signed(weights, "weight (no unit)"), across, down, gap=1)
