"""Mistakes in windows that slide over an input: a kernel that is not turned, and the wrong entry of a pool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from chainrule.graph import Array, Node
from chainrule.ops import reduce_max
from chainrule.trace.mistakes.kinds import ArrayView, Planting, array_mistake, backward_mistake
from chainrule.trace.mistakes.weights import data_passed, weighed
from chainrule.trace.network_structure import Structure
from chainrule.trace.planted import Planted, data_side, weights_of


def is_kernel(structure: Structure, name: str) -> bool:
    """Whether a parameter is the kernel of a convolution: it has axes of space, and is weighed flat."""
    node = structure.backward.parameters[name]
    return node.type.ndim >= 3 and any(weights_of(p.inputs[1 - data_side(p)]) is node for p in structure.products)


@backward_mistake(
    "kernel not turned on the way back",
    "Forward each window is weighed by W, backward each entry gets δ from every window that covers it, weighed by W turned round in space "
    "(by 180°): a full convolution with W[::-1, ::-1]. Here W was not turned.",
    "turn W round in its axes of space, or add δ·W into the windows as they were taken",
)
def unturned(structure: Structure) -> Iterable[Planting]:
    """The kernel turned once too often or not at all."""
    for product, weights, layer in weighed(structure):
        space = tuple(range(weights.type.ndim - 2))
        matrix = structure.backward.values[product.inputs[1 - data_side(product)]]
        value = structure.backward.values[weights]
        if weights.type.ndim >= 3 and matrix.shape == (value.size // value.shape[-1], value.shape[-1]):
            turned = np.flip(value, space).reshape(matrix.shape)
            if not np.array_equal(turned, matrix):
                data = (product.inputs[data_side(product)],)
                yield Planting(f"{weights.name} backwards", layer, data_passed(structure, product, turned.T), data)


@array_mistake(
    "kernel gradient turned round",
    "∂C/∂W[p] = Σ_positions x[position + p]·δ[position]: the entry p of the kernel has met the input p behind the position. Here the "
    "gradient came out turned round in space, as by a convolution where a correlation is needed.",
    "correlate the input with δ, without turning either; or turn the result: dW[::-1, ::-1]",
)
def turned_kernel(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """The gradient flipped along its axes of space."""
    if is_kernel(array.structure, array.name):
        space = tuple(range(array.gradient.ndim - 2))
        yield "", np.flip(array.gradient, space)
        for axis in space if len(space) > 1 else ():
            yield f"along axis {axis}", np.flip(array.gradient, axis)


@array_mistake(
    "kernel gradient with its space axes exchanged",
    "∂C/∂W has the layout of W: rows, columns, channels, filters. Here rows and columns came out exchanged, which goes unnoticed because "
    "the kernel is square.",
    "keep the order of the axes of space: dW[row, column]",
)
def exchanged_kernel(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """Rows and columns exchanged."""
    if (
        array.gradient.ndim == 4
        and array.gradient.shape[0] == array.gradient.shape[1]
        and is_kernel(array.structure, array.name)
    ):
        yield "", np.swapaxes(array.gradient, 0, 1)


# ---- pools

Share = Callable[[Array, Array, tuple[int, ...]], Array]
"""From a window's entries, those that are largest in it, and the axes of the window to the fraction of δ that each entry gets."""


def _pooled(structure: Structure, share: Share) -> Iterator[Planting]:
    for node in structure.data_nodes:
        if node.op is not reduce_max or node.inputs[0] not in structure.backward.reaching:
            continue
        source, axes = node.inputs[0], node.attributes["axes"]
        value = structure.backward.values[source]
        largest = value == np.max(value, axis=axes, keepdims=True)
        shares = share(value, largest, axes)
        right = largest / np.sum(largest, axis=axes, keepdims=True)
        if not np.array_equal(shares, right):
            layer = structure.layer_at(node) if not node.scope else node.scope

            def rule(
                g: Array, source: Node = source, axes: tuple[int, ...] = axes, shares: Array = shares
            ) -> list[tuple[Node, Array | None]]:
                return [(source, np.expand_dims(g, axes) * shares)]

            yield Planting(f"pool in {layer}", layer, Planted(rules={node: rule}), (source,))


def _place(value: Array, axes: tuple[int, ...], flat: int) -> Array:
    """1 at one entry of each window, by its place in the window."""
    extents = tuple(value.shape[axis] for axis in axes)
    spot = np.unravel_index(flat % int(np.prod(extents)), extents)
    shares = np.zeros_like(value)
    at: list[slice | int] = [slice(None)] * value.ndim
    for axis, index in zip(axes, spot, strict=True):
        at[axis] = int(index)
    shares[tuple(at)] = 1
    return shares


@backward_mistake(
    "pool's gradient at the window's first entry",
    "The largest entry of a window passes its value on, so it alone gets the derivative. Here the derivative went to the first entry of "
    "each window, whatever was largest.",
    "remember where the largest entry was (argmax in the window), and put δ there",
)
def pool_first(structure: Structure) -> Iterable[Planting]:
    """To the first entry."""
    return _pooled(structure, lambda value, largest, axes: _place(value, axes, 0))


@backward_mistake(
    "pool's gradient at the window's last entry",
    "The largest entry of a window passes its value on, so it alone gets the derivative. Here the derivative went to the last entry of "
    "each window, whatever was largest.",
    "remember where the largest entry was (argmax in the window), and put δ there",
)
def pool_last(structure: Structure) -> Iterable[Planting]:
    """To the last entry."""
    return _pooled(structure, lambda value, largest, axes: _place(value, axes, -1))


@backward_mistake(
    "pool's gradient at every entry",
    "The largest entry of a window passes its value on, so it alone gets the derivative. Here every entry of the window got it, as if δ "
    "had only been repeated.",
    "multiply the repeated δ by the mask x == max of its window",
)
def pool_all(structure: Structure) -> Iterable[Planting]:
    """To every entry, whole."""
    return _pooled(structure, lambda value, largest, axes: np.ones_like(value))


@backward_mistake(
    "pool's gradient spread evenly",
    "The largest entry of a window passes its value on, so it alone gets the derivative. Here it was spread evenly over the window, which "
    "is right for an average pool.",
    "put δ where the largest entry was",
)
def pool_even(structure: Structure) -> Iterable[Planting]:
    """To every entry, an equal part."""
    return _pooled(structure, lambda value, largest, axes: np.full_like(value, 1 / np.prod([value.shape[i] for i in axes])))


@backward_mistake(
    "pool's gradient at the smallest entry",
    "The largest entry of a window passes its value on, so it alone gets the derivative. Here the smallest got it.",
    "put δ where the largest entry was: argmax, not argmin",
)
def pool_smallest(structure: Structure) -> Iterable[Planting]:
    """To the smallest entry."""
    return _pooled(structure, lambda value, largest, axes: (value == np.min(value, axis=axes, keepdims=True)) * 1.0)


@backward_mistake(
    "tied entries of a pool treated otherwise",
    "Where several entries of a window are equally large (zeros after ReLU often are), this library gives each an equal part of the "
    "derivative. Yours gives it all to one of them, or to each. There is no derivative there: this is a convention, no wrong formula.",
    "try values without ties, for example inputs of random numbers, or count the ties",
)
def pool_ties(structure: Structure) -> Iterable[Planting]:
    """All of it to the first of the largest, or to each of them."""
    yield from _pooled(structure, lambda value, largest, axes: _first_of(largest, axes))
    for planting in _pooled(structure, lambda value, largest, axes: largest * 1.0):
        yield Planting(planting.place, planting.layer, planting.planted, planting.reached, "each of them gets it all")


def _first_of(largest: Array, axes: tuple[int, ...]) -> Array:
    moved = np.moveaxis(largest, axes, range(largest.ndim - len(axes), largest.ndim))
    flat = moved.reshape(*moved.shape[: largest.ndim - len(axes)], -1)
    first = np.zeros_like(flat, dtype=np.float64)
    np.put_along_axis(first, np.argmax(flat, axis=-1)[..., None], 1.0, axis=-1)
    return np.moveaxis(first.reshape(moved.shape), range(largest.ndim - len(axes), largest.ndim), axes)
