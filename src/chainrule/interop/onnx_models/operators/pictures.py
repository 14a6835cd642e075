"""Pictures made larger or smaller, and read at places between their pixels."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.graph import Array, Node, Shape, constant
from chainrule.graph.node import normal_axis
from chainrule.interop.onnx_models.call import Call, operator
from chainrule.interop.onnx_models.operators.indexing import flat, own_places
from chainrule.interop.onnx_models.operators.matrices import mixed
from chainrule.interop.onnx_models.operators.shapes import small
from chainrule.interop.onnx_models.operators.whole import rounded

CUBIC = -0.75


@operator("Upsample")
def upsampled(call: Call, x: Node, scales: Node | None = None, *, mode: str = "nearest", **old: Any) -> Node:
    """x, so many times larger on each axis."""
    told = call.known(scales, "scales").tolist() if scales is not None else old.get("scales")
    if told is None:
        raise call.unsupported("Upsample without scales")
    return resized_by(
        call, x, list(range(x.type.ndim)), told, None, {"mode": mode, "coordinates": "asymmetric", "nearest": "floor"}
    )


@operator("Resize")
def resized(
    call: Call, x: Node, roi: Node | None = None, scales: Node | None = None, sizes: Node | None = None, *, mode: str = "nearest",
    coordinate_transformation_mode: str = "half_pixel", nearest_mode: str = "round_prefer_floor", cubic_coeff_a: float = CUBIC,
    exclude_outside: int = 0, extrapolation_value: float = 0.0, antialias: int = 0, axes: Any = None,
    keep_aspect_ratio_policy: str = "stretch",
) -> Node:  # fmt: skip
    """x in other sizes: by its nearest pixels, or by sums of two or four neighbours on each axis."""
    if call.version < 11:
        told = call.known(roi, "scales").tolist() if roi is not None else None
        return resized_by(
            call, x, list(range(x.type.ndim)), told, None, {"mode": mode, "coordinates": "asymmetric", "nearest": "floor"}
        )
    places = [normal_axis(call.label, axis, x.type.ndim) for axis in axes] if axes is not None else list(range(x.type.ndim))
    how: dict[str, Any] = {
        "mode": mode, "coordinates": coordinate_transformation_mode, "nearest": nearest_mode, "cubic": cubic_coeff_a,
        "exclude": bool(exclude_outside), "outside": extrapolation_value, "antialias": bool(antialias),
    }  # fmt: skip
    if coordinate_transformation_mode == "tf_crop_and_resize":
        if roi is None:
            raise call.wrong("no roi", "the region that is cut out")
        corners = call.known(roi, "roi").reshape(2, -1)
        how["region"] = {axis: (float(corners[0, number]), float(corners[1, number])) for number, axis in enumerate(places)}
    wanted = list(call.whole(sizes, "sizes")) if sizes is not None and sizes.type.size else None
    factors = call.known(scales, "scales").tolist() if scales is not None and scales.type.size else None
    if wanted is not None and keep_aspect_ratio_policy != "stretch":
        ratios = [size / x.shape[axis] for size, axis in zip(wanted, places, strict=True)]
        ratio = min(ratios) if keep_aspect_ratio_policy == "not_larger" else max(ratios)
        factors, wanted = [ratio] * len(places), [int(np.floor(x.shape[axis] * ratio + 0.5)) for axis in places]
    return resized_by(call, x, places, factors, wanted, how)


def resized_by(call: Call, x: Node, places: list[int], factors: Any, wanted: Any, how: dict[str, Any]) -> Node:
    """x in other sizes on these axes."""
    told = wanted if factors is None else factors
    if told is None or len(told) != len(places):
        raise call.wrong(f"scales {factors} and sizes {wanted} for {len(places)} axes", "one to an axis")
    outside: list[tuple[int, Array]] = []
    for number, axis in enumerate(places):
        n = x.shape[axis]
        factor = factors[number] if factors is not None else told[number] / n
        count = wanted[number] if wanted is not None else int(np.floor(n * factor))
        small(call, [*x.shape[:axis], count, *x.shape[axis + 1 :]])
        if count == n and factor == 1 and axis not in how.get("region", {}):
            continue
        weights, beyond = axis_weights(call, n, count, factor, {**how, "span": how.get("region", {}).get(axis)})
        if how["mode"] == "nearest":
            x = ops.gather(x, constant(np.argmax(weights, axis=1).astype(np.int64)), axis=axis)
        else:
            wide = x if x.type.is_float else ops.cast(x, dtype="float64")
            x = mixed(wide, axis, weights) if x.type.is_float else ops.cast(rounded(mixed(wide, axis, weights)), dtype=x.dtype)
        if beyond is not None and beyond.any():
            outside.append((axis, beyond))
    for axis, beyond in outside:
        mask = constant(beyond.reshape([-1 if place == axis else 1 for place in range(x.type.ndim)]))
        x = ops.where(mask, constant(how["outside"], x.dtype), x)
    return x


def axis_weights(call: Call, n: int, count: int, factor: float, how: dict[str, Any]) -> tuple[Array, Array | None]:
    """What each of `count` new entries takes of n old ones, (count, n); and which of them lie outside."""
    if count * n > 2**24:
        raise call.unsupported(f"an axis of {n} resized to {count}")
    at = _coordinates(call, n, count, factor, how)
    beyond = (at < 0) | (at > n - 1) if how["coordinates"] == "tf_crop_and_resize" else None
    if how["mode"] == "nearest":
        return np.eye(n)[np.clip(_nearest(call, at, how["nearest"]), 0, n - 1)], beyond
    reach = {"linear": 1, "bilinear": 1, "cubic": 2}.get(how["mode"])
    if reach is None:
        raise call.unsupported(f"mode {how['mode']!r}")
    scale = min(factor, 1.0) if how.get("antialias") else 1.0
    width = int(np.ceil(reach / scale))
    found = np.zeros((count, n))
    for row, place in enumerate(at):
        spots = np.arange(int(np.floor(place)) - width + 1, int(np.floor(place)) + width + 1)
        weights = _kernel((place - spots) * scale, how)
        inside = (spots >= 0) & (spots < n)
        if how.get("exclude"):
            weights = np.where(inside, weights, 0)
        if how.get("antialias") or how.get("exclude"):
            weights = weights / weights.sum()
        np.add.at(found[row], np.clip(spots, 0, n - 1), weights)
    return found, beyond


def _kernel(distance: Array, how: dict[str, Any]) -> Array:
    d = np.abs(distance)
    if how["mode"] != "cubic":
        return np.maximum(1 - d, 0)
    a = how["cubic"]
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = (((d - 5) * d + 8) * d - 4) * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def _coordinates(call: Call, n: int, count: int, factor: float, how: dict[str, Any]) -> Array:
    """Where new entries stand among the old ones."""
    places, kind = np.arange(count, dtype=np.float64), how["coordinates"]
    if kind == "asymmetric":
        return places / factor
    if kind == "half_pixel":
        return (places + 0.5) / factor - 0.5
    if kind == "pytorch_half_pixel":
        return (places + 0.5) / factor - 0.5 if count > 1 else np.zeros(count)
    if kind == "align_corners":
        return places * (n - 1) / (factor * n - 1) if factor * n != 1 else np.zeros(count)
    if kind == "half_pixel_symmetric":
        offset = n / 2 * (1 - count / (factor * n))
        return offset + (places + 0.5) / factor - 0.5
    if kind == "tf_crop_and_resize":
        first, last = how["span"]
        if count > 1:
            return first * (n - 1) + places * (last - first) * (n - 1) / (count - 1)
        return np.full(count, 0.5 * (first + last) * (n - 1))
    raise call.unsupported(f"coordinate_transformation_mode {kind!r}")


def _nearest(call: Call, at: Array, how: str) -> Array:
    kinds: dict[str, Callable[[Array], Array]] = {
        "round_prefer_floor": lambda x: np.ceil(x - 0.5), "round_prefer_ceil": lambda x: np.floor(x + 0.5),
        "floor": np.floor, "ceil": np.ceil,
    }  # fmt: skip
    if how not in kinds:
        raise call.unsupported(f"nearest_mode {how!r}")
    return kinds[how](at).astype(np.int64)


# ---- places that are data


@operator("GridSample")
def sampled(
    call: Call, x: Node, grid: Node, *, mode: str = "linear", padding_mode: str = "zeros", align_corners: int = 0
) -> Node:
    """x (batch, channels, ...) read at places between −1 and 1, (batch, places..., axes), the last axis of x first."""
    space, n = x.type.ndim - 2, x.shape[0]
    outside = grid.shape[1:-1]
    count = prod(outside)
    rows = ops.reshape(grid, shape=(n, count, space))
    at: list[Node] = []
    for axis in range(space):
        extent = x.shape[2 + axis]
        told = ops.reshape(ops.slice_axis(rows, 2, space - 1 - axis, space - axis), shape=(n, count))
        at.append((told + 1.0) * ((extent - 1) / 2) if align_corners else ((told + 1.0) * extent - 1.0) * 0.5)
    reader = _Reader(x, padding_mode, bool(align_corners))
    if mode in {"nearest"}:
        found = reader.read([rounded(place) for place in at])
    elif mode in {"linear", "bilinear"}:
        found = reader.mixed(at, [0, 1], _linear)
    elif mode in {"cubic", "bicubic"}:
        found = reader.mixed(at, [-1, 0, 1, 2], _cubic)
    else:
        raise call.unsupported(f"mode {mode!r}")
    return ops.reshape(ops.transpose(found, axes=(0, 2, 1)), shape=(n, x.shape[1], *outside))


def _linear(d: Node) -> list[Node]:
    return [1.0 - d, d]


def _cubic(d: Node) -> list[Node]:
    a = CUBIC

    def near(t: Node) -> Node:
        return (t * (a + 2) - (a + 3)) * t * t + 1.0

    def far(t: Node) -> Node:
        return ((t * a - 5 * a) * t + 8 * a) * t - 4 * a

    return [far(d + 1.0), near(d), near(1.0 - d), far(2.0 - d)]


class _Reader:
    """A picture that is read at whole places (batch, count) on each axis: (batch, count, channels)."""

    def __init__(self, x: Node, beyond: str, aligned: bool) -> None:
        self.shape, self.beyond, self.aligned = x.shape, beyond, aligned
        last = ops.transpose(x, axes=(0, *range(2, x.type.ndim), 1))
        self.rows = ops.reshape(last, shape=(prod(last.shape[:-1]), last.shape[-1]))

    def mixed(self, at: list[Node], offsets: list[int], weights: Any) -> Node:
        """Sums of neighbours, by weights that go by how far a place is from the one below it."""
        if self.beyond == "border" and len(offsets) == 2:
            at = [
                ops.maximum(ops.minimum(place, float(extent - 1)), 0.0)
                for place, extent in zip(at, self.shape[2:], strict=True)
            ]
        if self.beyond == "reflection" and len(offsets) == 2:
            at = [self.reflected(place, extent) for place, extent in zip(at, self.shape[2:], strict=True)]
        below = [ops.floor(place) for place in at]
        shares = [weights(place - low) for place, low in zip(at, below, strict=True)]
        total: Node | None = None
        for corner in product(range(len(offsets)), repeat=len(at)):
            read = self.read([low + float(offsets[i]) for low, i in zip(below, corner, strict=True)])
            weight = shares[0][corner[0]]
            for share, i in zip(shares[1:], corner[1:], strict=True):
                weight = weight * share[i]
            part = read * ops.broadcast_to(ops.reshape(weight, shape=(*weight.shape, 1)), shape=read.shape)
            total = part if total is None else total + part
        assert total is not None  # noqa: S101  (there is a corner)
        return total

    def reflected(self, place: Node, extent: int) -> Node:
        """A place mirrored at the edges as often as it takes to be inside."""
        low, high = (0.0, extent - 1.0) if self.aligned else (-0.5, extent - 0.5)
        span = high - low
        if span <= 0:
            return place * 0.0
        away = ops.absolute(place - low)
        turns = ops.floor(away * (1 / span))
        rest = away - turns * span
        odd = ops.greater(turns - ops.floor(turns * 0.5) * 2.0, 0.5)
        return ops.maximum(ops.minimum(ops.where(odd, span - rest, rest) + low, extent - 1.0), 0.0)

    def read(self, at: list[Node]) -> Node:
        """The rows at whole places."""
        inside: Node | None = None
        places: list[Node] = []
        for place, extent in zip(at, self.shape[2:], strict=True):
            if self.beyond == "reflection":
                place = rounded(self.reflected(place, extent))
            held = ops.maximum(ops.minimum(place, float(extent - 1)), 0.0)
            if self.beyond == "zeros":
                here = ops.equal(held, place)
                inside = here if inside is None else ops.logical_and(inside, here)
            places.append(ops.cast(held, dtype="int64"))
        shape: Shape = (self.shape[0], *self.shape[2:])
        found = ops.gather(self.rows, flat([own_places(places[0].shape, 0), *places], shape), axis=0)
        if inside is None:
            return found
        return ops.where(ops.broadcast_to(ops.reshape(inside, shape=(*inside.shape, 1)), shape=found.shape), found, 0.0)
