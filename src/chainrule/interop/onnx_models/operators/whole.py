"""Arithmetic that our ops have for floats only, or not at all: whole quotients, remainders, bits, rounding."""

from __future__ import annotations

import numpy as np

from chainrule import ops
from chainrule.graph import Node, constant
from chainrule.interop.onnx_models.package import LIMITS, WIDER

BITS = {"uint8": 8, "int32": 32, "uint32": 32, "int64": 64}


def is_whole(x: Node) -> bool:
    """Whether it holds whole numbers."""
    return x.dtype in BITS


def full(value: float, like: Node, shape: tuple[int, ...] | None = None) -> Node:
    """One number everywhere, of the dtype of a node."""
    return ops.broadcast_to(constant(value, like.dtype), shape=like.shape if shape is None else shape)


def floor_quotient(x: Node, y: Node) -> Node:
    """⌊x/y⌋ of int64; float64 finds it to 53 bits, and a second time the rest."""
    found = _rough(x, y)
    found = found + _rough(x - found * y, y)
    rest = x - found * y
    # Where it was rounded up, or down, to the next whole number.
    outside = ops.logical_and(ops.not_equal(rest, 0), ops.not_equal(ops.sign(rest), ops.sign(y)))
    return found - ops.cast(outside, dtype="int64")


def _rough(x: Node, y: Node) -> Node:
    return ops.cast(ops.floor(ops.divide(ops.cast(x, dtype="float64"), ops.cast(y, dtype="float64"))), dtype="int64")


def quotient(x: Node, y: Node) -> Node:
    """x/y of whole numbers, cut towards zero; of the dtype of x."""
    a, b = ops.cast(x, dtype="int64"), ops.cast(y, dtype="int64")
    found = floor_quotient(a, b)
    exact = ops.equal(found * b, a)
    cut = ops.logical_and(ops.less(found, 0), ops.logical_not(exact))
    return ops.cast(found + ops.cast(cut, dtype="int64"), dtype=x.dtype)


def remainder(x: Node, y: Node, *, of_quotient: bool = False) -> Node:
    """x − ⌊x/y⌋·y; with `of_quotient` what is left when the quotient is cut towards zero, which has the sign of x."""
    if is_whole(x):
        a, b = ops.cast(x, dtype="int64"), ops.cast(y, dtype="int64")
        found = ops.cast(quotient(a, b), dtype="int64") if of_quotient else floor_quotient(a, b)
        return ops.cast(a - found * b, dtype=x.dtype)
    # In float64 quotients of float32 numbers keep their last digit before the point.
    a, b = (ops.cast(node, dtype="float64") for node in (x, y))
    size, unit = ops.absolute(a), ops.absolute(b)
    turns = ops.floor(size / unit)
    left = size - ops.where(ops.equal(turns, 0.0), 0.0, turns * unit)
    rest = ops.where(ops.less(a, 0.0), ops.negative(left), left)
    if not of_quotient:
        other_side = ops.logical_and(ops.not_equal(rest, 0.0), ops.not_equal(ops.less(rest, 0.0), ops.less(b, 0.0)))
        rest = ops.where(other_side, rest + b, rest)
    return ops.cast(rest, dtype=x.dtype)


def held(x: Node, kind: int) -> Node:
    """Whole numbers as a kind that nodes cannot have holds them: sums and products go round. Others as they are."""
    if kind not in WIDER or kind not in LIMITS:
        return x
    low, high = LIMITS[kind]
    return remainder(x - full(low, x), full(high - low + 1, x)) + full(low, x)


def ceiling(x: Node) -> Node:
    """The smallest whole number not below x."""
    return ops.negative(ops.floor(ops.negative(x)))


def rounded(x: Node) -> Node:
    """The nearest whole number; of two the even one."""
    below = ops.floor(x)
    rest = x - below
    odd = ops.greater(below - ops.floor(below * 0.5) * 2.0, 0.5)
    up = ops.logical_or(ops.greater(rest, 0.5), ops.logical_and(ops.equal(rest, 0.5), odd))
    return ops.where(up, below + 1.0, below)


def bits(x: Node) -> Node:
    """The bits of whole numbers up to 32, the lowest first, along an axis behind the others: int64."""
    count = BITS[x.dtype]
    wide = ops.cast(x, dtype="int64")
    wide = wide if count == 8 else ops.where(ops.less(wide, 0), wide + 2**32, wide)
    spread = ops.broadcast_to(ops.reshape(wide, shape=(*x.shape, 1)), shape=(*x.shape, count))
    powers = ops.broadcast_to(constant(2 ** np.arange(count, dtype=np.int64)), shape=spread.shape)
    return remainder(floor_quotient(spread, powers), ops.broadcast_to(constant(2, "int64"), shape=spread.shape))


def from_bits(found: Node, dtype: str) -> Node:
    """The whole numbers of these bits."""
    powers = ops.broadcast_to(constant(2 ** np.arange(found.shape[-1], dtype=np.int64)), shape=found.shape)
    return ops.cast(ops.sum(found * powers, -1), dtype=dtype)


def whole_power(x: Node, y: Node) -> Node:
    """x to a whole power y of 0 or more, exact, by squaring."""
    factor, found = x, full(1, x, np.broadcast_shapes(x.shape, y.shape))
    rest = ops.cast(y, dtype="int64")
    for _ in range(31):
        half = floor_quotient(rest, full(2, rest))
        found = ops.where(ops.greater(rest - half * 2, 0), found * factor, found)
        factor, rest = factor * factor, half
    return found
