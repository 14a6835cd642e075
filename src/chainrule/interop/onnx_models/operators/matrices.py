"""Matrix products, sums over named axes, and what is made of them."""

from __future__ import annotations

from functools import reduce
from math import prod

import numpy as np

from chainrule import ops
from chainrule.graph import Array, Node, constant
from chainrule.graph.node import normal_axis
from chainrule.interop.onnx_models.call import Call, operator
from chainrule.interop.onnx_models.operators.arithmetic import quantised_to
from chainrule.interop.onnx_models.operators.reductions import dropped


def product(a: Node, b: Node) -> Node:
    """The matrix product as NumPy has it, of whole numbers too."""
    if not a.type.is_float:
        found = product(ops.cast(a, dtype="float64"), ops.cast(b, dtype="float64"))
        return ops.cast(found, dtype=a.dtype)
    left = ops.reshape(a, shape=(1, *a.shape)) if a.type.ndim == 1 else a
    right = ops.reshape(b, shape=(*b.shape, 1)) if b.type.ndim == 1 else b
    found = ops.matmul(left, right)
    ndim = found.type.ndim
    gone = (*((ndim - 2,) if a.type.ndim == 1 else ()), *((ndim - 1,) if b.type.ndim == 1 else ()))
    return dropped(found, gone) if gone else found


@operator("MatMul")
def matmul(call: Call, a: Node, b: Node) -> Node:
    """The matrix product."""
    return product(a, b)


@operator("Gemm")
def gemm(
    call: Call, a: Node, b: Node, c: Node | None = None, *, alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0,
    broadcast: int = 1,
) -> Node:  # fmt: skip
    """alpha·a·b + beta·c."""
    left, right = (ops.swap_last(a) if transA else a), (ops.swap_last(b) if transB else b)
    found = product(left, right)
    found = found if alpha == 1 else found * alpha
    if c is None:
        return found
    return found + (c if beta == 1 else c * beta)


@operator("MatMulInteger")
def whole_product(call: Call, a: Node, b: Node, a_zero: Node | None = None, b_zero: Node | None = None) -> Node:
    """The product of whole numbers, each less its zero, as int32."""
    left, right = ops.cast(a, dtype="float64"), ops.cast(b, dtype="float64")
    if a_zero is not None:
        zero = ops.cast(a_zero, dtype="float64")
        left = left - (ops.reshape(zero, shape=(*zero.shape, 1)) if zero.type.ndim == 1 and zero.shape[0] > 1 else zero)
    if b_zero is not None:
        right = right - ops.cast(b_zero, dtype="float64")
    return ops.cast(product(left, right), dtype="int32")


@operator("QLinearMatMul")
def quantised_product(
    call: Call, a: Node, a_scale: Node, a_zero: Node, b: Node, b_scale: Node, b_zero: Node, y_scale: Node, y_zero: Node
) -> Node:
    """The product of quantised numbers, quantised."""
    found = ops.cast(whole_product(call, a, b, a_zero, b_zero), dtype=a_scale.dtype) * (a_scale * b_scale)
    return quantised_to(call, call.kind(7, y_zero), found, y_scale, y_zero)


@operator("Det")
def determinant(call: Call, x: Node) -> Node:
    """The determinant of each matrix, by its minors; up to six rows."""
    n = x.shape[-1]
    if x.type.ndim < 2 or x.shape[-2] != n or n > 6:
        raise call.unsupported(f"the determinant of {x.type!r}", "give square matrices of at most 6 rows")
    rows = [[_entry(x, i, j) for j in range(n)] for i in range(n)]
    return _minors(rows) if n else ops.broadcast_to(constant(1.0, x.dtype), shape=x.shape[:-2])


def _entry(x: Node, i: int, j: int) -> Node:
    one = ops.slice_axis(ops.slice_axis(x, x.type.ndim - 2, i, i + 1), x.type.ndim - 1, j, j + 1)
    return ops.reshape(one, shape=x.shape[:-2])


def _minors(rows: list[list[Node]]) -> Node:
    if len(rows) == 1:
        return rows[0][0]
    parts = [
        rows[0][j] * _minors([row[:j] + row[j + 1 :] for row in rows[1:]]) * (-1.0 if j % 2 else 1.0) for j in range(len(rows))
    ]
    return reduce(ops.add, parts)


# ---- sums over named axes


@operator("Einsum")
def einsum(call: Call, *inputs: Node, equation: str) -> Node:
    """Products of arrays whose axes have names, summed over those that the result does not name."""
    terms, result = _terms(call, equation.replace(" ", ""), inputs)
    labelled = [_diagonal(node, names) for node, names in zip(inputs, terms, strict=True)]
    while len(labelled) > 1:
        first, second, *rest = labelled
        kept = set(result).union(*(names for _, names in rest))
        labelled = [_contracted(first, second, kept), *rest]
    node, names = labelled[0]
    gone = tuple(place for place, name in enumerate(names) if name not in result)
    node = ops.sum(node, gone) if gone else node
    left = [name for name in names if name in result]
    return ops.transpose(node, axes=tuple(left.index(name) for name in result)) if left != list(result) else node


def _terms(call: Call, equation: str, inputs: tuple[Node, ...]) -> tuple[list[str], str]:
    """The names of the axes of each input and of the result, an ellipsis as names of its own."""
    before, arrow, after = equation.partition("->")
    terms = before.split(",")
    spare = "".join(chr(place) for place in range(0x3B1, 0x3B1 + 64))
    if len(terms) != len(inputs):
        raise call.wrong(f"{equation!r} for {len(inputs)} inputs", "one term to an input")
    counts = [node.type.ndim - len(term.replace("...", "")) for node, term in zip(inputs, terms, strict=True)]
    widest = max((count for count, term in zip(counts, terms, strict=True) if "..." in term), default=0)
    dots = spare[:widest]
    filled = [term.replace("...", dots[widest - count :]) for term, count in zip(terms, counts, strict=True)]
    if any(len(term) != node.type.ndim for term, node in zip(filled, inputs, strict=True)):
        raise call.wrong(f"{equation!r} for {', '.join(repr(node.type) for node in inputs)}", "a name to each axis")
    if not arrow:
        letters = "".join(filled)
        after = ("..." if dots else "") + "".join(sorted(name for name in set(letters) - set(dots) if letters.count(name) == 1))
    return filled, after.replace("...", dots)


def _diagonal(node: Node, names: str) -> tuple[Node, str]:
    """The entries where axes of one name have one place."""
    for name in dict.fromkeys(names):
        while names.count(name) > 1:
            first = names.index(name)
            second = names.index(name, first + 1)
            order = (first, second, *(place for place in range(len(names)) if place not in {first, second}))
            node = ops.transpose(node, axes=order)
            extent, rest = node.shape[0], node.shape[2:]
            node = ops.gather(
                ops.reshape(node, shape=(extent * node.shape[1], *rest)),
                constant(np.arange(extent) * (node.shape[1] + 1)),
                axis=0,
            )
            names = name + "".join(names[place] for place in order[2:])
    return node, names


def _contracted(first: tuple[Node, str], second: tuple[Node, str], kept: set[str]) -> tuple[Node, str]:
    """Two arrays as one, by a matrix product over the names that both have and nobody needs any more."""
    (a, left), (b, right) = first, second
    a, left = _summed(a, left, kept | set(right))
    b, right = _summed(b, right, kept | set(left))
    both = [name for name in left if name in right and name in kept]
    inner = [name for name in left if name in right and name not in kept]
    own = [name for name in left if name not in right]
    other = [name for name in right if name not in left]
    extent = {name: max(_extent(a, left, name), _extent(b, right, name)) for name in dict.fromkeys(left + right)}
    a, b = _whole(a, left, [*both, *inner], extent), _whole(b, right, [*both, *inner], extent)

    def grouped(node: Node, names: str, *groups: list[str]) -> Node:
        ordered = ops.transpose(node, axes=tuple(names.index(name) for group in groups for name in group))
        return ops.reshape(ordered, shape=tuple(prod(extent[name] for name in group) for group in groups))

    found = product(grouped(a, left, both, own, inner), grouped(b, right, both, inner, other))
    names = [*both, *own, *other]
    return ops.reshape(found, shape=tuple(extent[name] for name in names)), "".join(names)


def _extent(node: Node, names: str, name: str) -> int:
    return node.shape[names.index(name)] if name in names else 1


def _whole(node: Node, names: str, shared: list[str], extent: dict[str, int]) -> Node:
    shape = tuple(extent[name] if name in shared else size for name, size in zip(names, node.shape, strict=True))
    return node if shape == node.shape else ops.broadcast_to(node, shape=shape)


def _summed(node: Node, names: str, kept: set[str]) -> tuple[Node, str]:
    gone = tuple(place for place, name in enumerate(names) if name not in kept)
    return (ops.sum(node, gone), "".join(name for name in names if name in kept)) if gone else (node, names)


# ---- along one axis by a matrix


def mixed(x: Node, axis: int, weights: Array) -> Node:
    """Entries of an axis as sums of its entries: weights (new extent, extent)."""
    order = (*(place for place in range(x.type.ndim) if place != axis), axis)
    last = ops.transpose(x, axes=order) if order != tuple(range(x.type.ndim)) else x
    rows = ops.reshape(last, shape=(prod(last.shape[:-1]), last.shape[-1]))
    found = ops.matmul(rows, constant(np.ascontiguousarray(weights.T), x.dtype))
    found = ops.reshape(found, shape=(*last.shape[:-1], weights.shape[0]))
    back = tuple(order.index(place) for place in range(x.type.ndim))
    return ops.transpose(found, axes=back) if back != tuple(range(x.type.ndim)) else found


@operator("DFT")
def fourier(
    call: Call,
    x: Node,
    length: Node | None = None,
    place: Node | None = None,
    *,
    axis: int | None = None,
    inverse: int = 0,
    onesided: int = 0,
) -> Node:
    """The discrete Fourier transform of an axis; real and imaginary parts stand along the last one."""
    told = (
        int(call.number(place, "axis")) if place is not None else axis if axis is not None else 1 if call.version < 20 else -2
    )
    axis = normal_axis(call.label, told, x.type.ndim)
    usual = 2 * (x.shape[axis] - 1) if inverse and onesided else x.shape[axis]
    n = int(call.number(length, "dft_length")) if length is not None else usual
    return spectrum(call, x, axis, n, inverse=bool(inverse), onesided=bool(onesided))


def spectrum(call: Call, x: Node, axis: int, n: int, *, inverse: bool, onesided: bool) -> Node:
    """The transform of n entries of an axis, zeros behind those that there are."""
    given, last = x.shape[axis], x.type.ndim - 1
    if n < 1 or n * n > 2**24 or axis == last or x.shape[last] not in {1, 2}:
        raise call.unsupported(f"a transform of {n} entries of {x.type!r} on axis {axis}")
    both = inverse and onesided
    count = n // 2 + 1 if onesided and not inverse else n
    angle = 2 * np.pi * np.outer(np.arange(count), np.arange(n if not both else n // 2 + 1)) / n * (1 if inverse else -1)
    used = min(given, angle.shape[1])
    factor = np.ones(angle.shape[1]) / (n if inverse else 1)
    if both:
        factor[1 : (n + 1) // 2] *= 2
    cosines, sines = (part[:, :used] * factor[:used] for part in (np.cos(angle), np.sin(angle)))
    x = ops.slice_axis(x, axis, 0, used) if used < given else x
    real = ops.slice_axis(x, last, 0, 1)
    parts = [mixed(real, axis, cosines), mixed(real, axis, sines)]
    if x.shape[last] == 2:
        imaginary = ops.slice_axis(x, last, 1, 2)
        parts = [parts[0] - mixed(imaginary, axis, sines), parts[1] + mixed(imaginary, axis, cosines)]
    return parts[0] if both else ops.concatenate(*parts, axis=last)


@operator("STFT")
def short_spectrum(
    call: Call, x: Node, step: Node, window: Node | None = None, length: Node | None = None, *, onesided: int = 1
) -> Node:
    """The Fourier transforms of windows that slide over a signal (batch, length, 1 or 2)."""
    stride = int(call.number(step, "frame_step"))
    n = int(call.number(length, "frame_length")) if length is not None else window.shape[0] if window is not None else 0
    x = x if x.type.ndim == 3 else ops.reshape(x, shape=(*x.shape, 1))
    frames = ops.windows(x, axes=(1,), taps=(n,), strides=(stride,), dilations=(1,))
    if window is not None:
        frames = frames * ops.reshape(window, shape=(1, 1, n, 1))
    return spectrum(call, frames, 2, n, inverse=False, onesided=bool(onesided))
