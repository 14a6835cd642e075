"""Windows that are weighed, or reduced to one number, are written as what other programs have for them: Conv, MaxPool, AveragePool."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.graph import Node, Shape
from chainrule.immutable import immutable
from chainrule.interop.onnx_models.emitter import Emitter


@immutable
class Windowed:
    """An operator of windows: over what, which stands channels last; by which weights; how the windows lie."""

    kind: str
    x: Node
    weights: Node | None
    attributes: dict[str, Any]

    def write(self, w: Emitter, x: str, weights: str | None, to: str) -> str:
        """The operator, between transpositions: there channels stand first."""
        space = self.x.type.ndim - 2
        inputs = [w.op("Transpose", x, perm=[0, space + 1, *range(1, space + 1)])]
        if weights is not None:
            inputs.append(w.op("Transpose", weights, perm=[space + 1, space, *range(space)]))
        found = w.op(self.kind, *inputs, **self.attributes)
        return w.op("Transpose", found, perm=[0, *range(2, space + 2), 1], to=to)


def windowed(node: Node) -> Windowed | None:
    """The operator of windows that ends with a node, if one does; in float32, which all of these have everywhere."""
    if node.dtype != "float32":
        return None
    if node.op is ops.reshape:
        return _convolution(node)
    if node.op is ops.reduce_max:
        return _pool("MaxPool", node)
    if node.op is ops.multiply:
        return _mean(node)
    return None


def _convolution(node: Node) -> Windowed | None:
    """Windows as rows of a matrix, times weights; of each group of channels by itself."""
    product = node.inputs[0]
    grouped = product.op is ops.transpose and product.attributes["axes"] == (1, 0, 2)
    product = product.inputs[0] if grouped else product
    if product.op is not ops.matmul:
        return None
    rows, weights = product.inputs
    if grouped:
        if weights.op is not ops.transpose or weights.attributes["axes"] != (1, 0, 2):
            return None
        weights = weights.inputs[0]
    if rows.op is not ops.reshape or weights.op is not ops.reshape:
        return None
    seen, w, groups = rows.inputs[0], weights.inputs[0], 1
    if grouped:
        last = seen.type.ndim
        if seen.op is not ops.transpose or seen.attributes["axes"] != (last - 2, *range(last - 2), last - 1):
            return None
        groups, seen = seen.shape[0], seen.inputs[0].inputs[0]
    space = w.type.ndim - 2
    fits = (
        seen.op is ops.windows
        and space >= 1
        and seen.attributes["axes"] == tuple(range(1, 1 + space))
        and seen.type.ndim == 2 + 2 * space
        and w.shape[:space] == seen.attributes["taps"]
        and w.shape[space] * groups == seen.shape[-1]
        and node.shape == (*seen.shape[: 1 + space], w.shape[-1])
        and rows.shape[-1] == prod(w.shape[:-1])
    )
    if not fits:
        return None
    x, pads = _inside(seen.inputs[0])
    more = {"group": groups} if groups > 1 else {}
    return Windowed("Conv", x, w, {**_placed(seen, pads), "kernel_shape": list(w.shape[:space]), **more})


def _inside(x: Node) -> tuple[Node, list[int]]:
    """What zeros were put around, and how many before and behind each axis of space."""
    if x.op is not ops.pad or any(x.attributes["interior"]):
        return x, []
    low, high = x.attributes["low"], x.attributes["high"]
    if low[0] or low[-1] or high[0] or high[-1]:
        return x, []
    return x.inputs[0], [*low[1:-1], *high[1:-1]]


def _placed(seen: Node, pads: Sequence[int]) -> dict[str, Any]:
    found: dict[str, Any] = {"strides": list(seen.attributes["strides"])}
    if set(seen.attributes["dilations"]) != {1}:
        found["dilations"] = list(seen.attributes["dilations"])
    return {**found, **({"pads": list(pads)} if pads else {})}


def _pool(kind: str, node: Node) -> Windowed | None:
    """A reduction of the taps of windows, or of windows side by side, which are axes of their own."""
    seen, axes = node.inputs[0], node.attributes["axes"]
    space = node.type.ndim - 2
    if space < 1 or seen.type.ndim != 2 + 2 * space:
        return None
    if seen.op is ops.windows and seen.attributes["axes"] == tuple(range(1, 1 + space)):
        if axes != tuple(range(1 + space, 1 + 2 * space)):
            return None
        return Windowed(kind, seen.inputs[0], None, {**_placed(seen, []), "kernel_shape": list(seen.attributes["taps"])})
    if seen.op is not ops.reshape or axes != tuple(range(2, 2 + 2 * space, 2)):
        return None
    x, taps = seen.inputs[0], [seen.shape[axis] for axis in axes]
    whole: Shape = (seen.shape[0], *(seen.shape[axis - 1] * seen.shape[axis] for axis in axes), seen.shape[-1])
    return Windowed(kind, x, None, {"strides": taps, "kernel_shape": taps}) if x.shape == whole else None


def _mean(node: Node) -> Windowed | None:
    """A sum of the taps of windows, times one over their number."""
    total, share = node.inputs
    if total.op is not ops.reduce_sum or share.op is not ops.broadcast_to or share.inputs[0].type.ndim:
        return None
    found, number = _pool("AveragePool", total), share.inputs[0].attributes.get("value")
    if found is None or number is None or number != np.float32(1 / prod(found.attributes["kernel_shape"])):
        return None
    return found
