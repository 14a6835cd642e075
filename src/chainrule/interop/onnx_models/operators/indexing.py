"""Reading and writing at places that are data."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.errors import ShapeError
from chainrule.graph import Node, Shape, constant
from chainrule.graph.node import normal_axis
from chainrule.interop.onnx_models.call import Call, operator
from chainrule.interop.onnx_models.operators.reductions import total
from chainrule.interop.onnx_models.operators.shapes import MOST, small
from chainrule.interop.onnx_models.operators.whole import full

MOST_COMPARED = 2**16
"""Up to how many pairs of an index and a place, to a row, are compared."""


def from_zero(indices: Node, extent: int) -> Node:
    """Places as they are counted from 0; those below 0 count from the end."""
    wide = indices if indices.dtype == "int64" else ops.cast(indices, dtype="int64")
    return ops.where(ops.less(wide, 0), wide + extent, wide)


def settled(call: Call, indices: Node, extent: int) -> Node:
    """The same, as a constant where they are known: what stands in the graph is then what is read."""
    if call.source.own:
        return indices
    found = from_zero(indices, extent)
    return constant(call.source.known(found, call.label)) if call.source.is_known(found) else found


def flat(places: Sequence[Node], shape: Shape) -> Node:
    """Where entries stand in an array that is read in order, from their places on each axis: int64."""
    found = places[0]
    for place, extent in zip(places[1:], shape[1:], strict=True):
        found = found * extent + place
    return found


def own_places(shape: Shape, axis: int) -> Node:
    """Each entry's own place on an axis."""
    if shape[axis] > MOST:
        raise ShapeError(f"an axis of {shape[axis]} entries", expected=f"at most {MOST}", remedy="give a smaller model")
    row = np.arange(shape[axis], dtype=np.int64).reshape([-1 if place == axis else 1 for place in range(len(shape))])
    return ops.broadcast_to(constant(row), shape=shape)


@operator("Gather")
def gathered(call: Call, x: Node, indices: Node, *, axis: int = 0) -> Node:
    """Entries of an axis by their places."""
    place = normal_axis(call.label, axis, x.type.ndim)
    return ops.gather(x, settled(call, indices, x.shape[place]), axis=place)


def taken(x: Node, indices: Node, axis: int) -> Node:
    """Along an axis the entries at `indices`, places from 0, each beside its own place on the other axes."""
    shape = indices.shape
    places = [indices if place == axis else own_places(shape, place) for place in range(len(shape))]
    if not shape:
        return x
    return ops.gather(ops.reshape(x, shape=(x.type.size,)), flat(places, x.shape), axis=0)


@operator("GatherElements")
def gathered_elements(call: Call, x: Node, indices: Node, *, axis: int = 0) -> Node:
    """Along an axis the entries at these places, each beside its own place on the other axes."""
    place = normal_axis(call.label, axis, x.type.ndim)
    if place and indices.shape[:place] == x.shape[:place] and indices.shape[place + 1 :] == x.shape[place + 1 :]:
        row = _common_row(call, indices, place, x.shape[place])
        if row is not None:
            return ops.gather(x, row, axis=place)
        if indices.shape[place] * x.shape[place] <= MOST_COMPARED and x.dtype != "bool":
            return _compared(x, from_zero(indices, x.shape[place]), place)
    return taken(x, settled(call, indices, x.shape[place]), place)


def _common_row(call: Call, indices: Node, axis: int, extent: int) -> Node | None:
    """The places of an axis where they are known, and the same wherever else an entry stands."""
    if not call.source.is_known(indices) or not indices.type.size:
        return None
    known = np.moveaxis(call.source.known(indices, call.label), axis, -1).reshape(-1, indices.shape[axis])
    return constant(np.where(known[0] < 0, known[0] + extent, known[0]).astype(np.int64)) if np.all(known == known[0]) else None


def _compared(x: Node, indices: Node, axis: int) -> Node:
    """Entries found by comparing each index with every place: no count of the rows stands in the graph, so that there may be any."""
    last, wanted = _to_end(x, axis), _to_end(indices, axis)
    shape = (*wanted.shape, last.shape[-1])
    mine = ops.broadcast_to(ops.reshape(wanted, shape=(*wanted.shape, 1)), shape=shape)
    there = ops.equal(mine, ops.broadcast_to(constant(np.arange(shape[-1], dtype=np.int64)), shape=shape))
    rows = ops.broadcast_to(ops.reshape(last, shape=(*last.shape[:-1], 1, last.shape[-1])), shape=shape)
    return _from_end(total(ops.where(there, rows, full(0, x, shape)), (len(shape) - 1,), keepdims=False), axis)


def _rows(call: Call, indices: Node, shape: Shape, batch: Shape = ()) -> Node:
    """For tuples of places along the last axis where the rows behind them stand, in an array whose first axes are flattened."""
    depth = indices.shape[-1]
    spread = len(batch)
    if depth + spread > len(shape):
        raise call.wrong(f"tuples of {depth} places for an array of shape {shape}", f"at most {len(shape) - spread}")
    outside = indices.shape[:-1]
    places = [own_places(outside, axis) for axis in range(spread)]
    for number in range(depth):
        one = ops.reshape(ops.slice_axis(indices, -1, number, number + 1), shape=outside)
        places.append(settled(call, one, shape[spread + number]))
    return flat(places, shape[: spread + depth])


@operator("GatherND")
def gathered_nd(call: Call, x: Node, indices: Node, *, batch_dims: int = 0) -> Node:
    """Rows by tuples of places."""
    depth = indices.shape[-1] + batch_dims
    rows = _rows(call, indices, x.shape, x.shape[:batch_dims])
    flattened = ops.reshape(x, shape=(prod(x.shape[:depth]), *x.shape[depth:]))
    return ops.gather(flattened, rows, axis=0)


# ---- writing


def _written(call: Call, x: Node, places: Node, updates: Node, reduction: str) -> Node:
    """x (n, ...) with updates (m, ...) at m places of its first axis: put there, or added, multiplied, compared with what stands there."""
    if reduction == "add" and x.dtype != "bool":
        return ops.scatter_add(x, places, updates, axis=0)
    count = places.type.size
    if not count:
        return x
    if reduction == "none":
        ones = full(1, constant(0, "int64"), places.shape)
        hit = ops.scatter_add(full(0, ones, (x.shape[0],)), places, ones, axis=0)
        mask = _spread(ops.greater(hit, 0), x)
        as_number = updates if x.dtype != "bool" else ops.cast(updates, dtype="int64")
        put = ops.scatter_add(full(0, as_number, x.shape), places, as_number, axis=0)
        return ops.where(mask, put if x.dtype != "bool" else ops.greater(put, 0), x)
    if count * x.type.size > 2**24:
        raise call.unsupported(f"reduction={reduction!r} of {count} updates")
    merge = {"mul": ops.multiply, "max": ops.maximum, "min": ops.minimum}.get(reduction)
    if merge is None:
        raise call.unsupported(f"reduction={reduction!r}")
    flat_places = ops.reshape(places, shape=(count,))
    rows = ops.reshape(updates, shape=(count, *x.shape[1:]))
    for number in range(count):
        here = ops.equal(constant(np.arange(x.shape[0], dtype=np.int64)), ops.slice_axis(flat_places, 0, number, number + 1))
        row = ops.broadcast_to(ops.slice_axis(rows, 0, number, number + 1), shape=x.shape)
        x = ops.where(_spread(here, x), merge(x, row), x)
    return x


def _spread(mask: Node, x: Node) -> Node:
    return ops.broadcast_to(ops.reshape(mask, shape=(x.shape[0], *(1 for _ in x.shape[1:]))), shape=x.shape)


@operator("ScatterElements", "Scatter")
def scattered_elements(call: Call, x: Node, indices: Node, updates: Node, *, axis: int = 0, reduction: str = "none") -> Node:
    """x with entries put along an axis, each beside its own place on the other axes."""
    place = normal_axis(call.label, axis, x.type.ndim)
    shape = indices.shape
    if reduction == "add" and shape[:place] + shape[place + 1 :] == x.shape[:place] + x.shape[place + 1 :]:
        row = _common_row(call, indices, place, x.shape[place])
        if row is not None:
            return ops.scatter_add(x, row, updates, axis=place)
    here = settled(call, indices, x.shape[place])
    places = flat([here if other == place else own_places(shape, other) for other in range(len(shape))], x.shape)
    size = indices.type.size
    found = _written(
        call,
        ops.reshape(x, shape=(x.type.size,)),
        ops.reshape(places, shape=(size,)),
        ops.reshape(updates, shape=(size,)),
        reduction,
    )
    return ops.reshape(found, shape=x.shape)


@operator("ScatterND")
def scattered_nd(call: Call, x: Node, indices: Node, updates: Node, *, reduction: str = "none") -> Node:
    """x with rows put at tuples of places."""
    depth = indices.shape[-1]
    rows = _rows(call, indices, x.shape)
    count, rest = rows.type.size, x.shape[depth:]
    flattened = ops.reshape(x, shape=(prod(x.shape[:depth]), *rest))
    found = _written(call, flattened, ops.reshape(rows, shape=(count,)), ops.reshape(updates, shape=(count, *rest)), reduction)
    return ops.reshape(found, shape=x.shape)


@operator("TensorScatter")
def tensor_scattered(
    call: Call, past: Node, update: Node, first: Node | None = None, *, axis: int = -2, mode: str = "linear"
) -> Node:
    """A memory with rows of an update put on an axis, from a place of each example on."""
    axis = normal_axis(call.label, axis, past.type.ndim)
    extent, count = past.shape[axis], update.shape[axis]
    begin = first if first is not None else constant(np.zeros(past.shape[0], dtype=np.int64))
    begin = ops.reshape(ops.cast(begin, dtype="int64"), shape=(past.shape[0], *(1 for _ in past.shape[1:])))
    steps = own_places(past.shape, axis) - ops.broadcast_to(begin, shape=past.shape)
    if mode == "circular":
        steps = ops.where(ops.less(steps, 0), steps + extent, steps)
    inside = ops.logical_and(ops.greater_equal(steps, 0), ops.less(steps, count))
    rows = taken(update, ops.where(inside, steps, 0), axis)
    return ops.where(inside, rows, past)


@operator("OneHot")
def one_hot(call: Call, indices: Node, depth: Node, values: Node, *, axis: int = -1) -> Node:
    """One value at each index, another elsewhere, along a new axis."""
    count = int(call.number(depth, "depth"))
    (count,) = small(call, [count])
    whole = indices if not indices.type.is_float else ops.cast(indices, dtype="int64")
    found = ops.one_hot(from_zero(whole, count), classes=count, dtype="float64")
    place, ndim = normal_axis(call.label, axis, indices.type.ndim + 1), indices.type.ndim
    order = list(range(ndim))
    order.insert(place, ndim)
    is_there = ops.greater(ops.transpose(found, axes=tuple(order)) if ndim else found, 0.5)
    off, on = (
        ops.broadcast_to(ops.reshape(ops.slice_axis(values, 0, i, i + 1), shape=()), shape=is_there.shape) for i in (0, 1)
    )
    return ops.where(is_there, on, off)


# ---- order


@operator("TopK")
def top(call: Call, x: Node, k: Node | None = None, *, axis: int = -1, largest: int = 1, sorted: int = 1, **old: int) -> Any:  # noqa: A002  (ONNX's name)
    """The k largest or smallest entries of an axis in order, and their places: each entry's rank is how many stand before it."""
    count = int(call.number(k, "k")) if k is not None else old.get("k", 0)
    place = normal_axis(call.label, axis, x.type.ndim)
    extent = x.shape[place]
    if not 0 <= count <= extent:
        raise call.wrong(f"k={count} of {extent} entries", "at most all of them")
    if x.type.size * extent > 2**24:
        raise call.unsupported(f"the order of {extent} entries, {x.type.size} in all")
    last = _to_end(x, place)
    places = ops.cast(ops.argmax(_at_rank(last, ranks(last, largest=bool(largest)), count), axis=last.type.ndim), dtype="int64")
    values = taken(last, places, last.type.ndim - 1)
    return _from_end(values, place), _from_end(places, place)


def ranks(x: Node, *, largest: bool = True) -> Node:
    """How many entries of a row stand before each: larger ones, and equal ones with a lower place."""
    extent = x.shape[-1]
    shape = (*x.shape, extent)
    mine = ops.broadcast_to(ops.reshape(x, shape=(*x.shape, 1)), shape=shape)
    other = ops.broadcast_to(ops.reshape(x, shape=(*x.shape[:-1], 1, extent)), shape=shape)
    earlier = ops.broadcast_to(constant(np.tri(extent, k=-1, dtype=bool)), shape=shape)
    ahead = ops.greater(other, mine) if largest else ops.less(other, mine)
    before = ops.logical_or(ahead, ops.logical_and(ops.equal(other, mine), earlier))
    return ops.sum(ops.cast(before, dtype="int64"), -1)


def _at_rank(x: Node, rank: Node, count: int) -> Node:
    """1 where an entry of a row has a rank, (..., count, extent)."""
    shape = (*x.shape[:-1], count, x.shape[-1])
    mine = ops.broadcast_to(ops.reshape(rank, shape=(*x.shape[:-1], 1, x.shape[-1])), shape=shape)
    wanted = ops.broadcast_to(constant(np.arange(count, dtype=np.int64)[:, None]), shape=shape)
    return ops.cast(ops.equal(mine, wanted), dtype="int64")


def _to_end(x: Node, axis: int) -> Node:
    order = (*(place for place in range(x.type.ndim) if place != axis), axis)
    return ops.transpose(x, axes=order)


def _from_end(x: Node, axis: int) -> Node:
    order = list(range(x.type.ndim - 1))
    order.insert(axis, x.type.ndim - 1)
    return ops.transpose(x, axes=tuple(order))


@operator("ReverseSequence")
def reversed_sequence(call: Call, x: Node, lengths: Node, *, batch_axis: int = 1, time_axis: int = 0) -> Node:
    """The first entries of each example, as many as its length, in the opposite order."""
    rows = ops.reshape(lengths, shape=tuple(x.shape[batch_axis] if place == batch_axis else 1 for place in range(x.type.ndim)))
    rows = ops.broadcast_to(ops.cast(rows, dtype="int64"), shape=x.shape)
    here = own_places(x.shape, time_axis)
    return taken(x, ops.where(ops.less(here, rows), rows - 1 - here, here), time_axis)


# ---- where the result's shape is data: only of what is known


@operator("NonZero")
def nonzero(call: Call, x: Node) -> Node:
    """The places of entries that are not 0, of a known array."""
    if not call.source.is_known(x):
        raise call.unsupported("how many entries of data are not 0, which no shape can go by")
    return constant(np.asarray(np.nonzero(call.known(x, "the input")), dtype=np.int64))


@operator("Compress")
def compressed(call: Call, x: Node, condition: Node, *, axis: int | None = None) -> Node:
    """The entries for which a known condition holds."""
    places = np.flatnonzero(call.known(condition, "the condition"))
    x, place = (ops.reshape(x, shape=(x.type.size,)), 0) if axis is None else (x, normal_axis(call.label, axis, x.type.ndim))
    return ops.gather(x, constant(places.astype(np.int64)), axis=place)
