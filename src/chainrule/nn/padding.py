"""What is put around a picture before windows slide over it: zeros, the opposite edge, or the mirrored inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from chainrule import ops
from chainrule.errors import ShapeError
from chainrule.graph import Node, Shape

PADDINGS = ("valid", "same", "periodic", "reflect")
"""The names that a layer takes; "valid" is none at all."""
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


def _continued(x: Node, axis: int, low: int, high: int, how: str) -> Node:
    extent, edge = x.shape[axis], int(how == "reflect")
    if max(low, high) > extent - edge:
        raise ShapeError(
            f"{how} padding of {x.type!r} by {low} and {high} on axis {axis}",
            expected=f"at most {extent - edge} on either side",
            remedy="choose a smaller kernel, or other padding",
        )
    if how == "periodic":
        before, behind = (extent - low, extent), (0, high)
    else:
        before, behind = (1, 1 + low), (extent - 1 - high, extent - 1)
    pieces = [ops.slice_axis(x, axis, *span) for span in (before, behind)]
    if how == "reflect":
        pieces = [ops.flip(piece, axes=(axis,)) for piece in pieces]
    return ops.concatenate(*(piece for piece in (pieces[0], x, pieces[1]) if piece.shape[axis]), axis=axis)
