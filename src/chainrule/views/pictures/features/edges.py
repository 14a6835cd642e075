"""Whether trained neurons look for edges, as one hopes of them: each neuron's weights against every edge detector made by hand."""

from __future__ import annotations

import numpy as np

from chainrule.errors import ShapeError
from chainrule.graph import Array, Shape
from chainrule.numerals import numeral
from chainrule.views.marks import Bars, Points
from chainrule.views.panels import Axis
from chainrule.views.pictures.features.weights import edge_weights, weight_images
from chainrule.views.pictures.kinds import suits, weighs_images
from chainrule.views.pictures.sheets import image_shape
from chainrule.views.pictures.subject import Source, model_of
from chainrule.views.plain import printable
from chainrule.views.view import View, chart, numbers

SHUFFLES = 20
"""How often each neuron's weights are shuffled to see how like an edge they are by chance."""
SEED = 20
SHORTEST = 8


def has_room_for_edges(source: Source) -> bool:
    """The images are grey, and as large as the bars."""
    info = model_of(source).problem.dataset_info
    size = image_shape(info.input_shape, info.input_dtype)
    return size is not None and len(size) == 2 and min(size) >= SHORTEST


@suits(weighs_images, has_room_for_edges)
def edge_likeness(source: Source, layer: str = "dense1", shape: Shape | None = None) -> View:
    """Whether any neuron of a layer looks for an edge: its weights against bars of three lengths at every place, lying and standing.

    The numbers: `likeness` (k,), the largest cosine of a neuron's weights with any edge, between −1 and 1; `shuffled` (k,), the same
    with its weights in a random order, the mean over 20 orders; `best` (k, height, width), the edge that it is most like; `neurons`
    (k,) says which neurons they are.
    Raises: as `neuron_images`; ShapeError for images in colour, or that are smaller than 8 by 8.
    """
    found = weight_images(source, layer, shape)
    size = found.images.shape[1:]
    if len(size) != 2 or min(size) < SHORTEST:
        raise ShapeError(
            f"edges in images of shape {size}",
            expected=f"grey images of {SHORTEST} by {SHORTEST} pixels or more",
            remedy="use neuron_images",
        )
    edges = _edges(size)
    weights = found.images.reshape(len(found.images), -1)
    cosines = _unit(weights) @ edges.T
    generator = np.random.default_rng(SEED)
    orders = [generator.permutation(weights.shape[1]) for _ in range(SHUFFLES)]
    chance = np.mean([(_unit(weights[:, order]) @ edges.T).max(axis=1) for order in orders], axis=0)
    best = edges[np.nan_to_num(cosines, nan=-1.0).argmax(axis=1)].reshape(-1, *size)
    likeness, places, name = cosines.max(axis=1), np.arange(len(found.neurons)), printable(layer, most=40)
    step = max(1, len(places) // 16)
    return chart(
        _title(name, likeness, found.neurons),
        "A bar is the cosine between a neuron's weights and the edge that fits them best; what rises above its tick, which the same "
        "weights reach in a random order, has some smooth pattern, of whatever kind, and only what comes near 1 is an edge.",
        [
            Bars(places, likeness, width=0.7, color=0, label="trained weights"),
            Points(places, chance, color=1, marker="_", size=12.0, label="the same, shuffled"),
        ],
        Axis(f"neuron of {name}", at=places[::step], texts=list(map(str, found.neurons[::step].tolist()))),
        Axis("likeness to an edge (cosine)", ends=(0, 1)),
        numbers(neurons=found.neurons, likeness=likeness, shuffled=chance, best=best),
        size=(6.2, 3.6),
        legend="upper right",
    )


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


def _title(layer: str, likeness: Array, neurons: Array) -> str:
    """The neuron that is most like an edge."""
    if not np.isfinite(likeness).any():
        return f"No neuron of {layer} has weights that can be compared with an edge"
    place = int(np.nanargmax(likeness))
    return f"{layer}: neuron {neurons[place]} is most like an edge, {numeral(float(likeness[place]))} of 1"
