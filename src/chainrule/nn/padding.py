"""What is put around a picture before windows slide over it: zeros, the opposite edge, or the mirrored inside; and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

from chainrule import ops
from chainrule.errors import ShapeError
from chainrule.graph import Node, Shape

Padding: TypeAlias = Literal["valid", "same", "periodic", "reflect"]
"""The names that a layer takes; "valid" is none at all."""
PADDINGS: tuple[str, ...] = get_args(Padding)
Amounts: TypeAlias = "Sequence[tuple[int, int]]"
"""How many entries stand before and behind each axis of space."""


def same_amounts(extents: Shape, spans: Shape, strides: Shape) -> Amounts:
    """So much that windows have ⌈extent/stride⌉ positions; where it cannot be halved the odd one stands behind.

    >>> same_amounts((28, 7), (5, 2), (1, 2))
    [(2, 2), (0, 1)]
    """
    totals = [max((-(-n // s) - 1) * s + span - n, 0) for n, span, s in zip(extents, spans, strides, strict=True)]
    return [(total // 2, total - total // 2) for total in totals]


def padded(x: Node, amounts: Amounts, how: str) -> Node:
    """x (batch, space..., channels) with so many entries around its space: zeros ("same"), "periodic" or "reflect" ones.

    Raises: ShapeError where the picture has too few entries to be continued so.
    """
    if how == "same":
        low, high = ((0, *(pair[side] for pair in amounts), 0) for side in (0, 1))
        return ops.pad(x, low=low, high=high, interior=(0,) * x.type.ndim) if any((*low, *high)) else x
    for axis, (low, high) in enumerate(amounts, 1):
        if low or high:
            x = _continued(x, axis, low, high, how)
    return x


def folded(x: Node, amounts: Amounts, how: str) -> Node:
    """The adjoint of `padded`: what stands around the space of x is cut off, and added to the entries that it was a copy of.

    For all x and y, the product of padded(x) and y is that of x and folded(y).
    """
    for axis, (low, high) in enumerate(amounts, 1):
        if low or high:
            x = _gathered(x, axis, low, high, how)
    return x


def _continued(x: Node, axis: int, low: int, high: int, how: str) -> Node:
    pieces = [ops.slice_axis(x, axis, *span) for span in _copied(x, axis, low, high, how)]
    if how == "reflect":
        pieces = [ops.flip(piece, axes=(axis,)) for piece in pieces]
    return ops.concatenate(*(piece for piece in (pieces[0], x, pieces[1]) if piece.shape[axis]), axis=axis)


def _gathered(x: Node, axis: int, low: int, high: int, how: str) -> Node:
    whole = x.shape[axis]
    inside = total = ops.slice_axis(x, axis, low, whole - high)
    if how == "same":
        return inside
    around = ((0, low), (whole - high, whole))
    for (start, stop), place in zip(_copied(inside, axis, low, high, how), around, strict=True):
        if start < stop:
            piece = ops.slice_axis(x, axis, *place)
            piece = ops.flip(piece, axes=(axis,)) if how == "reflect" else piece
            before, behind = (_along(axis, n, x.type.ndim) for n in (start, inside.shape[axis] - stop))
            total = total + ops.pad(piece, low=before, high=behind, interior=(0,) * x.type.ndim)
    return total


def _along(axis: int, amount: int, ndim: int) -> Shape:
    return tuple(amount if i == axis else 0 for i in range(ndim))


def _copied(x: Node, axis: int, low: int, high: int, how: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Which entries of an axis stand once more before it, and which behind it."""
    extent, edge = x.shape[axis], int(how == "reflect")
    if max(low, high) > extent - edge:
        raise ShapeError(
            f"{how} padding of {x.type!r} by {low} and {high} on axis {axis}",
            expected=f"at most {extent - edge} on either side",
            remedy="choose a smaller kernel, or other padding",
        )
    if how == "periodic":
        return (extent - low, extent), (0, high)
    return (1, 1 + low), (extent - 1 - high, extent - 1)
