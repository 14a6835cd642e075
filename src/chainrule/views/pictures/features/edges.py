"""Whether trained neurons look for edges, as one hopes of them: each neuron's weights against every edge detector made by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.errors import ShapeError
from chainrule.graph import Array, Shape
from chainrule.numerals import numeral
from chainrule.views.colours import SERIES
from chainrule.views.pictures.features.weights import edge_weights, neuron_images
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.subject import Source
from chainrule.views.plain import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHUFFLES = 20
"""How often each neuron's weights are shuffled to see how like an edge they are by chance."""
SEED = 20
SHORTEST = 8


@dataclass(frozen=True)
class EdgeLikeness(Picture):
    """How like an edge each neuron is: `likeness` (k,) is the largest cosine of its weights with any edge, between −1 and 1.

    `shuffled` (k,) is the same with its weights in a random order, the mean over 20 orders; `best` (k, height, width) is the edge
    that it is most like, `neurons` (k,) says which neurons they are.
    """

    size: ClassVar[tuple[float, float]] = (6.2, 3.6)
    layer: str
    neurons: Array
    likeness: Array
    shuffled: Array
    best: Array

    @property
    def title(self) -> str:
        """The neuron that is most like an edge."""
        if not np.isfinite(self.likeness).any():
            return f"No neuron of {printable(self.layer, most=40)} has weights that can be compared with an edge"
        place = int(np.nanargmax(self.likeness))
        most = numeral(float(self.likeness[place]))
        return f"{printable(self.layer, most=40)}: neuron {self.neurons[place]} is most like an edge, {most} of 1"

    @property
    def reading(self) -> str:
        """How to read the two marks."""
        return (
            "A bar is the cosine between a neuron's weights and the edge that fits them best; what rises above its tick, which the same "
            "weights reach in a random order, has some smooth pattern, of whatever kind, and only what comes near 1 is an edge."
        )

    def draw(self, ax: Axes) -> None:
        """Bars in the order of the neurons, ticks for chance."""
        places = np.arange(len(self.neurons))
        ax.bar(places, self.likeness, color=SERIES[0], width=0.7, label="trained weights")
        ax.plot(places, self.shuffled, "_", color=SERIES[1], markersize=12, markeredgewidth=2, label="the same, shuffled")
        ax.set_xticks(
            places[:: max(1, len(places) // 16)], [str(i) for i in self.neurons[:: max(1, len(places) // 16)].tolist()]
        )
        ax.set(xlabel=f"neuron of {printable(self.layer, most=40)}", ylabel="likeness to an edge (cosine)", ylim=(0, 1))
        ax.legend(loc="upper right")


def edge_likeness(source: Source, layer: str = "dense1", shape: Shape | None = None) -> EdgeLikeness:
    """Whether any neuron of a layer looks for an edge: its weights against bars of three lengths at every place, lying and standing.

    Raises: as `neuron_images`; ShapeError for images in colour, or that are smaller than 8 by 8.
    """
    images = neuron_images(source, layer, shape)
    size = images.images.shape[1:]
    if len(size) != 2 or min(size) < SHORTEST:
        raise ShapeError(
            f"edges in images of shape {size}",
            expected=f"grey images of {SHORTEST} by {SHORTEST} pixels or more",
            remedy="use neuron_images",
        )
    edges = _edges(size)
    weights = images.images.reshape(len(images.images), -1)
    cosines = _unit(weights) @ edges.T
    generator = np.random.default_rng(SEED)
    orders = [generator.permutation(weights.shape[1]) for _ in range(SHUFFLES)]
    chance = np.mean([(_unit(weights[:, order]) @ edges.T).max(axis=1) for order in orders], axis=0)
    best = edges[np.nan_to_num(cosines, nan=-1.0).argmax(axis=1)].reshape(-1, *size)
    return EdgeLikeness(layer, images.neurons, cosines.max(axis=1), chance, best)


def _edges(shape: Shape) -> Array:
    """Every edge of the family, each of length 1: (edges, height · width)."""
    side = min(shape)
    thickness = max(1, round(side / 9))
    found: list[Array] = []
    for length in (side // 4, side // 3, side // 2):
        for horizontal in (True, False):
            height, width = (thickness, length) if horizontal else (length, thickness)
            found += [
                edge_weights(shape, row, column, length, horizontal=horizontal, thickness=thickness).reshape(-1)
                for row in range(shape[0] - height + 1)
                for column in range(shape[1] - width + 1)
            ]
    return _unit(np.stack(found))


def _unit(rows: Array) -> Array:
    """The rows scaled to length 1; those that are 0 or no numbers become NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)
