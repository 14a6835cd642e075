"""Mistakes made in one parameter's array alone: another array in its place, the wrong sum, what was taken for the layer's input."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import prod

import numpy as np

from chainrule.graph import Array, Node
from chainrule.ops import broadcast_to, gather, matmul
from chainrule.trace.mistakes.kinds import ArrayView, array_mistake
from chainrule.trace.network_structure import Structure
from chainrule.trace.planted import GradientPart, Planted


@array_mistake(
    "gradient left at zero",
    "Every entry is 0: the array was made, np.zeros_like(b) or b·0, and never filled, or it is overwritten by zeros.",
    "compute it: for a bias it is the sum of δ over the examples, δ.sum(axis=0)",
)
def left_at_zero(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """Zeros."""
    yield "", np.zeros_like(array.gradient)


@array_mistake(
    "gradient transposed",
    "∂C/∂W has the layout of W: for z = x·W it is xᵀ·δ, for z = W·x it is δ·xᵀ. Here it came out transposed, which goes unnoticed "
    "because W is square.",
    "transpose it, or write x.T @ δ in place of δ.T @ x",
)
def transposed(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """The transpose; of several gates side by side that of each."""
    g = array.gradient
    if g.ndim == 2 and g.shape[0] == g.shape[1]:
        yield "", g.T
    elif g.ndim == 2 and g.shape[0] > 1 and g.shape[1] % g.shape[0] == 0:
        yield "in each gate", np.concatenate([block.T for block in np.split(g, g.shape[1] // g.shape[0], axis=1)], axis=1)


@array_mistake(
    "reshaped in place of transposed",
    "reshape reads the numbers in their order and leaves them there; a transpose exchanges rows and columns. Here (δᵀ·x).reshape(...) "
    "was taken for xᵀ·δ.",
    "write .T, not .reshape",
)
def reshaped(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """The transposed array read in rows."""
    g = array.gradient
    if g.ndim == 2 and min(g.shape) > 1 and g.shape[0] != g.shape[1]:
        yield "", np.ascontiguousarray(g.T).reshape(g.shape)


@array_mistake(
    "gates in another order",
    "The weights of several gates stand side by side in one array, in the order in which the forward pass cuts z into gates. Here the "
    "gradient has the gates in another order.",
    "concatenate the δ of the gates in the order of the forward pass (in this library i, f, o, g for LSTM, r, u, g for GRU)",
)
def gates_exchanged(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """Two blocks along the last axis exchanged."""
    for count in (3, 4):
        if array.structure.gates(array.name) == count:
            blocks = np.split(array.gradient, count, axis=-1)
            for one in range(count):
                for other in range(one):
                    order = list(range(count))
                    order[one], order[other] = other, one
                    yield f"gates {other + 1} and {one + 1}", np.concatenate([blocks[n] for n in order], axis=-1)


@array_mistake(
    "bias summed over the wrong axis",
    "∂C/∂b_j = Σ_examples δ_j: the sum over the examples leaves a number for each neuron. Here the neurons were summed, which leaves a "
    "number for each example; the shapes agree only because there are as many examples as neurons.",
    "write δ.sum(axis=0) where the rows of δ are the examples",
)
def wrong_axis(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """The sum over the neurons."""

    def change(part: GradientPart) -> Array | None:
        source, g = part.use.inputs[part.place], part.arriving
        fits = part.use.op is broadcast_to and g.ndim == 2 and g.shape[0] == g.shape[1] == source.type.size
        return (
            array.walk.to_parameter(g.sum(axis=1).reshape(source.shape), part.views) if fits and source.type.size > 1 else None
        )

    yield from array.with_parts(change)


# ---- examples


_ENDS = {"last": slice(-1, None), "first": slice(0, 1)}


def _of_example(what: str, array: ArrayView) -> Array | None:
    """The derivative with the row of the last or the first example alone."""
    structure = array.structure
    if structure.batch < 2 or not structure.rows:
        return None
    scalings: dict[Node, Array | float] = {}
    for node, axis in structure.rows.items():
        mask = np.zeros(node.shape)
        mask[(slice(None),) * axis + (_ENDS[what],)] = 1
        scalings[node] = mask
    return array.beside(what, Planted(scalings=scalings))


def _alone(what: str, array: ArrayView) -> Iterator[tuple[str, Array]]:
    """One row of δ alone."""
    found = _of_example(what, array)
    if found is not None:
        yield "", found
        yield "without 1/B", found * array.structure.batch


def _without(what: str, array: ArrayView) -> Iterator[tuple[str, Array]]:
    """All rows of δ but one, divided by B or by B − 1."""
    alone, batch = _of_example(what, array), array.structure.batch
    # Of two examples, without one is the other alone, which has a name.
    if alone is not None and batch > 2:
        found = array.gradient - alone
        yield "", found
        yield "divided by B − 1", found * (batch / (batch - 1))


last_example = array_mistake(
    "only the last example counted",
    "The gradient of a batch is the sum of what all its examples bring (with 1/B in δ). Here only the last one is in it, which happens "
    "when dW = ... overwrites in a loop over the examples.",
    "write dW += ... in the loop over the examples",
)(partial(_alone, "last"))

first_example = array_mistake(
    "only the first example counted",
    "The gradient of a batch is the sum of what all its examples bring (with 1/B in δ). Here only the first one is in it.",
    "go over all rows of δ: x.T @ δ, δ.sum(axis=0)",
)(partial(_alone, "first"))

without_last = array_mistake(
    "the last example lost",
    "The gradient of a batch is the sum of what all its examples bring. Here the last row is missing, as with x[:-1] or range(B − 1).",
    "let slices and loops run to the end: x[:], range(B)",
)(partial(_without, "last"))

without_first = array_mistake(
    "the first example lost",
    "The gradient of a batch is the sum of what all its examples bring. Here the first row is missing, as with x[1:] or range(1, B).",
    "let slices and loops begin at 0",
)(partial(_without, "first"))


# ---- what the layer was given


@array_mistake(
    "z in place of a",
    "For z = a·W the gradient is ∂C/∂W = aᵀ·δ, with the activation a that came into the layer. Here the pre-activation z of the layer "
    "before was used.",
    "keep both z and a in the forward pass, and use a for ∂C/∂W, z for σ′",
)
def z_for_a(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """The z before the activation that was weighed."""
    regions = {region.a: region for region in array.structure.activations}

    def change(part: GradientPart) -> Array | None:
        region = regions.get(part.use.inputs[1 - part.place]) if part.use.op is matmul else None
        return None if region is None else array.pulled(part, data=array.backward.values[region.z])

    yield from array.with_parts(change)


@array_mistake(
    "a layer's output in place of its input",
    "∂C/∂W = (what comes into the layer)ᵀ·δ. Here what goes out of it was used, off by one layer, which the shapes allow because W is "
    "square.",
    "pair the δ of layer l with the activation of layer l − 1",
)
def own_output(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """The activation behind the layer."""
    structure, position = array.structure, array.backward.position
    if array.name in structure.steps:
        return

    def change(part: GradientPart) -> Array | None:
        own = [
            region.a
            for region in structure.activations
            if region.layer == structure.layers[array.name] and position[region.a] > position[part.use]
        ]
        fits = part.use.op is matmul and own and own[0].shape == part.use.inputs[1 - part.place].shape
        return array.pulled(part, data=array.backward.values[own[0]]) if fits else None

    yield from array.with_parts(change)


@array_mistake(
    "unscaled inputs in ∂C/∂W",
    "∂C/∂W = xᵀ·δ with the x that the network sees: scaled as in the forward pass (divided by 255, or standardised). Here δ was right, "
    "but the raw x was taken.",
    "scale x once, at the beginning, and use the scaled x in both passes",
)
def raw_inputs(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """The inputs as they are in the data."""
    for scaled, raw in array.structure.scaled_inputs.items():
        yield from _seen_through(array, scaled, np.broadcast_to(raw, scaled.shape))


def _seen_through(array: ArrayView, source: Node, value: Array) -> Iterator[tuple[str, Array]]:
    """The derivative with another value of a node that is moved about, not computed with, before it is weighed."""

    def change(part: GradientPart) -> Array | None:
        if part.use.op is not matmul:
            return None
        data = array.structure.moved_value(part.use.inputs[1 - part.place], source, value)
        return None if data is None else array.pulled(part, data=data)

    return array.with_parts(change)


@array_mistake(
    "another parameter's gradient",
    "The array is the right gradient of another parameter with the same shape: the two were mixed up.",
    "check which array is returned under which name",
)
def swapped(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """The gradient of another parameter of the same shape."""
    for other, node in array.backward.parameters.items():
        if other != array.name and node.shape == array.gradient.shape:
            yield f"it is that of {other}", array.walk.gradient(other)


# ---- tables of vectors


def _lookups(array: ArrayView) -> list[GradientPart]:
    parts = [part for part in array.parts if part.use.op is gather and part.place == 0 and part.use.attributes["axis"] == 0]
    return parts if parts and len(parts) == len(array.parts) else []


def _rows_of(structure: Structure, part: GradientPart) -> tuple[Array, Array]:
    ids = np.asarray(structure.backward.values[part.use.inputs[1]]).reshape(-1)
    return ids, part.arriving.reshape(ids.size, prod(part.arriving.shape[part.use.inputs[1].type.ndim :]))


@array_mistake(
    "repeated ids overwritten",
    "A row of the table that is looked up several times gets the sum of what all its uses pass back. Here only the last use is in it: "
    "dW[ids] = δ overwrites, and dW[ids] += δ adds each row once only, too.",
    "write np.add.at(dW, ids, δ)",
)
def ids_overwritten(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """The last use of each row."""
    if parts := _lookups(array):
        total = np.zeros_like(array.gradient)
        for part in parts:
            ids, rows = _rows_of(array.structure, part)
            shape = total.shape
            for place, row in zip(ids, rows, strict=True):
                total[int(place)] = row.reshape(shape[1:])
        yield "", total


@array_mistake(
    "mean over repeated ids",
    "A row of the table that is looked up several times gets the sum of what all its uses pass back. Here their mean was taken.",
    "add them up: np.add.at(dW, ids, δ)",
)
def ids_averaged(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """The sum over the uses of each row, divided by their number."""
    if parts := _lookups(array):
        counts = np.zeros(array.gradient.shape[0])
        for part in parts:
            np.add.at(counts, _rows_of(array.structure, part)[0], 1)
        yield "", array.gradient / np.maximum(counts, 1).reshape(-1, *(1,) * (array.gradient.ndim - 1))


@array_mistake(
    "gradient rows moved by one",
    "Row i of the table belongs to the id i, counted from 0. Here the rows stand one place off, as when ids are counted from 1.",
    "count ids from 0",
)
def ids_moved(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """Each row one place further, or one back."""
    if _lookups(array) and array.gradient.shape[0] > 2:
        yield "one further", np.roll(array.gradient, 1, axis=0)
        yield "one back", np.roll(array.gradient, -1, axis=0)
