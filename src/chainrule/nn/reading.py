"""How a network reads its input: which of the numbers it takes for positions, which for channels of one kind, which for padding."""

from __future__ import annotations

from math import prod

import numpy as np

from chainrule import ops
from chainrule.display import Shown
from chainrule.graph import Array, Node, topological_order
from chainrule.immutable import immutable
from chainrule.nn.build import Built, only_moves
from chainrule.nn.layers import Reshape

NOWHERE = -1
"""Stands, where places of the input's numbers are followed, for a number that is none of them."""


@immutable(eq=False)
class InputReading(Shown):
    """What a network makes of the numbers of one example, each array of the example's shape.

    positions: which are taken for whole numbers that count places, such as the ids of an `Embedding`. groups: numbers with one and the
    same group are of one kind, as all pixels of a channel are, and all times of a feature. padding: places of the numbers in
    steps (time, features), counted along the flattened example, with the number that a step holds in all its features where it is none.
    """

    positions: Array
    groups: Array
    padding: tuple[tuple[Array, float], ...] = ()


def read_input(built: Built) -> InputReading:
    """How a network reads an example of its data, seen from its graph.

    Numbers are of one kind if they differ only in where they stand along axes before the last one: of the input, or of the shape that
    the network brings it into before it computes, if that has more axes.

    >>> from chainrule.nn import Conv2D, Reshape, Sequential, build_network
    >>> network = Sequential(Reshape((2, 2, 1)), Conv2D(3, 1))
    >>> built = build_network(network, (4,))
    >>> read_input(built).groups
    array([0, 0, 0, 0])
    """
    x = built.data
    shape = x.shape[1:]
    places = np.broadcast_to(np.arange(prod(shape)).reshape(1, *shape), x.shape)
    known = _followed(built, x, places)
    positions, groups = np.zeros(prod(shape), dtype=bool), _along_last(shape)
    axes = np.full(prod(shape), len(shape))
    brought = _reshaping_scopes(built)
    for node, found in known.items():
        if not node.type.is_float and node.op is ops.cast:
            positions[found[found != NOWHERE]] = True
        elif node.op is ops.reshape and node.scope in brought and node.shape[0] == x.shape[0]:
            one, kind = found[0].reshape(-1), _along_last(node.shape[1:])
            wider = (one != NOWHERE) & (axes[one] < node.type.ndim - 1)
            groups[one[wider]] = groups.max(initial=0) + 1 + kind[wider]
            axes[one[wider]] = node.type.ndim - 1
    padding = tuple((known[node][0], value) for node, value in built.padded if node in known)
    return InputReading(positions.reshape(shape), _counted(groups).reshape(shape), padding)


def _followed(built: Built, x: Node, places: Array) -> dict[Node, Array]:
    """For each node that is made of the input's numbers as they are, which of them stand where; and the whole numbers made of them."""
    known = {x: places}
    ends = [built.output, *(term.rows for term in built.terms.values()), *(node for node, _ in built.padded)]
    for node in topological_order(ends):
        given = [known.get(item) for item in node.inputs]
        if node in known or all(found is None or _is_whole(item) for found, item in zip(given, node.inputs, strict=True)):
            continue
        if node.op is ops.concatenate or (node.inputs and only_moves(node)):
            whole = [
                np.full(item.shape, NOWHERE) if found is None else found for found, item in zip(given, node.inputs, strict=True)
            ]
            known[node] = node.op.meaning(*whole, **node.attributes)
        elif node.op is ops.cast and given[0] is not None:
            known[node] = given[0]
    return known


def _is_whole(node: Node) -> bool:
    return node.op is ops.cast and not node.type.is_float


def _reshaping_scopes(built: Built) -> set[str]:
    """Where shapes are the user's: outside of all layers, and in the layer that does nothing else."""
    return {"", *(use.name for use in built.uses if isinstance(use.layer, Reshape))}


def _along_last(shape: tuple[int, ...]) -> Array:
    """For each number of an example the place on its last axis."""
    return np.broadcast_to(np.arange(shape[-1] if shape else 1), shape or (1,)).reshape(-1).copy()


def _counted(groups: Array) -> Array:
    return np.unique(groups, return_inverse=True)[1].reshape(groups.shape)


__all__ = ["InputReading", "read_input"]
