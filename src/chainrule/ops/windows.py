"""Windows that slide over axes, and their opposite, the sum of overlapping pieces: each the other's derivative."""

from __future__ import annotations

from itertools import product

import numpy as np

from chainrule.checks import Count, Natural, checked
from chainrule.errors import ShapeError
from chainrule.graph import Array, Node, Shape, Type
from chainrule.ops.declare import Gradients, op, require_axis, require_kind


@checked
def window_positions(extent: Natural, taps: Count, stride: Count = 1, dilation: Count = 1) -> int:
    """At how many positions a window stands wholly inside an axis; its taps are `dilation` apart, its positions `stride`.

    >>> window_positions(28, 5), window_positions(28, 2, stride=2), window_positions(7, 3, dilation=2)
    (24, 14, 3)
    """
    return max(0, extent - (taps - 1) * dilation - 1 + stride) // stride


def spans(sizes: Shape, dilations: Shape) -> Shape:
    """How far windows of these sizes reach from their first entry to their last."""
    return tuple((size - 1) * dilation + 1 for size, dilation in zip(sizes, dilations, strict=True))


def _require_windows(name: str, ndim: int, axes: Shape, *numbers: Shape) -> None:
    for axis in axes:
        require_axis(name, axis, ndim)
    lengths_agree = all(len(each) == len(axes) for each in numbers)
    if not axes or sorted(set(axes)) != list(axes) or not lengths_agree or any(n < 1 for each in numbers for n in each):
        raise ShapeError(
            f"{name} over axes {axes} with {', '.join(map(str, numbers))}",
            expected="one axis or more, each once, in rising order, and for each a whole number of 1 or more of every kind",
            remedy="write for example axes=(1, 2), taps=(5, 5), strides=(1, 1), dilations=(1, 1)",
        )


def _windows_type(x: Type, *, axes: Shape, taps: Shape, strides: Shape, dilations: Shape) -> Type:
    _require_windows("windows", x.ndim, axes, taps, strides, dilations)
    shape = list(x.shape)
    for axis, tap, stride, dilation in zip(axes, taps, strides, dilations, strict=True):
        shape[axis] = window_positions(x.shape[axis], tap, stride, dilation)
        if not shape[axis]:
            raise ShapeError(
                f"a window of {tap} taps, {dilation} apart, on an axis with {x.shape[axis]} entries in {x!r}",
                expected=f"an axis of {(tap - 1) * dilation + 1} entries or more",
                remedy="choose a smaller window, or pad the axis",
            )
    return x.with_shape((*shape[: axes[-1] + 1], *taps, *shape[axes[-1] + 1 :]))


@op(_windows_type, "windows({0})", r"\operatorname{{windows}}({0})", kind="view")
def windows(x: Array, *, axes: Shape, taps: Shape, strides: Shape, dilations: Shape) -> Array:
    """The entries that a window covers at each of its positions: w[..., p..., t..., ...] = x[..., p·stride + t·dilation, ...].

    Each of the axes becomes the window's positions; the axes of its taps stand behind the last of them. Nothing is copied: the
    result is another reading of the same memory, in which an entry of x stands as often as windows cover it.
    Shapes: x (n, height, width, channels) with axes=(1, 2) and taps=(a, b) gives (n, positions, positions, a, b, channels).

    >>> from chainrule.graph import constant, compute
    >>> x = constant([1.0, 2.0, 3.0, 4.0])
    >>> compute([windows(x, axes=(0,), taps=(3,), strides=(1,), dilations=(1,))])[0]
    array([[1., 2., 3.],
           [2., 3., 4.]])
    """
    # NumPy puts the taps last, all of them; every stride-th position and every dilation-th tap is kept.
    slid = np.lib.stride_tricks.sliding_window_view(x, spans(taps, dilations), axes)
    picked = [slice(None)] * x.ndim
    for axis, stride in zip(axes, strides, strict=True):
        picked[axis] = slice(None, None, stride)
    kept = slid[(*picked, *(slice(None, None, dilation) for dilation in dilations))]
    return np.moveaxis(kept, range(x.ndim, kept.ndim), range(axes[-1] + 1, axes[-1] + 1 + len(axes)))


@windows.vjp
def windows_vjp(g: Node, out: Node, x: Node, *, axes: Shape, taps: Shape, strides: Shape, dilations: Shape) -> Gradients:
    """Each entry gets what all the windows that cover it have."""
    extents = tuple(x.shape[axis] for axis in axes)
    return (overlap_add(g, axes=axes, extents=extents, strides=strides, dilations=dilations),)


def _overlap_type(x: Type, *, axes: Shape, extents: Shape, strides: Shape, dilations: Shape) -> Type:
    require_kind("overlap_add", x, "number")
    _require_windows("overlap_add", x.ndim - len(axes), axes, extents, strides, dilations)
    taps = x.shape[axes[-1] + 1 : axes[-1] + 1 + len(axes)]
    whole = list(x.shape[: axes[-1] + 1] + x.shape[axes[-1] + 1 + len(axes) :])
    for axis, extent in zip(axes, extents, strict=True):
        whole[axis] = extent
    made = x.with_shape(tuple(whole))
    wanted = _windows_type(made, axes=axes, taps=taps, strides=strides, dilations=dilations)
    if wanted != x:
        raise ShapeError(
            f"overlap_add of {x!r} into {made!r}",
            expected=f"windows of shape {wanted.shape}",
            remedy="give what windows(...) of such an array would be",
        )
    return made


@op(_overlap_type, "overlap({0})", r"\operatorname{{overlap}}({0})", kind="placement", rounding="terms")
def overlap_add(x: Array, *, axes: Shape, extents: Shape, strides: Shape, dilations: Shape) -> Array:
    """The opposite of `windows`: an array of these extents, each entry the sum of all windows' entries that stand on it.

    Shapes: x (..., positions..., taps..., ...), both along `axes`; result (..., extents..., ...), of x's dtype.

    >>> from chainrule.graph import constant, compute
    >>> w = constant([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    >>> compute([overlap_add(w, axes=(0,), extents=(4,), strides=(1,), dilations=(1,))])[0]
    array([ 1., 12., 23., 30.])
    """
    count, end = len(axes), axes[-1] + 1
    taps = x.shape[end : end + count]
    shape = list(x.shape[:end] + x.shape[end + count :])
    for axis, extent in zip(axes, extents, strict=True):
        shape[axis] = extent
    out = np.zeros(shape, x.dtype)
    for tap in product(*map(range, taps)):
        places = [slice(None)] * len(shape)
        for axis, at, stride, dilation in zip(axes, tap, strides, dilations, strict=True):
            places[axis] = slice(at * dilation, at * dilation + (x.shape[axis] - 1) * stride + 1, stride)
        out[tuple(places)] += x[(slice(None),) * end + tap]
    return out


def _axes_of_sum(x: Node, *, axes: Shape, **_: Shape) -> int:
    return x.type.ndim - len(axes)


overlap_add.axes_to_name = _axes_of_sum


@overlap_add.vjp
def overlap_add_vjp(g: Node, out: Node, x: Node, *, axes: Shape, extents: Shape, strides: Shape, dilations: Shape) -> Gradients:
    """Every window's entry gets the gradient of the place where it was added."""
    taps = x.shape[axes[-1] + 1 : axes[-1] + 1 + len(axes)]
    return (windows(g, axes=axes, taps=taps, strides=strides, dilations=dilations),)
